import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import {
  type Member,
  type Membership,
  memberParse,
  membershipCheck,
  membershipParse,
  versionParse,
} from "../../coordinator/src/quorum/members.ts";
import type { CoordinatorOptions } from "../../coordinator/src/server/start.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { isPropertyKnown } from "./zoo-properties.ts";

/** Who is in the ensemble that a `zoo.cfg` describes. Times in ticks. */
export interface ZooEnsemble {
  readonly members: readonly Member[];
  readonly groups: ReadonlyMap<number, readonly number[]>;
  readonly weights: ReadonlyMap<number, number>;
  /** Of the change that brought it: what `dynamicConfigFile` ends in; 0 for a file that nothing has changed. */
  readonly version: number;
  /** A change that was seen and may not be in force: `zoo.cfg.dynamic.next`, as Apache's leave it. */
  readonly next: Membership | undefined;
  readonly initLimit: number;
  readonly syncLimit: number;
  readonly listenOnAllIPs: boolean;
  readonly reconfigEnabled: boolean;
  readonly standaloneEnabled: boolean;
}

/** What an Apache `zoo.cfg` says. */
export interface ZooCfg {
  /** `clientPortAddress`. */
  readonly host: string | undefined;
  readonly options: Omit<CoordinatorOptions, "host" | "logger" | "fatal" | "clock">;
  /** Every key that the table of zoo.cfg does not name, as Apache takes it: the property `zookeeper.<key>`. */
  readonly properties: ReadonlyMap<string, string>;
  /** Keys that are not known here, each with its line. */
  readonly warnings: readonly string[];
  /** Undefined for a server that is alone. */
  readonly ensemble: ZooEnsemble | undefined;
  /** Where TLS is spoken, if it is. */
  readonly secure: { readonly host: string | undefined; readonly port: number } | undefined;
}

/** Apache's keys that change nothing here. */
const withoutEffect = new Set([
  "autopurge.purgeInterval",
  "preAllocSize",
  "electionAlg",
  "forceSync",
]);

type Numbers =
  | "port"
  | "tickTimeMs"
  | "minSessionTimeoutMs"
  | "maxSessionTimeoutMs"
  | "snapCount"
  | "connectionsPerAddress";

const numbers: ReadonlyMap<string, Numbers> = new Map([
  ["clientPort", "port"],
  ["tickTime", "tickTimeMs"],
  ["minSessionTimeout", "minSessionTimeoutMs"],
  ["maxSessionTimeout", "maxSessionTimeoutMs"],
  ["snapCount", "snapCount"],
  ["maxClientCnxns", "connectionsPerAddress"],
]);

/** Reads a `zoo.cfg`, and the file that it has its members in. Throws `config.invalid` with file and line for a value that is wrong. */
export function parseZooCfg(file: string, text: string): ZooCfg {
  const options: { -readonly [Key in Numbers]?: number } = {};
  const warnings: string[] = [];
  const properties = new Map<string, string>();
  const ensemble = new Map<string, Given>();
  let dataDir: string | undefined;
  let logDir: string | undefined;
  let dynamicFile: string | undefined;
  let host: string | undefined;
  let securePort: number | undefined;
  let secureHost: string | undefined;
  for (const { key, value, line } of pairsOf(file, text)) {
    const number = numbers.get(key);
    if (number !== undefined) options[number] = whole(value, `${file}:${line}: ${key}`);
    else if (key === "dataDir") dataDir = value;
    else if (key === "dataLogDir") logDir = value;
    else if (key === "clientPortAddress") host = value;
    else if (key === "secureClientPortAddress") secureHost = value;
    else if (key === "secureClientPort") securePort = whole(value, `${file}:${line}: ${key}`);
    else if (key === "dynamicConfigFile") dynamicFile = value;
    else if (isEnsembleKey(key)) ensembleAdd(ensemble, key, value, `${file}:${line}: ${key}`);
    else if (!withoutEffect.has(key)) {
      properties.set(`zookeeper.${key}`, value);
      if (!isPropertyKnown(`zookeeper.${key}`))
        warnings.push(`${file}:${line}: ${key} is not known and is ignored`);
    }
  }
  if (dataDir === undefined) throw refusal(`${file}: dataDir is missing`);
  if (dynamicFile !== undefined) dynamicRead(dynamicFile, ensemble);
  const isElsewhere = logDir !== undefined && path.resolve(logDir) !== path.resolve(dataDir);
  // Apache then has no plain port; here there is always one, and nobody shall find it open by surprise.
  if (securePort !== undefined && options.port === undefined) {
    throw refusal(`${file}: secureClientPort needs a clientPort, too; it listens on 127.0.0.1`);
  }
  const secure = securePort === undefined ? undefined : { host: secureHost, port: securePort };
  // In Apache's file -1 stands for the default.
  for (const key of ["minSessionTimeoutMs", "maxSessionTimeoutMs"] as const) {
    if (options[key] === -1) delete options[key];
  }
  return {
    host,
    options: { ...options, dataDir, ...(isElsewhere ? { dataLogDir: logDir } : {}) },
    ensemble: ensembleOf(ensemble, dynamicFile === undefined ? undefined : nextRead(file)),
    properties,
    warnings,
    secure,
  };
}

interface Given {
  readonly value: string;
  readonly place: string;
}

function isEnsembleKey(key: string): boolean {
  return isMemberKey(key) || ensembleKeys.has(key);
}

/** What may stand in a file of its own (`dynamicConfigFile`). */
function isMemberKey(key: string): boolean {
  return /^(server|group|weight)\./.test(key);
}

/** A member that is lost by a slip of the pen would make another ensemble, or a server that is alone. */
function ensembleAdd(
  ensemble: Map<string, Given>,
  key: string,
  value: string,
  place: string,
): void {
  if (isMemberKey(key)) {
    if (!/\.\d{1,10}$/.test(key)) throw refusal(`${place}: after the dot must stand a number`);
    const other = ensemble.get(key);
    if (other !== undefined) throw refusal(`${place} stands at ${other.place}, too`);
  }
  ensemble.set(key, { value, place });
}

/** The file in which Apache keeps who is a member once that may change: its name ends in the version, as hexadecimal digits. */
function dynamicRead(file: string, ensemble: Map<string, Given>): void {
  const own = [...ensemble].find(([key]) => isMemberKey(key));
  if (own !== undefined) {
    throw refusal(`${own[1].place} must stand in ${file}, where dynamicConfigFile has the members`);
  }
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (thrown) {
    throw refusal(`dynamicConfigFile ${file} cannot be read: ${messageOf(thrown)}`);
  }
  const suffix = path.basename(file).match(/\.([\da-f]{1,16})$/i)?.[1];
  if (suffix !== undefined) ensemble.set("version", { value: suffix, place: file });
  for (const { key, value, line } of pairsOf(file, text)) {
    const place = `${file}:${line}: ${key}`;
    if (key === "version") ensemble.set(key, { value, place });
    else if (isMemberKey(key)) ensembleAdd(ensemble, key, value, place);
    else throw refusal(`${place} says no member`);
  }
}

/** The change that a server of Apache's had seen when it ended; it says its version itself. */
function nextRead(file: string): Membership | undefined {
  const next = `${file}.dynamic.next`;
  if (!existsSync(next)) return undefined;
  try {
    return membershipParse(readFileSync(next, "utf8"));
  } catch (thrown) {
    if (thrown instanceof ServiceError) throw refusal(`${next}: ${thrown.message}`);
    throw refusal(`${next} cannot be read: ${messageOf(thrown)}`);
  }
}

const ensembleKeys: ReadonlySet<string> = new Set([
  "initLimit",
  "syncLimit",
  "quorumListenOnAllIPs",
  "reconfigEnabled",
  "standaloneEnabled",
  "peerType",
]);

/** One `server.N` line alone is a server alone, unless `standaloneEnabled=false`: it may grow. */
function ensembleOf(
  given: ReadonlyMap<string, Given>,
  next: Membership | undefined,
): ZooEnsemble | undefined {
  const members: Member[] = [];
  const groups = new Map<number, readonly number[]>();
  const weights = new Map<number, number>();
  for (const [key, { value, place }] of given) {
    const [kind, number] = key.split(".");
    const id = Number(number);
    if (kind === "server") members.push(memberParse(memberId(id, place), value));
    if (kind === "group") {
      groups.set(
        id,
        value.split(":").map((each) => whole(each, place)),
      );
    }
    if (kind === "weight") weights.set(id, whole(value, place));
  }
  const flagOf = (key: string, otherwise: string): boolean => {
    const { value, place } = given.get(key) ?? { value: otherwise, place: key };
    if (/^(true|false)$/i.test(value)) return value.toLowerCase() === "true";
    throw refusal(`${place} must be true or false, not ${value}`);
  };
  const isAlone = members.length < 2 && flagOf("standaloneEnabled", "true");
  if (members.length === 0 || isAlone) return undefined;
  const limitOf = (key: string, otherwise: string): number => {
    const { value, place } = given.get(key) ?? { value: otherwise, place: key };
    const limit = whole(value, place);
    if (limit < 1) throw refusal(`${place} must be at least 1`);
    return limit;
  };
  const version = versionParse(given.get("version")?.value ?? "0");
  membershipCheck({ members, groups, weights, version });
  return {
    members,
    groups,
    weights,
    version,
    next,
    initLimit: limitOf("initLimit", "10"),
    syncLimit: limitOf("syncLimit", "5"),
    listenOnAllIPs: flagOf("quorumListenOnAllIPs", "false"),
    reconfigEnabled: flagOf("reconfigEnabled", "false"),
    standaloneEnabled: flagOf("standaloneEnabled", "true"),
  };
}

function memberId(id: number, place: string): number {
  if (id >= 1 && id <= 255) return id;
  throw refusal(`${place}: a server's number is from 1 to 255`);
}

/** `key=value` lines, as a JVM gets them by `-D`. */
export function parseProperties(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) found.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return found;
}

interface Pair {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

function pairsOf(file: string, text: string): Pair[] {
  const pairs: Pair[] = [];
  for (const [at, raw] of text.split(/\r?\n/).entries()) {
    const content = raw.trim();
    if (content === "" || content.startsWith("#") || content.startsWith("!")) continue;
    const equals = content.indexOf("=");
    if (equals < 1) throw refusal(`${file}:${at + 1}: expected key=value, not ${content}`);
    const key = content.slice(0, equals).trim();
    pairs.push({ key, value: content.slice(equals + 1).trim(), line: at + 1 });
  }
  return pairs;
}

function whole(value: string, place: string): number {
  if (/^-?\d{1,10}$/.test(value)) return Number(value);
  throw refusal(`${place} must be a whole number, not ${value}`);
}

function refusal(message: string): ServiceError {
  return new ServiceError("config.invalid", message);
}
