import path from "node:path";
import type { Cluster } from "../../cluster/src/cluster.ts";
import type { Settings } from "../../config/src/schema.ts";
import { sharedSections } from "../../config/src/shared.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { Lifecycle } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { type DataDirectory, openDataDirectory } from "../../storage/src/shard/data-directory.ts";
import { AlertsService } from "./alerts/alerts-service.ts";
import { AuditService } from "./audit/audit-service.ts";
import { readAdminKeyFile } from "./auth/admin-key-file.ts";
import { KeyStore, type KeyStoreOptions } from "./auth/key-store.ts";
import { BackupService } from "./backup/backup-service.ts";
import { DeleteService } from "./deletes/delete-service.ts";
import { DeleteLedger } from "./deletes/ledger.ts";
import { Tombstones } from "./deletes/tombstones.ts";
import { checkExposure, isExposed } from "./exposure.ts";
import { TailFollowing } from "./fan-out/tail-feeds.ts";
import { hostTails } from "./fan-out/tail-host.ts";
import { Hearing } from "./hearing.ts";
import { tenantDefault } from "./http/identity.ts";
import { type Served, type ServeOptions, serveHttp } from "./http/serve.ts";
import { type ServeCoordinatorOptions, serveCoordinator } from "./http/serve-coordinator.ts";
import { InboxIntake } from "./inbox-intake.ts";
import { LiveSettings, type LoadOver } from "./live-settings.ts";
import type { TeeLogger } from "./logger.ts";
import { startMirror } from "./mirror/start.ts";
import { type NodePart, startNode } from "./node-part.ts";
import { answerStatus, nodeStatusOf } from "./node-status.ts";
import { startOwnLogs } from "./own-logs.ts";
import { openQueryIndex } from "./query-index.ts";
import { openReading } from "./reading.ts";
import { Sources } from "./sources/sources.ts";
import { journalLosses } from "./storage/loss-note.ts";
import { openStorePart } from "./store-part.ts";
import { TailService } from "./tail-service.ts";

export interface StandaloneOptions {
  /** As far as they are known before the cluster is: what this node itself was given. */
  readonly settings: Settings;
  /** Loads them again, over what is set for the whole cluster. */
  readonly load: LoadOver;
  /** The cluster's, where the environment says it. */
  readonly secret?: string | undefined;
  readonly logger: TeeLogger;
  readonly version: string;
  /** Aborted when a start that waits for other nodes is to be given up. */
  readonly signal: AbortSignal;
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
  { settings: own, load, secret, logger, version, signal }: StandaloneOptions,
  lifecycle: Lifecycle,
  failure: PromiseWithResolvers<Error>,
): Promise<Standalone> {
  const data = await openDataDirectory(path.resolve(own.data.dir));
  lifecycle.add("data directory", () => data.release());
  const node = await startNode({
    ...{ settings: own, data, secret, version, logger, lifecycle },
    failed: (error) => failure.resolve(error),
    signal: AbortSignal.any([abortedBy(failure.promise), signal]),
  });
  const { identity, cluster, ownAcl, coordinator } = node;
  await journalLosses(data.path, identity.nodeId, cluster, logger);
  const started = onAbort(signal, () => closeWhileAway(cluster));
  lifecycle.add("start", started);
  const config = await cluster.openConfig({ sections: sharedSections, clock: systemClock });
  lifecycle.add("cluster's settings", () => config.close());
  const live = new LiveSettings(load, config.values(), logger);
  config.onChange(() => live.apply(config.values()));
  const settings = live.view;
  logger.level = settings.log.level;
  live.onChange(() => {
    logger.level = settings.log.level;
  });
  node.balance(settings);
  const { client, audit } = cluster;
  const keys = await openKeys(settings.auth, { client, acl: ownAcl, audit, logger });
  checkExposure(settings, keys.size, logger, lifecycle);
  const hearing = new Hearing(node.peers, cluster.client);
  lifecycle.add("hearing", () => hearing.close());
  const base = {
    ...{ settings, cluster, keys, config, live, coordinator },
    ...{ identity, hearing, peers: node.peers, roles: node.roles, version, logger },
  };
  const served = node.roles.records
    ? await serveRecords(base, node, data, lifecycle)
    : await serveNoRecords(base, data, lifecycle);
  await node.serves(served.url);
  started();
  return {
    http: served.url,
    coordinator: coordinator.address,
    failed: failure.promise,
    close: () => closeInTime(lifecycle, cluster, logger),
  };
}

/** Opens the store, serves what stands on it, and keeps the node's own logs there. */
async function serveRecords(
  base: ServeCoordinatorOptions & { readonly logger: TeeLogger },
  node: NodePart,
  data: DataDirectory,
  lifecycle: Lifecycle,
): Promise<Served> {
  const { settings, cluster, identity, peers, logger } = base;
  const clock = systemClock;
  const stored = await openStorePart({ settings, data, cluster, identity, peers, clock, logger });
  lifecycle.add("storage", () => stored.close());
  answerStatus(peers, () => nodeStatusOf(stored.store, data.path));
  const { ownAcl: acl } = node;
  const mirror = await startMirror({ settings, cluster, acl, stored, clock, logger });
  if (mirror !== undefined) lifecycle.add("mirror", () => mirror.close());
  const served = await serveStore({ ...base, stored, mirror }, node, lifecycle);
  const ownLogs = startOwnLogs(logger, stored.ingest, settings);
  lifecycle.add("own logs", () => ownLogs.close());
  lifecycle.add("held records", () => stored.routing?.stop());
  return served;
}

/** A member of the coordinator and nothing else. */
async function serveNoRecords(
  base: ServeCoordinatorOptions,
  data: DataDirectory,
  lifecycle: Lifecycle,
): Promise<Served> {
  answerStatus(base.peers, () => nodeStatusOf(undefined, data.path));
  const served = await serveCoordinator(base);
  lifecycle.add("http", () => served.close());
  return served;
}

/** Between two looks whether a stop waits for a coordinator that is not there. */
const coordinatorLookMs = 500;

/** Looks without a connection after which a stop waits for the coordinator no more: others of its members are stopping as well. */
const coordinatorLooksMax = 4;

/** A stop that takes longer says what for. */
const longStopMs = 10_000;

/** Lets what waits for a coordinator without a quorum do so for a moment only. Returns how to stop looking. */
function closeWhileAway({ client }: Cluster): () => void {
  let missed = 0;
  const timer = setInterval(() => {
    missed = client.isConnected ? 0 : missed + 1;
    if (missed === coordinatorLooksMax) void client.close().catch(() => undefined);
  }, coordinatorLookMs);
  return () => clearInterval(timer);
}

/** Begins something when the signal aborts; what it returns, and so does this, ends it. */
function onAbort(signal: AbortSignal, begin: () => () => void): () => void {
  let end: (() => void) | undefined;
  const abort = (): void => {
    end = begin();
  };
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  return () => {
    signal.removeEventListener("abort", abort);
    end?.();
  };
}

/** Closes everything, and what would wait for a coordinator without a quorum does so for a moment only. */
async function closeInTime(lifecycle: Lifecycle, cluster: Cluster, logger: Logger): Promise<void> {
  const away = closeWhileAway(cluster);
  const late = setInterval(() => {
    logger.warn({ part: lifecycle.part }, "stopping takes long");
  }, longStopMs);
  // For who looks: what moves is moved by the parts as they close.
  if (cluster.client.isConnected) void cluster.say({ state: "stopping" }).catch(() => undefined);
  await lifecycle.close().finally(() => {
    away();
    clearInterval(late);
  });
}

/** Starts what stands on the store: queries, tails, inboxes, HTTP, and alerts behind it, whose links name it. */
async function serveStore(
  base: Omit<
    ServeOptions,
    "index" | "tails" | "deletes" | "backups" | "alerts" | "sources" | "audit"
  >,
  { ownAcl }: NodePart,
  lifecycle: Lifecycle,
): Promise<Served> {
  const { settings, cluster, stored, peers, roles, version, logger } = base;
  const { store, writes, arena, pool, retention, routing } = stored;
  const reading = openReading(stored, routing && { peers, ...routing });
  lifecycle.add("reading", () => reading.close());
  const index = await openQueryIndex(settings, stored, reading);
  lifecycle.add("query index", () => index.close());
  const audit = new AuditService({
    ...{ store: writes, arena, cluster, index, logger, nowMs: () => systemClock.now() },
  });
  lifecycle.add("audit journal", () => audit.close());
  const deletes = new DeleteService({
    ...{ stored, reading, settings, logger, clock: systemClock },
    tombstones: new Tombstones(store, cluster.shards, { peers, topology: cluster.topology }),
    ledger: new DeleteLedger(cluster.client, ownAcl),
  });
  lifecycle.add("deletes", () => deletes.close());
  const backups = new BackupService({
    ...{ store, cluster, version, logger, clock: systemClock },
    nodes: routing && { peers, owners: routing.owners },
    nodeId: base.identity.nodeId,
    isClosed: isExposed(settings),
  });
  lifecycle.add("backups", () => backups.close());
  const tails = new TailService({
    ...{ store, arena, pool, reading, logger },
    following: routing && new TailFollowing(peers, routing.owners, (shard) => store.serves(shard)),
    bufferBytes: settings.tail.bufferMaxBytes,
    tailsMax: settings.tail.connectionsMax,
  });
  lifecycle.add("tails", () => tails.close());
  if (routing !== undefined) hostTails(peers, tails);
  const intake = new InboxIntake({ store: writes, arena, pool, retention, clock: systemClock });
  // Who has no shards leaves what comes in to those that have.
  if (roles.ingest) {
    const inboxes = await cluster.drainInboxes(intake, [tenantDefault]);
    // Before the store closes, which a drainer would meet as a failure.
    lifecycle.add("inboxes", () => inboxes.close());
  }
  const sources = await Sources.open({
    ...{ store: writes, arena, pool, retention, cluster, acl: ownAcl, logger },
    sources: roles.ingest ? settings.sources : [],
  });
  lifecycle.add("sources", () => sources.close());
  const alerts = roles.alerts
    ? await AlertsService.open({
        ...{ settings, cluster, stored, reading, tails, version, logger },
      })
    : undefined;
  lifecycle.add("alerts", () => alerts?.close());
  const served = await serveHttp({
    ...{ ...base, index, audit, tails, deletes, backups, alerts, sources },
  });
  lifecycle.add("http", () => served.close());
  await alerts?.begin(served.url);
  // Ends while requests do, so that a stop takes no longer for both.
  lifecycle.add("alerts' evaluation", () => void alerts?.end());
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
