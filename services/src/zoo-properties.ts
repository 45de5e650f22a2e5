import { readFileSync } from "node:fs";
import { jaasUsers } from "../../coordinator/src/server/jaas.ts";
import type { CoordinatorOptions } from "../../coordinator/src/server/start.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";

type Options = { -readonly [Key in keyof CoordinatorOptions]?: CoordinatorOptions[Key] };
type Take = (value: string, name: string, options: Options) => void;

/** ZooKeeper's system properties that a coordinator heeds. Each stands in zoo.cfg without `zookeeper.`, too. */
const known: ReadonlyMap<string, Take> = new Map<string, Take>([
  [
    "zookeeper.DigestAuthenticationProvider.superDigest",
    (value, _name, options) => {
      options.superDigest = value;
    },
  ],
  [
    "zookeeper.superUser",
    (value, _name, options) => {
      options.saslSuperUser = value;
    },
  ],
  [
    "zookeeper.allowSaslFailedClients",
    (value, name, options) => {
      options.allowSaslFailure = flag(value, name);
    },
  ],
  [
    "zookeeper.sessionRequireClientSASLAuth",
    (value, name, options) => {
      if (flag(value, name)) options.schemesRequired = ["sasl"];
    },
  ],
  ["znode.container.checkIntervalMs", number("containerCheckMs")],
  ["znode.container.maxPerMinute", number("containersPerMinute")],
  ["znode.container.maxNeverUsedIntervalMs", number("containerUnusedMs")],
]);

/** Properties that are heeded together with others, or change nothing here. */
const others: ReadonlySet<string> = new Set([
  "java.security.auth.login.config",
  "zookeeper.sasl.serverconfig",
  "zookeeper.SASLAuthenticationProvider.superPassword",
  "zookeeper.enforce.auth.enabled",
  "zookeeper.enforce.auth.schemes",
  "zookeeper.serverCnxnFactory",
  "zookeeper.extendedTypesEnabled",
  "zookeeper.emulate353TTLNodes",
]);

export function isPropertyKnown(name: string): boolean {
  if (/^zookeeper\.authProvider\b/.test(name)) return true;
  return known.has(name) || known.has(name.replace(/^zookeeper\./, "")) || others.has(name);
}

/** What the properties say of a coordinator. Throws `config.invalid` for a wrong value. */
export function optionsOfProperties(
  properties: ReadonlyMap<string, string>,
): Partial<CoordinatorOptions> {
  const options: Options = {};
  for (const [name, value] of properties) {
    const take = known.get(name) ?? known.get(name.replace(/^zookeeper\./, ""));
    take?.(value, name, options);
  }
  if (properties.get("zookeeper.enforce.auth.enabled") === "true") {
    const schemes = properties.get("zookeeper.enforce.auth.schemes") ?? "";
    options.schemesRequired = schemes.split(",").flatMap((scheme) => scheme.trim() || []);
    if (options.schemesRequired.length === 0) {
      const message = "zookeeper.enforce.auth.enabled needs zookeeper.enforce.auth.schemes";
      throw new ServiceError("config.invalid", message);
    }
  }
  return { ...options, ...saslUsersOf(properties) };
}

function saslUsersOf(
  properties: ReadonlyMap<string, string>,
): Pick<CoordinatorOptions, "saslUsers"> {
  const file = properties.get("java.security.auth.login.config");
  if (file === undefined || file === "") return {};
  const section = properties.get("zookeeper.sasl.serverconfig") ?? "Server";
  const users = new Map(jaasUsers(textOf(file), section));
  const superPassword = properties.get("zookeeper.SASLAuthenticationProvider.superPassword");
  // As in Apache the property is instead of the file's password, not instead of the user.
  if (superPassword !== undefined && users.has("super")) users.set("super", superPassword);
  return { saslUsers: users };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (thrown) {
    throw new ServiceError("config.invalid", `${file} cannot be read: ${messageOf(thrown)}`);
  }
}

function number(key: "containerCheckMs" | "containersPerMinute" | "containerUnusedMs"): Take {
  return (value, name, options) => {
    if (!/^\d{1,10}$/.test(value)) {
      throw new ServiceError("config.invalid", `${name} must be a whole number, not ${value}`);
    }
    options[key] = Number(value);
  };
}

function flag(value: string, name: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw new ServiceError("config.invalid", `${name} must be true or false, not ${value}`);
}
