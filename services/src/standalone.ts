import { randomUUID } from "node:crypto";
import path from "node:path";
import type { Cluster } from "../../cluster/src/cluster.ts";
import { isLoopback, parseAddress } from "../../config/src/address.ts";
import type { Settings } from "../../config/src/schema.ts";
import type { CoordinatorStats } from "../../coordinator/src/server/start.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { Lifecycle } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { openDataDirectory } from "../../storage/src/shard/data-directory.ts";
import { AlertsService } from "./alerts/alerts-service.ts";
import { readAdminKeyFile } from "./auth/admin-key-file.ts";
import { KeyStore, type KeyStoreOptions } from "./auth/key-store.ts";
import { BackupService } from "./backup/backup-service.ts";
import { joinCluster } from "./cluster-part.ts";
import { DeleteService } from "./deletes/delete-service.ts";
import { DeleteLedger } from "./deletes/ledger.ts";
import { tenantDefault } from "./http/identity.ts";
import { type Served, type ServeOptions, serveHttp } from "./http/serve.ts";
import { InboxIntake } from "./inbox-intake.ts";
import type { TeeLogger } from "./logger.ts";
import { startMirror } from "./mirror/start.ts";
import { startOwnLogs } from "./own-logs.ts";
import { openQueryIndex } from "./query-index.ts";
import { Sources } from "./sources/sources.ts";
import { openStorePart } from "./store-part.ts";
import { TailService } from "./tail-service.ts";
import { startCoordinatorThread } from "./threads/coordinator-host.ts";

export interface StandaloneOptions {
  readonly settings: Settings;
  readonly logger: TeeLogger;
  readonly version: string;
}

/** The whole service in this process. */
export interface Standalone {
  /** As in `http://127.0.0.1:7070`. */
  readonly http: string;
  /** `host:port` of the coordinator. */
  readonly coordinator: string;
  /** Resolves with what ended the service without having been asked to. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

/** Starts everything, and resolves when it serves. What was started is closed again when a part fails. */
export async function startStandalone(options: StandaloneOptions): Promise<Standalone> {
  const lifecycle = new Lifecycle();
  const failure = Promise.withResolvers<Error>();
  try {
    return await start(options, lifecycle, failure);
  } catch (thrown) {
    await lifecycle.close().catch((error: unknown) => {
      options.logger.warn({ err: error }, "what had been started did not close");
    });
    throw thrown;
  }
}

async function start(
  { settings, logger, version }: StandaloneOptions,
  lifecycle: Lifecycle,
  failure: PromiseWithResolvers<Error>,
): Promise<Standalone> {
  checkRoles(settings);
  const data = await openDataDirectory(path.resolve(settings.data.dir));
  lifecycle.add("data directory", () => data.release());
  const coordinator = await startOwnCoordinator(settings, data.path, logger, lifecycle, failure);
  const identity = {
    nodeId: settings.node.id,
    diskId: data.diskId,
    incarnation: randomUUID(),
  };
  const { cluster, ownAcl } = await joinCluster({
    connect: settings.coordinator.connect?.join(",") ?? coordinator.address,
    dataDir: data.path,
    settings,
    identity,
    isClosed: isExposed(settings),
    logger,
    signal: abortedBy(failure.promise),
  });
  lifecycle.add("cluster", () => cluster.close());
  const keys = await openKeys(settings.auth, { client: cluster.client, acl: ownAcl, logger });
  checkExposure(settings, keys.size, logger, lifecycle);
  const stored = await openStorePart({
    settings,
    data,
    cluster,
    identity,
    clock: systemClock,
    logger,
  });
  lifecycle.add("storage", () => stored.close());
  const mirror = await startMirror({
    settings,
    cluster,
    acl: ownAcl,
    stored,
    clock: systemClock,
    logger,
  });
  if (mirror !== undefined) lifecycle.add("mirror", () => mirror.close());
  const base = { settings, cluster, stored, mirror, keys, coordinator, identity, version, logger };
  const served = await serveStore(base, ownAcl, lifecycle);
  await announce(cluster, served, settings, version);
  const ownLogs = startOwnLogs(logger, stored.ingest, settings);
  lifecycle.add("own logs", () => ownLogs.close());
  return {
    http: served.url,
    coordinator: coordinator.address,
    failed: failure.promise,
    close: () => lifecycle.close(),
  };
}

/** Starts what stands on the store: queries, tails, inboxes, HTTP, and alerts behind it, whose links name it. */
async function serveStore(
  base: Omit<ServeOptions, "index" | "tails" | "deletes" | "backups" | "alerts" | "sources">,
  ownAcl: readonly Acl[],
  lifecycle: Lifecycle,
): Promise<Served> {
  const { settings, cluster, stored, version, logger } = base;
  const { store, arena, pool, retention } = stored;
  const index = await openQueryIndex(settings, stored);
  lifecycle.add("query index", () => index.close());
  const deletes = new DeleteService({
    ...{ stored, settings, logger, clock: systemClock },
    ledger: new DeleteLedger(cluster.client, ownAcl),
  });
  lifecycle.add("deletes", () => deletes.close());
  const backups = new BackupService({
    ...{ store, cluster, version, logger, clock: systemClock },
    nodeId: base.identity.nodeId,
    isClosed: isExposed(settings),
  });
  lifecycle.add("backups", () => backups.close());
  const tails = new TailService({
    ...{ store, arena, pool, logger },
    bufferBytes: settings.tail.bufferMaxBytes,
    tailsMax: settings.tail.connectionsMax,
  });
  lifecycle.add("tails", () => tails.close());
  const intake = new InboxIntake({ store, arena, pool, retention, clock: systemClock });
  const inboxes = await cluster.drainInboxes(intake, [tenantDefault]);
  // Before the store closes, which a drainer would meet as a failure.
  lifecycle.add("inboxes", () => inboxes.close());
  const sources = await Sources.open({
    ...{ store, arena, pool, retention, cluster, acl: ownAcl, logger },
    sources: settings.sources,
  });
  lifecycle.add("sources", () => sources.close());
  const alerts = await AlertsService.open({ settings, cluster, stored, tails, version, logger });
  lifecycle.add("alerts", () => alerts.close());
  const served = await serveHttp({ ...base, index, tails, deletes, backups, alerts, sources });
  lifecycle.add("http", () => served.close());
  await alerts.begin(served.url);
  // Ends while requests do, so that a stop takes no longer for both.
  lifecycle.add("alerts' evaluation", () => void alerts.end());
  return served;
}

/** The API keys, the one of `auth.adminKeyFile` among them. */
async function openKeys(
  { adminKeyFile }: Settings["auth"],
  options: Omit<KeyStoreOptions, "clock">,
): Promise<KeyStore> {
  const keys = await KeyStore.open({ ...options, clock: systemClock });
  if (adminKeyFile !== undefined) {
    await keys.adopt(readAdminKeyFile(adminKeyFile), tenantDefault);
  }
  return keys;
}

/** Aborted when something fails: a coordinator that has ended will not answer who waits for it. */
function abortedBy(failed: Promise<Error>): AbortSignal {
  const abort = new AbortController();
  void failed.then((error) => abort.abort(error));
  return abort.signal;
}

/** Tells the cluster where this node is. */
async function announce(
  cluster: Cluster,
  served: Served,
  settings: Settings,
  version: string,
): Promise<void> {
  await cluster.announce({
    http: served.url.slice("http://".length),
    zone: "",
    roles: settings.roles,
    version,
    startedMs: Date.now(),
    capacityBytes: 0,
  });
}

/** The coordinator of this process, or the one that `coordinator.connect` names. */
export interface CoordinatorPart {
  readonly address: string;
  /** Undefined when it is not ours. */
  readonly stats: (() => Promise<CoordinatorStats>) | undefined;
}

async function startOwnCoordinator(
  settings: Settings,
  dataDir: string,
  logger: Logger,
  lifecycle: Lifecycle,
  failure: PromiseWithResolvers<Error>,
): Promise<CoordinatorPart> {
  const { coordinator, node } = settings;
  if (coordinator.connect !== undefined) {
    return { address: coordinator.connect.join(","), stats: undefined };
  }
  const listen = parseAddress(coordinator.listen);
  const host = await startCoordinatorThread(
    {
      dataDir: path.join(dataDir, "coordinator"),
      host: listen.host,
      port: listen.port,
      serverId: node.id,
      tickTimeMs: coordinator.tickTimeMs,
      snapCount: coordinator.snapCount,
      connectionsPerAddress: coordinator.connectionsPerAddress,
      superDigest: coordinator.superDigest,
    },
    logger,
    (error) => failure.resolve(error),
  );
  lifecycle.add("coordinator", () => host.close());
  const { address, port } = { address: host.address.host, port: host.address.port };
  return {
    address: `${address.includes(":") ? `[${address}]` : address}:${port}`,
    stats: () => host.stats(),
  };
}

/** How often a service that anybody can reach without a key says so. */
const insecureWarnMs = 60_000;

/** Refuses to listen beyond this machine while there is no key; says which two lines mend it. */
function checkExposure(
  settings: Settings,
  keyCount: number,
  logger: Logger,
  lifecycle: Lifecycle,
): void {
  if (!isExposed(settings)) return;
  if (settings.auth.insecureListen) {
    const warn = (): void =>
      logger.warn(
        { listen: settings.http.listen },
        "anybody who reaches this listener may do anything",
      );
    warn();
    const timer = setInterval(warn, insecureWarnMs).unref();
    lifecycle.add("warning", () => clearInterval(timer));
    return;
  }
  if (keyCount > 0) return;
  throw new ServiceError(
    "config.invalid",
    `listening beyond loopback (${settings.http.listen}) needs an API key first:\n` +
      "  logkeep start --http 127.0.0.1:7070\n" +
      "  logkeep keys create admin --scope admin        (in another terminal; then start as you wanted)",
  );
}

function checkRoles({ roles }: Settings): void {
  const needed = ["coordinator", "ingest", "query", "alerts"] as const;
  const missing = needed.filter((role) => !roles.includes(role));
  if (missing.length === 0) return;
  throw new ServiceError("config.invalid", "this version runs all roles in one process", {
    missing,
  });
}

/** Whether anybody beyond this machine can reach a listener. */
export function isExposed({ http, coordinator }: Settings): boolean {
  return ![http.listen, coordinator.listen].every((text) => isLoopback(parseAddress(text).host));
}
