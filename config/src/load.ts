import type { z } from "zod";
import { ServiceError } from "../../kit/src/errors.ts";
import { coerce, expected } from "./coerce.ts";
import { describeSections, describeSettings, envPrefix, type SettingInfo } from "./describe.ts";
import { parseEnsemble } from "./ensemble.ts";
import { readFile } from "./file.ts";
import { problemsMax } from "./limits.ts";
import { printBytes, printDuration } from "./quantity.ts";
import { type Settings, settingsSchema } from "./schema.ts";
import { suggest } from "./suggest.ts";

/** Where settings come from; each source overrides the ones before it. */
export interface SettingSources {
  /** What is set for the whole cluster, by path. */
  readonly shared?: Readonly<Record<string, unknown>> | undefined;
  /** The YAML file and the name to call it by in messages. */
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  /** The environment; only names that start with `LOGKEEP_` are looked at. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Values of flags by dotted path of the setting; `undefined` is a flag that was not given. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** What set each setting that is not at its default, as `logkeep.yaml:3` or `LOGKEEP_NODE_ID`. */
  readonly origins: ReadonlyMap<string, string>;
  /** Variables that look like ours and set nothing. */
  readonly warnings: readonly string[];
}

/** Variables with our prefix that are read elsewhere and set none of these settings. */
const otherVariables: ReadonlySet<string> = new Set([
  "LOGKEEP_CONFIG",
  "LOGKEEP_URL",
  "LOGKEEP_KEY",
  "LOGKEEP_CLUSTER_SECRET",
  "LOGKEEP_CRASH_AT",
]);

interface Leaf {
  readonly origin: string;
  readonly value: unknown;
}

/** Settings from all sources. Throws `config.invalid` with every problem, each with its place. */
export function loadSettings(sources: SettingSources): LoadedSettings {
  const infos = new Map(describeSettings().map((info) => [info.path, info]));
  const leaves = new Map<string, Leaf>();
  const problems: string[] = [];
  for (const [path, value] of Object.entries(sources.shared ?? {})) {
    // A release after this one may have settings that this one has not.
    if (infos.has(path)) leaves.set(path, { origin: "cluster", value });
  }
  takeFile(sources, infos, leaves, problems);
  const warnings = takeVariables(sources, infos, leaves, problems);
  takeFlags(sources, infos, leaves, problems);

  const parsed = settingsSchema.safeParse(treeOf(leaves));
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(problemOfIssue(issue, infos, leaves));
  } else {
    problems.push(...contradictions(parsed.data, leaves));
  }
  if (problems.length > 0 || !parsed.success) throw refusal(problems.toSorted(byLine));
  const origins = new Map([...leaves].map(([path, { origin }]) => [path, origin]));
  return { settings: deepFreeze(parsed.data), origins, warnings };
}

function takeFile(
  { file }: SettingSources,
  infos: ReadonlyMap<string, SettingInfo>,
  leaves: Map<string, Leaf>,
  problems: string[],
): void {
  if (file === undefined) return;
  const sections = describeSections([...infos.values()]);
  const read = readFile(file.text, sections);
  for (const { line, message } of read.problems) problems.push(`${file.name}:${line}: ${message}`);
  for (const { path, line, value } of read.leaves) {
    const origin = `${file.name}:${line}`;
    const info = infos.get(path);
    if (info !== undefined) {
      if (value !== undefined) leaves.set(path, { origin, value: coerce(info, value) });
    } else if (!sections.has(path)) {
      problems.push(`${origin}: ${path} is no setting${hintOfPath(path, infos, sections)}`);
    } else if (value !== undefined) {
      problems.push(`${origin}: ${path} is a section and must hold settings`);
    }
  }
}

function takeVariables(
  { env = {} }: SettingSources,
  infos: ReadonlyMap<string, SettingInfo>,
  leaves: Map<string, Leaf>,
  problems: string[],
): readonly string[] {
  const warnings: string[] = [];
  const byName = new Map([...infos.values()].map((info) => [info.env, info]));
  const sections = [...describeSections([...infos.values()])].map(
    (section) => `${envPrefix}${section.replaceAll(".", "_").toUpperCase()}_`,
  );
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(envPrefix) || otherVariables.has(name)) continue;
    const info = byName.get(name);
    if (info !== undefined) {
      // An empty variable is how compose files and shells say "not set".
      if (value) leaves.set(info.path, { origin: name, value: coerce(info, value) });
      continue;
    }
    const message = `${name} sets nothing${hintOfVariable(name, byName.keys())}`;
    // Kubernetes gives every pod such variables for a service of our name.
    if (/_SERVICE_(HOST|PORT)(_|$)|_PORT(_\d+_(TCP|UDP)(_|$)|$)/.test(name)) continue;
    if (sections.some((section) => name.startsWith(section))) problems.push(message);
    else if (message.includes("did you mean")) warnings.push(message);
  }
  return warnings;
}

function takeFlags(
  { flags = {} }: SettingSources,
  infos: ReadonlyMap<string, SettingInfo>,
  leaves: Map<string, Leaf>,
  problems: string[],
): void {
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const info = infos.get(path);
    if (info === undefined) problems.push(`flag: ${path} is no setting${hint(path, infos.keys())}`);
    else leaves.set(path, { origin: "flag", value: coerce(info, value) });
  }
}

/** The leaves as the nested object that the schema reads. */
function treeOf(leaves: ReadonlyMap<string, Leaf>): object {
  const tree: Record<string, unknown> = {};
  for (const [path, { value }] of leaves) {
    const parts = path.split(".");
    const name = parts.pop() ?? "";
    let at = tree;
    for (const part of parts) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[name] = value;
  }
  return tree;
}

function problemOfIssue(
  issue: z.core.$ZodIssue,
  infos: ReadonlyMap<string, SettingInfo>,
  leaves: ReadonlyMap<string, Leaf>,
): string {
  const parts = issue.path.map(String);
  const path = [...parts.keys()]
    .map((i) => parts.slice(0, i + 1).join("."))
    .find((p) => infos.has(p));
  const info = path === undefined ? undefined : infos.get(path);
  const leaf = path === undefined ? undefined : leaves.get(path);
  if (info === undefined || leaf === undefined) return `${parts.join(".")}: ${issue.message}`;
  const given = info.isSecret ? "" : `, not ${shown(leaf.value)}`;
  if (info.kind === "list" && parts.length > 1) {
    return `${leaf.origin}: ${parts.join(".")}: ${issue.message}`;
  }
  return `${leaf.origin}: ${info.path} ${demand(issue, info)}${given}`;
}

function demand(issue: z.core.$ZodIssue, info: SettingInfo): string {
  switch (issue.code) {
    case "custom":
      return issue.message;
    case "invalid_format":
      return issue.message;
    case "too_small":
      if (issue.origin === "array" || issue.origin === "string") return "must not be empty";
      return `must be ${issue.inclusive === false ? "above" : "at least"} ${amount(Number(issue.minimum), info)}`;
    case "too_big":
      if (issue.origin === "array") return `must hold at most ${issue.maximum}`;
      return `must be at most ${amount(Number(issue.maximum), info)}`;
    default:
      return `must be ${expected(info)}`;
  }
}

function amount(value: number, { kind }: SettingInfo): string {
  if (kind === "bytes") return printBytes(value);
  return kind === "duration" ? printDuration(value) : String(value);
}

/** What two settings cannot be at once. */
function contradictions(settings: Settings, leaves: ReadonlyMap<string, Leaf>): readonly string[] {
  const { cluster, coordinator, elasticsearch, http, ingest, node, peer, query, roles, sources } =
    settings;
  const found: string[] = [];
  const claim = (holds: boolean, path: string, message: string): void => {
    if (!holds) found.push(`${leaves.get(path)?.origin ?? "default"}: ${path} ${message}`);
  };
  const ticks = coordinator.sessionTimeoutMs / coordinator.tickTimeMs;
  claim(
    coordinator.connect !== undefined || (ticks >= 2 && ticks <= 20),
    "coordinator.sessionTimeoutMs",
    "must be 2 to 20 times coordinator.tickTimeMs",
  );
  claim(
    http.bodyMaxBytes <= http.inFlightMaxBytes,
    "http.bodyMaxBytes",
    "must be at most http.inFlightMaxBytes",
  );
  claim(
    ingest.recordMaxBytes <= ingest.inflatedMaxBytes,
    "ingest.recordMaxBytes",
    "must be at most ingest.inflatedMaxBytes",
  );
  claim(
    query.index !== "elasticsearch" || elasticsearch.nodes !== undefined,
    "query.index",
    "needs elasticsearch.nodes",
  );
  const { connect, ensemble } = coordinator;
  claim(
    ensemble === undefined || parseEnsemble(ensemble).some(({ id }) => id === node.id),
    "coordinator.ensemble",
    `must name this node, node.id ${node.id}`,
  );
  claim(
    ensemble === undefined || (connect ?? cluster.join) === undefined,
    "coordinator.ensemble",
    "cannot be together with coordinator.connect or cluster.join",
  );
  claim(
    connect === undefined || cluster.join === undefined,
    "cluster.join",
    "cannot be together with coordinator.connect",
  );
  claim(
    roles.includes("coordinator") || ensemble === undefined,
    "roles",
    "must hold coordinator where coordinator.ensemble is set",
  );
  claim(
    roles.some((role) => role !== "coordinator") || (connect ?? cluster.join) === undefined,
    "roles",
    "of coordinator alone leave nothing to do beside the one of coordinator.connect or cluster.join",
  );
  for (const { path, needs } of lackingTlsFiles(peer)) claim(false, path, `needs ${needs} as well`);
  const names = new Set(sources.map(({ name }) => name));
  claim(names.size === sources.length, "sources", "must each have a name of their own");
  return found;
}

/** The TLS files of peers that are set while another one is not. */
function lackingTlsFiles({
  tlsCaFile,
  tlsCertFile,
  tlsKeyFile,
}: Settings["peer"]): readonly { readonly path: string; readonly needs: string }[] {
  const files = Object.entries({ tlsCaFile, tlsCertFile, tlsKeyFile });
  const missing = files.filter(([, file]) => file === undefined);
  if (missing.length === 0) return [];
  const needs = missing.map(([name]) => `peer.${name}`).join(" and ");
  const given = files.filter(([, file]) => file !== undefined);
  return given.map(([name]) => ({ path: `peer.${name}`, needs }));
}

function refusal(problems: readonly string[]): ServiceError {
  const told = problems.slice(0, problemsMax);
  const more = problems.length > told.length ? [`and ${problems.length - told.length} more`] : [];
  const all = [...told, ...more];
  return new ServiceError("config.invalid", all.join("; "), { problems: all });
}

/** As they stand in the file; what has no line comes last and keeps its order. */
function byLine(a: string, b: string): number {
  const lineOf = (text: string): number => Number(/^[^ ]*:(\d+): /.exec(text)?.[1] ?? Infinity);
  const [first, second] = [lineOf(a), lineOf(b)];
  return first === second ? 0 : first - second;
}

/** Within a known section only its own names are meant; a path elsewhere may mean any. */
function hintOfPath(
  path: string,
  infos: ReadonlyMap<string, SettingInfo>,
  sections: ReadonlySet<string>,
): string {
  const known = [...infos.keys(), ...sections];
  const prefix = path.slice(0, path.lastIndexOf(".") + 1);
  if (!sections.has(prefix.slice(0, -1))) return hint(path, known);
  const names = known
    .filter((one) => one.startsWith(prefix))
    .map((one) => one.slice(prefix.length));
  const near = suggest(path.slice(prefix.length), names);
  return near === undefined ? "" : `; did you mean ${prefix}${near}?`;
}

/** The prefix that all share would make any two names near. */
function hintOfVariable(name: string, known: Iterable<string>): string {
  const rests = [...known].map((one) => one.slice(envPrefix.length));
  const near = suggest(name.slice(envPrefix.length), rests);
  return near === undefined ? "" : `; did you mean ${envPrefix}${near}?`;
}

function hint(name: string, known: Iterable<string>): string {
  const near = suggest(name, known);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
