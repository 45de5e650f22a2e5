import type { Request, Response } from "express";
import express from "express";
import { parseRules } from "../../../alerts/src/parse-rules.ts";
import type { StoredRule } from "../../../alerts/src/ports.ts";
import type { Rule } from "../../../alerts/src/rule.ts";
import type {
  AlertHistory,
  AlertsAnswer,
  AlertTest,
  RuleListed,
  RulesAnswer,
  RulesApplied,
} from "../../../api/src/alerts.ts";
import { alertHistoryParams } from "../../../api/src/params.ts";
import { isSameRule } from "../../../cluster/src/rule-data.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { AlertsService } from "../alerts/alerts-service.ts";
import { historyDefault, rulesBodyMaxBytes } from "../alerts/limits.ts";
import { masked, unmasked } from "../alerts/secrets.ts";
import type { App } from "./app.ts";
import type { Identity } from "./identity.ts";
import { parseParams } from "./query-options.ts";

export interface AlertRoutesDeps {
  readonly alerts: AlertsService;
  /** Of one tenant. */
  readonly rulesMax: number;
}

const json = "application/json";
const yaml = ["application/yaml", "text/yaml", "application/x-yaml"];
const base = "/api/v1/alerting";

/** Rules of one request that are written side by side. */
const writesInFlight = 32;

/** `/api/v1/alerting`: rules, alerts, history. */
export function mountAlerts(app: App, deps: AlertRoutesDeps): void {
  const { alerts } = deps;
  // A text of either form; what cannot be decoded is no rule.
  app.express.use(base, express.text({ type: [json, ...yaml], limit: rulesBodyMaxBytes }));
  app.mount("get", `${base}/rules`, "read", (_, response, { tenant }) => {
    const answer: RulesAnswer = { rules: [...listed(alerts, tenant)] };
    response.json(answer);
  });
  app.mount("post", `${base}/rules`, "admin", async (request, response, identity) => {
    response.json(await applyRules(deps, identity, rulesOf(request)));
  });
  app.mount("get", `${base}/rules/:name`, "read", (request, response, { tenant }) => {
    sendRule(response, listedRule(alerts, tenant, nameOf(request)));
  });
  app.mount("put", `${base}/rules/:name`, "admin", async (request, response, { key, tenant }) => {
    const [rule] = rulesOf(request, nameOf(request));
    const version = versionOf(request);
    const found = storedRule(alerts, tenant, rule.name);
    const whole = unmasked(rule, found?.rule);
    const { version: now } = await alerts.rules.put(tenant, whole, version, key);
    response.status(now === 0 ? 201 : 200);
    sendRule(response, listedRule(alerts, tenant, rule.name));
  });
  app.mount(
    "delete",
    `${base}/rules/:name`,
    "admin",
    async (request, response, { key, tenant }) => {
      await alerts.rules.delete(tenant, nameOf(request), versionOf(request), key);
      response.status(204).end();
    },
  );
  app.mount("post", `${base}/rules/:name/test`, "admin", async (request, response, { tenant }) => {
    const rule = testedRule(alerts, tenant, request);
    const answer: AlertTest = await alerts.running.testNotification(tenant, rule);
    response.json(answer);
  });
  app.mount("get", `${base}/alerts`, "read", (_, response, { tenant }) => {
    const answer: AlertsAnswer = { alerts: [...alerts.running.alerts(tenant)] };
    response.json(answer);
  });
  app.mount("get", `${base}/history`, "read", (request, response, { tenant }) => {
    const { rule, limit = historyDefault } = parseParams(alertHistoryParams, request);
    const answer: AlertHistory = { events: [...alerts.running.history(tenant, { rule, limit })] };
    response.json(answer);
  });
}

/** The tenant's rules by name, secrets masked; their state is known where they are evaluated. */
export function listed(alerts: AlertsService, tenant: string): readonly RuleListed[] {
  const states = new Map(alerts.engine?.rules(tenant).map((rule) => [rule.id, rule]));
  return alerts.rules
    .list()
    .filter((stored) => stored.tenant === tenant)
    .sort((a, b) => (a.rule.name < b.rule.name ? -1 : 1))
    .map((stored) => ({ ...asListed(stored), ...stateOf(states.get(stored.id)) }));
}

function asListed({ id, version, createdMs, updatedMs, rule }: StoredRule): RuleListed {
  return {
    id,
    version,
    createdAt: new Date(createdMs).toISOString(),
    updatedAt: new Date(updatedMs).toISOString(),
    state: "inactive",
    rule: masked(rule),
  };
}

function stateOf(known: RuleListed | undefined): Partial<RuleListed> {
  if (known === undefined) return {};
  const { state, evaluatedAt, error } = known;
  return {
    state,
    ...(evaluatedAt === undefined ? {} : { evaluatedAt }),
    ...(error === undefined ? {} : { error }),
  };
}

function listedRule(alerts: AlertsService, tenant: string, name: string): RuleListed {
  const found = listed(alerts, tenant).find(({ rule }) => rule.name === name);
  if (found === undefined) throw new ServiceError("request.not-found", "no such rule", { name });
  return found;
}

function storedRule(alerts: AlertsService, tenant: string, name: string): StoredRule | undefined {
  return alerts.rules.list().find((each) => each.tenant === tenant && each.rule.name === name);
}

function sendRule(response: Response, rule: RuleListed): void {
  response.setHeader("ETag", `"${rule.version}"`);
  response.json(rule);
}

/** Writes what has changed. All rules were read and checked before the first is written. */
async function applyRules(
  { alerts, rulesMax }: AlertRoutesDeps,
  identity: Identity,
  rules: readonly Rule[],
): Promise<RulesApplied> {
  const { tenant } = identity;
  const wanted = rules.map((rule) => {
    const found = storedRule(alerts, tenant, rule.name);
    return { found, rule: unmasked(rule, found?.rule) };
  });
  const before = alerts.rules.list().filter((each) => each.tenant === tenant).length;
  if (before + wanted.filter(({ found }) => found === undefined).length > rulesMax) {
    throw new ServiceError("alerts.too-many", "the tenant may not have that many rules", {
      rulesMax,
    });
  }
  const applied: RulesApplied["rules"] = [];
  for (let at = 0; at < wanted.length; at += writesInFlight) {
    const some = wanted.slice(at, at + writesInFlight);
    applied.push(...(await Promise.all(some.map((each) => applyRule(alerts, identity, each)))));
  }
  return { rules: applied };
}

interface Wanted {
  readonly found: StoredRule | undefined;
  readonly rule: Rule;
}

async function applyRule(
  alerts: AlertsService,
  { key, tenant }: Identity,
  { found, rule }: Wanted,
): Promise<RulesApplied["rules"][number]> {
  const { name } = rule;
  if (found !== undefined && isSameRule(found.rule, rule)) {
    return { name, version: found.version, outcome: "unchanged" };
  }
  const { version } = await alerts.rules.put(tenant, rule, undefined, key);
  return { name, version, outcome: version === 0 ? "created" : "changed" };
}

/** The rules of a body; with `name`, the one of that name. */
function rulesOf(request: Request, name?: string): readonly [Rule, ...Rule[]] {
  const body: unknown = request.body;
  if (typeof body !== "string") {
    const media = [json, ...yaml];
    if (request.headers["content-length"] === "0") {
      throw new ServiceError("request.malformed", "there is no body with a rule in it");
    }
    throw new ServiceError("request.media-type", "rules are sent as JSON or YAML", { media });
  }
  const [first, ...more] = parseRules(body, request.is(json) === json ? "json" : "yaml");
  if (first === undefined) {
    throw new ServiceError("request.malformed", "there is no rule in the body");
  }
  if (name === undefined) return [first, ...more];
  if (more.length > 0) throw new ServiceError("request.malformed", "one rule is put at this path");
  if (first.name === name) return [first];
  const what = "the rule's name is not that of the path";
  throw new ServiceError("alerts.invalid-rule", what, { rule: first.name, field: "name", name });
}

/** What a test is of: the rule in the body, which need not be kept anywhere, or else the one that is kept. */
function testedRule(alerts: AlertsService, tenant: string, request: Request): string | Rule {
  const name = nameOf(request);
  if (request.headers["content-type"] === undefined) return name;
  const [rule] = rulesOf(request, name);
  return unmasked(rule, storedRule(alerts, tenant, name)?.rule);
}

function nameOf(request: Request): string {
  return String(request.params["name"]);
}

/** What a change expects: a version by `If-Match`, no rule (-1) by `If-None-Match: *`; undefined: whatever there is. */
function versionOf(request: Request): number | undefined {
  const { "if-match": match, "if-none-match": none } = request.headers;
  if (none === "*" && match === undefined) return -1;
  if (none === undefined && (match === undefined || match === "*")) return undefined;
  const version = /^"?(\d{1,10})"?$/.exec(match ?? "")?.[1];
  if (version !== undefined && none === undefined) return Number(version);
  throw new ServiceError("request.malformed", "If-Match takes a rule's version, If-None-Match *");
}
