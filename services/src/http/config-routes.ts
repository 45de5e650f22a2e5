import type { Request } from "express";
import express from "express";
import {
  type ConfigAnswer,
  type ConfigChange,
  type ConfigChanged,
  type ConfigHistory,
  configChangeSchema,
} from "../../../api/src/config.ts";
import type { ConfigSection, ConfigStore } from "../../../cluster/src/config-store.ts";
import {
  coerceShared,
  sectionOf,
  sharedSections,
  sharedSettings,
} from "../../../config/src/shared.ts";
import { suggest } from "../../../config/src/suggest.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { type LiveSettings, valueAt } from "../live-settings.ts";
import type { App } from "./app.ts";

/** Values of a section are few; a list of retention rules is the longest. */
const bodyMaxBytes = 256 * 1024;

export interface ConfigRoutesDeps {
  readonly store: ConfigStore;
  readonly live: LiveSettings;
}

/** `/api/v1/config`: what is set for the whole cluster. */
export function mountConfig(app: App, deps: ConfigRoutesDeps): void {
  app.express.use("/api/v1/config", express.json({ limit: bodyMaxBytes }));
  app.mount("get", "/api/v1/config", "admin", (_, response) => {
    response.json(configAnswer(deps));
  });
  app.mount("get", "/api/v1/config/:section/history", "admin", async (request, response) => {
    const section = sectionNamed(request);
    const versions = await deps.store.history(section);
    response.json({
      versions: versions.map((one) => listed(section, one)),
    } satisfies ConfigHistory);
  });
  app.mount("put", "/api/v1/config/:section", "admin", async (request, response, { key }) => {
    response.json(await change(deps, sectionNamed(request), bodyOf(request), key));
  });
}

function configAnswer({ store, live }: ConfigRoutesDeps): ConfigAnswer {
  const waiting = new Map(live.pending.map(({ path, set }) => [path, set]));
  return {
    sections: [...sharedSections].map((name) => listed(name, store.section(name))),
    settings: [...sharedSettings].map(([path, effect]) => {
      const origin = live.runningOriginOf(path);
      return {
        ...{ path, value: valueAt(live.view, path) ?? null, effect },
        ...(origin === undefined ? {} : { origin }),
        ...(waiting.has(path) ? { waiting: waiting.get(path) ?? null } : {}),
      };
    }),
  };
}

async function change(
  { store, live }: ConfigRoutesDeps,
  section: string,
  body: ConfigChange,
  by: string | undefined,
): Promise<ConfigChanged> {
  const { rollback, version } = body;
  const goal = rollback === undefined ? undefined : await versionOf(store, section, rollback);
  const action = rollback === undefined ? "config.set" : "config.rollback";
  let before: ConfigSection["values"] = {};
  const next = await store.set(
    section,
    (values) => {
      before = values;
      const changed = goal ?? changedValues(section, values, body);
      const others = Object.entries(store.values()).filter(([path]) => sectionOf(path) !== section);
      // What no node could run with must not be set.
      live.check({ ...Object.fromEntries(others), ...changed });
      return changed;
    },
    { by, version, action },
  );
  const paths = new Set([...Object.keys(before), ...Object.keys(next.values)]);
  const differing = [...paths].filter(
    (path) => JSON.stringify(before[path]) !== JSON.stringify(next.values[path]),
  );
  return {
    ...listed(section, next),
    afterRestart: differing.filter((path) => sharedSettings.get(path) === "at-restart"),
    overridden: differing.filter((path) => {
      const origin = live.originOf(path);
      return origin !== undefined && origin !== "cluster";
    }),
  };
}

/** Throws `config.invalid`. */
function changedValues(
  section: string,
  values: ConfigSection["values"],
  { set = {}, unset = [] }: ConfigChange,
): ConfigSection["values"] {
  const foreign = [...Object.keys(set), ...unset].filter((path) => sectionOf(path) !== section);
  const { values: coerced, problems } = coerceShared(set);
  const all = [...foreign.map((path) => `${path} is not of the section ${section}`), ...problems];
  if (all.length > 0) throw new ServiceError("config.invalid", all.join("; "));
  const kept = Object.entries({ ...values, ...coerced }).filter(([path]) => !unset.includes(path));
  return Object.fromEntries(kept);
}

async function versionOf(
  store: ConfigStore,
  section: string,
  version: number,
): Promise<ConfigSection["values"]> {
  if (version === 0) return {};
  const found = (await store.history(section)).find((one) => one.version === version);
  if (found !== undefined) return found.values;
  const what =
    "there is no such version, or none that is kept; config history lists those that are";
  throw new ServiceError("request.not-found", what, { section, version });
}

function sectionNamed(request: Request): string {
  const section = String(request.params["section"]);
  if (sharedSections.has(section)) return section;
  const known = [...sharedSections].join(", ");
  const near = suggest(section, sharedSections);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  const what = `the cluster has no such section, but ${known}; others are each node's own${hint}`;
  throw new ServiceError("request.not-found", what, { section });
}

function bodyOf(request: Request): ConfigChange {
  const parsed = configChangeSchema.safeParse(request.body);
  if (parsed.success) {
    const { rollback, set, unset } = parsed.data;
    if (rollback === undefined || (set ?? unset) === undefined) return parsed.data;
    throw new ServiceError("request.malformed", "rollback cannot be together with set or unset");
  }
  const [issue] = parsed.error.issues;
  throw new ServiceError("request.malformed", issue?.message ?? "the body cannot be read", {
    path: issue?.path.join(".") ?? "",
  });
}

function listed(section: string, { version, values, by, atMs }: ConfigSection) {
  const at = atMs === 0 ? {} : { at: new Date(atMs).toISOString() };
  return { section, version, values: { ...values }, by, ...at };
}
