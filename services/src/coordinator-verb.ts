import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { CliExit, type CliIo, print } from "../../cli/src/io.ts";
import { isLoopback } from "../../config/src/address.ts";
import type { QuorumCertificates } from "../../coordinator/src/quorum/sockets.ts";
import { type CoordinatorOptions, startCoordinator } from "../../coordinator/src/server/start.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { lockDirectory } from "../../storage/src/shard/lock-file.ts";
import { createLogger } from "./logger.ts";
import { parseProperties, parseZooCfg, type ZooCfg } from "./zoo-cfg.ts";
import { optionsOfProperties, quorumTlsOf, secureOf } from "./zoo-properties.ts";

/** Adds `coordinator`: only a coordinator, from an Apache-style `zoo.cfg`. */
export function registerCoordinator(program: Command, io: CliIo): void {
  program
    .command("coordinator")
    .description("run only a coordinator, from an Apache-style zoo.cfg")
    .requiredOption(
      "--config <zoo.cfg>",
      "the configuration, as ZooKeeper reads it; a member's number is in dataDir/myid",
    )
    .option("--insecure-listen", "listen beyond loopback where nobody has to prove who they are")
    .addHelpText(
      "after",
      "\nZK_SYSPROPS has key=value lines of what a JVM is given by -D.\n\nExample:\n  logkeep coordinator --config /etc/zookeeper/zoo.cfg",
    )
    .action(async (options: { config: string; insecureListen?: boolean }) => {
      const cfg = readZooCfg(options.config);
      await runCoordinator(io, cfg, options.insecureListen === true);
    });
}

function readZooCfg(file: string): ZooCfg {
  try {
    return parseZooCfg(file, readFileSync(file, "utf8"));
  } catch (thrown) {
    if (thrown instanceof ServiceError) throw thrown;
    throw new ServiceError("config.invalid", `${file} cannot be read: ${messageOf(thrown)}`);
  }
}

async function runCoordinator(io: CliIo, cfg: ZooCfg, isInsecure: boolean): Promise<void> {
  const logger = await createLogger({ level: "info", pretty: io.isErrTTY === true });
  for (const warning of cfg.warnings) logger.warn({}, warning);
  mkdirSync(cfg.options.dataDir, { recursive: true, mode: 0o750 });
  // Two servers that write one log would each believe the other's txns to be damage.
  const release = lockDirectory(cfg.options.dataDir);
  try {
    await serve(io, cfg, logger, isInsecure);
  } finally {
    release();
  }
}

async function serve(io: CliIo, cfg: ZooCfg, logger: Logger, isInsecure: boolean): Promise<void> {
  // What a JVM is given by -D is over what stands in the file.
  const given = parseProperties(io.env["ZK_SYSPROPS"] ?? "");
  const properties = new Map([...cfg.properties, ...given]);
  const secure = secureOf(cfg.secure, properties);
  const member = memberOptions(cfg, quorumTlsOf(properties), isInsecure);
  const host = hostOf(cfg, member, isInsecure);
  // TLS alone says nothing of who asks: beyond loopback each client has a certificate.
  const isAnyone = secure !== undefined && secure.clientAuth !== "need";
  if (isAnyone && !isLoopback(secure.host ?? host) && !isInsecure) {
    const message = `the secure port is beyond loopback: set ssl.clientAuth=need, or give --insecure-listen`;
    throw new CliExit(1, message);
  }
  const options = optionsOfProperties(properties);
  if (options.admin !== undefined && !isLoopback(options.admin.host) && !isInsecure) {
    const message = `the admin server is beyond loopback: set admin.serverAddress=127.0.0.1, or give --insecure-listen`;
    throw new CliExit(1, message);
  }
  if (options.metrics !== undefined && !isLoopback(options.metrics.host) && !isInsecure) {
    const message = `metrics are beyond loopback: set metricsProvider.httpHost=127.0.0.1, or give --insecure-listen`;
    throw new CliExit(1, message);
  }
  const failure = Promise.withResolvers<Error | undefined>();
  const coordinator = await startCoordinator({
    ...cfg.options,
    ...member,
    host,
    // Apache's default; who wants hard quotas says so.
    enforceQuota: false,
    ...options,
    properties,
    secure,
    logger,
    fatal: (error) => failure.resolve(error),
  });
  const { address } = coordinator;
  const { secureAddress, adminAddress, metricsAddress } = coordinator;
  const secureText = secureAddress && ` secure=${secureAddress.host}:${secureAddress.port}`;
  const adminText = adminAddress && ` admin=http://${adminAddress.host}:${adminAddress.port}`;
  const metricsText =
    metricsAddress && ` metrics=http://${metricsAddress.host}:${metricsAddress.port}`;
  const others = [secureText, adminText, metricsText].join("");
  await print(
    io.stdout,
    `logkeep coordinator ready client=${address.host}:${address.port}${others}\n`,
  );
  io.signal.addEventListener("abort", () => failure.resolve(undefined), { once: true });
  if (io.signal.aborted) failure.resolve(undefined);
  const error = await failure.promise;
  await coordinator.close();
  if (error !== undefined) throw new CliExit(1, error.message);
}

/** Which server this is: by `myid`, as Apache's; alone it may go without. */
function memberOptions(
  cfg: ZooCfg,
  tls: QuorumCertificates | undefined,
  isInsecure: boolean,
): Pick<CoordinatorOptions, "serverId" | "ensemble" | "port"> {
  const id = myId(cfg.options.dataDir);
  const { ensemble } = cfg;
  if (ensemble === undefined) {
    if (cfg.options.port === undefined) {
      throw new ServiceError("config.invalid", "clientPort is missing");
    }
    return id === undefined ? {} : { serverId: id };
  }
  const file = path.join(cfg.options.dataDir, "myid");
  if (id === undefined) {
    const message = `${file} is missing: it holds the number N of this server's line server.N`;
    throw new ServiceError("config.invalid", message);
  }
  const self = ensemble.members.find((member) => member.id === id);
  if (self === undefined) {
    throw new ServiceError("config.invalid", `${file} holds ${id}: there is no server.${id}`);
  }
  const hosts = self.addresses.map(({ host }) => host);
  const isOpen = ensemble.listenOnAllIPs || hosts.some((host) => !isLoopback(host));
  const isProved = tls !== undefined && (tls.clientAuth ?? "need") === "need";
  if (isOpen && !isProved && !isInsecure) {
    const message = `server.${id} is beyond loopback, and members do not prove who they are: set sslQuorum=true with ssl.quorum.clientAuth=need, or give --insecure-listen where only members reach these ports`;
    throw new CliExit(1, message);
  }
  const { members, groups, weights, version, next, ...limits } = ensemble;
  const membership = { members, groups, weights, version };
  const options = { membership, membershipNext: next, ...limits, tls };
  const port = cfg.options.port ?? self.client?.port;
  if (port === undefined) throw new ServiceError("config.invalid", "clientPort is missing");
  return { serverId: id, ensemble: options, port };
}

/** Apache listens everywhere; here every listener is loopback unless it is set otherwise, by either way to say it. */
function hostOf(
  cfg: ZooCfg,
  { serverId, ensemble }: Pick<CoordinatorOptions, "serverId" | "ensemble">,
  isInsecure: boolean,
): string {
  const self = ensemble?.membership.members.find(({ id }) => id === serverId);
  const host = cfg.host ?? self?.client?.host ?? "127.0.0.1";
  if (isLoopback(host) || isInsecure) return host;
  const message = `the client port at ${host} is beyond loopback: set clientPortAddress=127.0.0.1, or give --insecure-listen`;
  throw new CliExit(1, message);
}

function myId(dataDir: string): number | undefined {
  const file = path.join(dataDir, "myid");
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8").trim();
  const id = Number(text);
  if (Number.isInteger(id) && id >= 1 && id <= 255) return id;
  const message = `${file} must hold a whole number from 1 to 255`;
  throw new ServiceError("config.invalid", message, { text });
}
