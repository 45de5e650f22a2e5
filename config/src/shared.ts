import { coerce } from "./coerce.ts";
import { describeSettings } from "./describe.ts";
import { suggest } from "./suggest.ts";

/** When a change of a setting for the whole cluster takes effect at a running node. */
export type SettingEffect = "at-once" | "at-restart";

/**
 * Settings that may be set for the whole cluster, from the first restart of a node on or at once. All others are a node's own: its addresses,
 * its disk, its part in the cluster, its secrets.
 */
export const sharedSettings: ReadonlyMap<string, SettingEffect> = new Map([
  ["http.bodyMaxBytes", "at-restart"],
  ["http.inFlightMaxBytes", "at-restart"],
  ["http.requestTimeoutMs", "at-restart"],
  ["http.headersTimeoutMs", "at-restart"],
  ["http.connectionsMax", "at-restart"],
  ["http.publicUrl", "at-restart"],
  ["cluster.replication", "at-once"],
  ["cluster.graceMs", "at-once"],
  ["storage.sealAgeMs", "at-restart"],
  ["storage.retention.days", "at-restart"],
  ["storage.retention.rules", "at-restart"],
  ["storage.retention.diskShare", "at-restart"],
  ["query.timeoutMs", "at-once"],
  ["query.memoryMaxBytes", "at-once"],
  ["query.concurrencyMax", "at-once"],
  ["ingest.recordMaxBytes", "at-restart"],
  ["ingest.fieldsMax", "at-restart"],
  ["ingest.rejectedMaxBytes", "at-restart"],
  ["ingest.inflatedMaxBytes", "at-restart"],
  ["tail.connectionsMax", "at-restart"],
  ["tail.bufferMaxBytes", "at-restart"],
  ["tail.heartbeatMs", "at-restart"],
  ["alerts.linesMax", "at-restart"],
  ["alerts.rulesMax", "at-restart"],
  ["alerts.deliveryTimeoutMs", "at-restart"],
  ["alerts.deliveryRetryMs", "at-restart"],
  ["log.level", "at-once"],
]);

/** A section is the first word of a setting's path: settings of one section are changed together, and have one history. */
export const sharedSections: ReadonlySet<string> = new Set(
  [...sharedSettings.keys()].map((path) => sectionOf(path)),
);

/** A path without a section is one itself, as far as it is any. */
export function sectionOf(path: string): string {
  const end = path.indexOf(".");
  return end === -1 ? path : path.slice(0, end);
}

/** Values of shared settings by path, as the schema wants them. */
export type SharedValues = Readonly<Record<string, unknown>>;

/** Values as texts or as they are, turned into what the schema wants; `problems` has a line for each that cannot be. */
export function coerceShared(values: SharedValues): {
  readonly values: SharedValues;
  readonly problems: readonly string[];
} {
  const infos = new Map(describeSettings().map((info) => [info.path, info]));
  const problems: string[] = [];
  const coerced: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(values)) {
    const info = infos.get(path);
    if (info === undefined) problems.push(`${path} is no setting${hint(path)}`);
    else if (!sharedSettings.has(path)) {
      problems.push(
        `${path} is a node's own, to be set there in its file, by ${info.env} or a flag`,
      );
    } else coerced[path] = coerce(info, value);
  }
  return { values: coerced, problems };
}

function hint(path: string): string {
  if (sharedSections.has(path)) {
    const [first] = [...sharedSettings.keys()].filter((known) => sectionOf(known) === path);
    return ` but a section, of which each is set by its name, as ${first}`;
  }
  const near = suggest(path, sharedSettings.keys());
  return near === undefined ? "" : `; did you mean ${near}?`;
}
