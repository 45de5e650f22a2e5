import path from "node:path";
import type { CoordinatorOptions } from "../../coordinator/src/server/start.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { isPropertyKnown } from "./zoo-properties.ts";

/** What an Apache `zoo.cfg` says, as far as one coordinator alone needs it. */
export interface ZooCfg {
  readonly host: string;
  readonly options: Omit<CoordinatorOptions, "logger" | "fatal" | "clock">;
  /** Every key that the table of zoo.cfg does not name, as Apache takes it: the property `zookeeper.<key>`. */
  readonly properties: ReadonlyMap<string, string>;
  /** Keys that are not known here, each with its line. */
  readonly warnings: readonly string[];
  /** Where TLS is spoken, if it is. */
  readonly secure: { readonly host: string | undefined; readonly port: number } | undefined;
}

/** Apache's keys that change nothing for a coordinator that is alone. */
const withoutEffect = new Set([
  "initLimit",
  "syncLimit",
  "autopurge.purgeInterval",
  "standaloneEnabled",
  "reconfigEnabled",
  "preAllocSize",
  "quorumListenOnAllIPs",
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

/** Reads a `zoo.cfg`. Throws `config.invalid` with file and line for a value that is wrong. */
export function parseZooCfg(file: string, text: string): ZooCfg {
  const options: { -readonly [Key in Numbers]?: number } = {};
  const warnings: string[] = [];
  const properties = new Map<string, string>();
  let dataDir: string | undefined;
  let logDir: string | undefined;
  // Apache listens everywhere; here every listener is loopback unless it is set otherwise.
  let host = "127.0.0.1";
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
    else if (/^server\.\d+$/.test(key)) {
      throw refusal(
        `${file}:${line}: an ensemble of several servers is not supported by this version`,
      );
    } else if (!withoutEffect.has(key)) {
      properties.set(`zookeeper.${key}`, value);
      if (!isPropertyKnown(`zookeeper.${key}`))
        warnings.push(`${file}:${line}: ${key} is not known and is ignored`);
    }
  }
  if (dataDir === undefined) throw refusal(`${file}: dataDir is missing`);
  // To look past a log that lies elsewhere would be to forget what it holds.
  if (logDir !== undefined && path.resolve(logDir) !== path.resolve(dataDir)) {
    throw refusal(`${file}: dataLogDir must be dataDir in this version`);
  }
  // Apache then has no plain port; here there is always one, and nobody shall find it open by surprise.
  if (securePort !== undefined && options.port === undefined) {
    throw refusal(`${file}: secureClientPort needs a clientPort, too; it listens on 127.0.0.1`);
  }
  const secure = securePort === undefined ? undefined : { host: secureHost, port: securePort };
  // In Apache's file -1 stands for the default.
  for (const key of ["minSessionTimeoutMs", "maxSessionTimeoutMs"] as const) {
    if (options[key] === -1) delete options[key];
  }
  return { host, options: { ...options, dataDir, host }, properties, warnings, secure };
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
