import { readFileSync } from "node:fs";
import type { QuorumCertificates } from "../../coordinator/src/quorum/sockets.ts";
import { jaasUsers } from "../../coordinator/src/server/jaas.ts";
import { keyMaterialRead, trustRead } from "../../coordinator/src/server/key-stores.ts";
import type { SecureOptions } from "../../coordinator/src/server/secure-listener.ts";
import type { CoordinatorOptions } from "../../coordinator/src/server/start.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import { throttlingNames, throttlingOf } from "./zoo-throttling.ts";

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
  [
    "zookeeper.skipACL",
    (value, _name, options) => {
      // Nothing but this word does it, in Apache either.
      options.skipAcl = value === "yes";
    },
  ],
  [
    "zookeeper.4lw.commands.whitelist",
    (value, _name, options) => {
      options.words = value.split(",").map((word) => word.trim());
    },
  ],
  [
    "zookeeper.enforceQuota",
    (value, name, options) => {
      options.enforceQuota = flag(value, name);
    },
  ],
  [
    "zookeeper.digest.enabled",
    (value, name, options) => {
      options.digests = flag(value, name);
    },
  ],
  [
    "zookeeper.localSessionsEnabled",
    (value, name, options) => {
      options.localSessions = flag(value, name);
    },
  ],
  [
    "zookeeper.localSessionsUpgradingEnabled",
    (value, name, options) => {
      options.localSessionUpgrades = flag(value, name);
    },
  ],
  [
    "readonlymode.enabled",
    (value, name, options) => {
      options.readOnlyMode = flag(value, name);
    },
  ],
  ["jute.maxbuffer", number("frameBytes")],
  ["zookeeper.globalOutstandingLimit", number("outstandingMax")],
  ["zookeeper.autopurge.snapRetainCount", number("snapshotsKept")],
  ["zookeeper.commitLogCount", number("commitLogCount")],
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
  "zookeeper.X509AuthenticationProvider.superUser",
  "zookeeper.ssl.keyStore.location",
  "zookeeper.ssl.keyStore.password",
  "zookeeper.ssl.keyStore.passwordPath",
  "zookeeper.ssl.keyStore.type",
  "zookeeper.ssl.trustStore.location",
  "zookeeper.ssl.trustStore.password",
  "zookeeper.ssl.trustStore.passwordPath",
  "zookeeper.ssl.trustStore.type",
  "zookeeper.ssl.clientAuth",
  "zookeeper.sslQuorum",
  "zookeeper.ssl.quorum.keyStore.location",
  "zookeeper.ssl.quorum.keyStore.password",
  "zookeeper.ssl.quorum.keyStore.passwordPath",
  "zookeeper.ssl.quorum.keyStore.type",
  "zookeeper.ssl.quorum.trustStore.location",
  "zookeeper.ssl.quorum.trustStore.password",
  "zookeeper.ssl.quorum.trustStore.passwordPath",
  "zookeeper.ssl.quorum.trustStore.type",
  "zookeeper.ssl.quorum.clientAuth",
  "zookeeper.ssl.quorum.hostnameVerification",
  "zookeeper.admin.enableServer",
  "zookeeper.admin.serverAddress",
  "zookeeper.admin.serverPort",
  "zookeeper.admin.snapshot.enabled",
  "zookeeper.admin.restore.enabled",
  "zookeeper.admin.rateLimiterIntervalInMS",
  "metricsProvider.className",
  "metricsProvider.httpHost",
  "metricsProvider.httpPort",
  "metricsProvider.exportJvmInfo",
  "metricsProvider.numWorkerThreads",
  "metricsProvider.maxQueueSize",
  "metricsProvider.workerShutdownTimeoutMs",
  "zookeeper.serverCnxnFactory",
  "zookeeper.extendedTypesEnabled",
  "zookeeper.emulate353TTLNodes",
  "zookeeper.quorum.auth.enableSasl",
  ...throttlingNames,
]);

export function isPropertyKnown(name: string): boolean {
  if (/^zookeeper\.authProvider\b/.test(name)) return true;
  const bare = name.replace(/^zookeeper\./, "");
  return known.has(name) || known.has(bare) || others.has(name) || others.has(bare);
}

/** What the properties say of a coordinator. Throws `config.invalid` for a wrong value. */
export function optionsOfProperties(
  properties: ReadonlyMap<string, string>,
): Partial<CoordinatorOptions> {
  const options: Options = {};
  const saslName = "zookeeper.quorum.auth.enableSasl";
  if (flag(properties.get(saslName) ?? "false", saslName)) {
    const message =
      "quorum.auth.enableSasl is not supported: members prove themselves by sslQuorum";
    throw new ServiceError("config.invalid", message);
  }
  for (const [name, value] of properties) {
    const take = known.get(name) ?? known.get(name.replace(/^zookeeper\./, ""));
    take?.(value, name, options);
  }
  if (flag(properties.get("zookeeper.enforce.auth.enabled") ?? "false", "enforce.auth.enabled")) {
    const schemes = properties.get("zookeeper.enforce.auth.schemes") ?? "";
    options.schemesRequired = schemes.split(",").flatMap((scheme) => scheme.trim() || []);
    if (options.schemesRequired.length === 0) {
      const message = "zookeeper.enforce.auth.enabled needs zookeeper.enforce.auth.schemes";
      throw new ServiceError("config.invalid", message);
    }
  }
  return {
    ...options,
    ...saslUsersOf(properties),
    ...adminOf(properties),
    ...metricsOf(properties),
    ...throttlingOf(properties),
  };
}

/** Apache's listens everywhere by default; here it is off by default, and then on loopback. */
function adminOf(properties: ReadonlyMap<string, string>): Pick<CoordinatorOptions, "admin"> {
  const name = "zookeeper.admin.enableServer";
  if (!flag(properties.get(name) ?? "false", name)) return {};
  const port = properties.get("zookeeper.admin.serverPort") ?? "8080";
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new ServiceError("config.invalid", `admin.serverPort must be a port, not ${port}`);
  }
  const host = properties.get("zookeeper.admin.serverAddress") ?? "127.0.0.1";
  const property = (short: string): string | undefined =>
    properties.get(`zookeeper.admin.${short}`);
  const isOn = (short: string): boolean => flag(property(short) ?? "true", `admin.${short}`);
  const rate = property("rateLimiterIntervalInMS") ?? "300000";
  if (!/^\d{1,10}$/.test(rate)) {
    const message = `admin.rateLimiterIntervalInMS must be a whole number, not ${rate}`;
    throw new ServiceError("config.invalid", message);
  }
  const snapshotEnabled = isOn("snapshot.enabled");
  const restoreEnabled = isOn("restore.enabled");
  const rateMs = Number(rate);
  return { admin: { host, port: Number(port), snapshotEnabled, restoreEnabled, rateMs } };
}

/** Apache's listens everywhere by default, here on loopback. */
function metricsOf(properties: ReadonlyMap<string, string>): Pick<CoordinatorOptions, "metrics"> {
  const property = (name: string): string | undefined =>
    properties.get(`zookeeper.metricsProvider.${name}`);
  const className = property("className") ?? "";
  // These show nothing over HTTP.
  if (/^(.*\.)?(Default|Null)MetricsProvider$|^$/.test(className)) return {};
  if (className !== "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider") {
    const message = `metricsProvider.className is not known here: ${className}`;
    throw new ServiceError("config.invalid", message);
  }
  const port = property("httpPort") ?? "7000";
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    const message = `metricsProvider.httpPort must be a port, not ${port}`;
    throw new ServiceError("config.invalid", message);
  }
  const host = property("httpHost") ?? "127.0.0.1";
  const ofProcess = flag(property("exportJvmInfo") ?? "true", "metricsProvider.exportJvmInfo");
  return { metrics: { host, port: Number(port), ofProcess } };
}

function saslUsersOf(
  properties: ReadonlyMap<string, string>,
): Pick<CoordinatorOptions, "saslUsers"> {
  // There is no JVM to be told by -D: the file may name it, too.
  const name = "java.security.auth.login.config";
  const file = properties.get(name) ?? properties.get(`zookeeper.${name}`);
  if (file === undefined || file === "") return {};
  const section = properties.get("zookeeper.sasl.serverconfig") ?? "Server";
  const users = new Map(jaasUsers(textOf(file), section));
  const superPassword = properties.get("zookeeper.SASLAuthenticationProvider.superPassword");
  // As in Apache the property is instead of the file's password, not instead of the user.
  if (superPassword !== undefined && users.has("super")) users.set("super", superPassword);
  return { saslUsers: users };
}

/** The secure port with its key store and whom it trusts. Throws `config.invalid` when they are not there. */
export function secureOf(
  at: { readonly host: string | undefined; readonly port: number } | undefined,
  properties: ReadonlyMap<string, string>,
): SecureOptions | undefined {
  if (at === undefined) return undefined;
  const superSubject = properties.get("zookeeper.X509AuthenticationProvider.superUser");
  return { ...at, ...storesOf("ssl", "secureClientPort", properties), superSubject };
}

/** TLS between members, when `sslQuorum` says so. Throws `config.invalid` when the stores are not there. */
export function quorumTlsOf(
  properties: ReadonlyMap<string, string>,
): QuorumCertificates | undefined {
  if (!flag(properties.get("zookeeper.sslQuorum") ?? "false", "sslQuorum")) return undefined;
  const name = "zookeeper.ssl.quorum.hostnameVerification";
  const hostnameVerification = flag(properties.get(name) ?? "true", name);
  return { ...storesOf("ssl.quorum", "sslQuorum", properties), hostnameVerification };
}

function storesOf(
  prefix: "ssl" | "ssl.quorum",
  wantedBy: string,
  properties: ReadonlyMap<string, string>,
): Pick<SecureOptions, "material" | "trust"> & { readonly clientAuth: "need" | "want" | "none" } {
  const property = (name: string): string | undefined =>
    properties.get(`zookeeper.${prefix}.${name}`);
  const password = (store: string): string => {
    const file = property(`${store}.passwordPath`);
    return file === undefined ? (property(`${store}.password`) ?? "") : textOf(file).trim();
  };
  const keyStore = property("keyStore.location");
  if (keyStore === undefined) {
    throw new ServiceError("config.invalid", `${wantedBy} needs ${prefix}.keyStore.location`);
  }
  const trustStore = property("trustStore.location");
  const clientAuth = property("clientAuth")?.toLowerCase() ?? "need";
  if (clientAuth !== "need" && clientAuth !== "want" && clientAuth !== "none") {
    const message = `${prefix}.clientAuth must be need, want or none, not ${clientAuth}`;
    throw new ServiceError("config.invalid", message);
  }
  return {
    material: keyMaterialRead(keyStore, bytesOf(keyStore), password("keyStore")),
    trust: trustStore && trustRead(trustStore, bytesOf(trustStore), password("trustStore")),
    clientAuth,
  };
}

function textOf(file: string): string {
  return bytesOf(file).toString("utf8");
}

function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (thrown) {
    throw new ServiceError("config.invalid", `${file} cannot be read: ${messageOf(thrown)}`);
  }
}

function number(
  key:
    | "containerCheckMs"
    | "containersPerMinute"
    | "containerUnusedMs"
    | "frameBytes"
    | "outstandingMax"
    | "snapshotsKept"
    | "commitLogCount",
): Take {
  return (value, name, options) => {
    // Java reads 0x, too, and jute.maxbuffer is mostly written so.
    if (!/^(\d{1,10}|0x[\da-f]{1,8})$/i.test(value)) {
      throw new ServiceError("config.invalid", `${name} must be a whole number, not ${value}`);
    }
    options[key] = Number(value);
  };
}

function flag(value: string, name: string): boolean {
  // As Java reads it.
  if (/^(true|false)$/i.test(value)) return value.toLowerCase() === "true";
  throw new ServiceError("config.invalid", `${name} must be true or false, not ${value}`);
}
