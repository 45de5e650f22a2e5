import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import type { NextFunction, Request, Response } from "express";
import type { Cluster } from "../../../cluster/src/cluster.ts";
import type { ConfigStore } from "../../../cluster/src/config-store.ts";
import type { NodeIdentity } from "../../../cluster/src/node.ts";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import { isLoopback, parseAddress, printAddress } from "../../../config/src/address.ts";
import type { Settings } from "../../../config/src/schema.ts";
import { systemClock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { type AlertsService, noFigures } from "../alerts/alerts-service.ts";
import type { AuditService } from "../audit/audit-service.ts";
import type { KeyStore } from "../auth/key-store.ts";
import type { BackupService } from "../backup/backup-service.ts";
import { registerClusterMetrics } from "../cluster-metrics.ts";
import { registerCoordinatorMetrics } from "../coordinator-metrics.ts";
import type { CoordinatorPart } from "../coordinator-part.ts";
import type { DeleteService } from "../deletes/delete-service.ts";
import type { Hearing } from "../hearing.ts";
import type { LiveSettings } from "../live-settings.ts";
import { Metrics } from "../metrics.ts";
import { registerMirrorMetrics } from "../mirror/metrics.ts";
import type { Mirror } from "../mirror/mirror.ts";
import type { QueryIndex } from "../query-index.ts";
import { Retentions } from "../retention-views.ts";
import type { Roles } from "../roles.ts";
import { registerRoutingMetrics } from "../routing/metrics.ts";
import { registerSourceMetrics } from "../sources/metrics.ts";
import type { Sources } from "../sources/sources.ts";
import type { StorePart } from "../store-part.ts";
import type { TailService } from "../tail-service.ts";
import { mountAlerts } from "./alert-routes.ts";
import { App } from "./app.ts";
import { mountAudit } from "./audit-routes.ts";
import { mountBackup } from "./backup-routes.ts";
import { ByteBudget } from "./budget.ts";
import { mountCluster } from "./cluster-routes.ts";
import { mountConfig } from "./config-routes.ts";
import { mountConsole } from "./console-routes.ts";
import { mountDeletes } from "./delete-routes.ts";
import { mountExport } from "./export-routes.ts";
import { mountIngest } from "./ingest-routes.ts";
import { mountKeys } from "./key-routes.ts";
import { mountOps } from "./ops-routes.ts";
import { mountPrometheus } from "./prometheus-routes.ts";
import { QueryGate } from "./query-gate.ts";
import { mountQueries } from "./query-routes.ts";
import { mountRetention } from "./retention-route.ts";
import { mountTail } from "./tail-routes.ts";
import { answerUnreadable } from "./unreadable.ts";

export interface ServeOptions {
  readonly settings: Settings;
  readonly cluster: Cluster;
  readonly stored: StorePart;
  readonly index: QueryIndex;
  /** Where there is one. */
  readonly mirror: Mirror | undefined;
  readonly tails: TailService;
  readonly deletes: DeleteService;
  readonly backups: BackupService;
  /** Where the node has the role. */
  readonly alerts: AlertsService | undefined;
  readonly sources: Sources;
  readonly keys: KeyStore;
  readonly config: ConfigStore;
  readonly live: LiveSettings;
  readonly audit: AuditService;
  readonly coordinator: CoordinatorPart;
  readonly peers: Peers;
  readonly hearing: Hearing;
  readonly roles: Roles;
  readonly identity: NodeIdentity;
  readonly version: string;
  readonly logger: Logger;
}

export interface Served {
  /** As in `http://127.0.0.1:7070`. */
  readonly url: string;
  /** Takes no more requests, lets those under way finish, and closes. */
  close(): Promise<void>;
}

/** Time that requests under way have to finish when the service stops; seals then have five seconds, and all is to end within 15. */
const drainMs = 8_000;

/** Bytes of all headers of a request. */
const headersMaxBytes = 16 * 1024;

/** Listens and serves everything that is HTTP. */
export async function serveHttp(options: ServeOptions): Promise<Served> {
  const { settings, logger } = options;
  const listen = parseAddress(settings.http.listen);
  const stopping = new AbortController();
  const app = buildApp(options, isLoopback(listen.host), stopping.signal);
  return listenHttp(app, settings, stopping, logger);
}

/** Listens for what `app` answers; `stopping` is aborted when it is to end. */
export async function listenHttp(
  app: App,
  settings: Settings,
  stopping: AbortController,
  logger: Logger,
): Promise<Served> {
  const listen = parseAddress(settings.http.listen);
  const server = http.createServer(
    {
      maxHeaderSize: headersMaxBytes,
      // Headers are part of the request; Node refuses to give them longer.
      headersTimeout: Math.min(settings.http.headersTimeoutMs, settings.http.requestTimeoutMs),
      requestTimeout: settings.http.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, settings.http.headersTimeoutMs),
      keepAliveTimeout: 75_000,
    },
    app.express,
  );
  server.on("clientError", answerUnreadable);
  server.maxConnections = settings.http.connectionsMax;
  server.listen(listen.port, listen.host);
  await once(server, "listening");
  const bound = server.address() as AddressInfo;
  const url = `http://${printAddress({ host: bound.address, port: bound.port })}`;
  logger.info({ url }, "http listens");
  return {
    url,
    async close() {
      stopping.abort();
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), drainMs);
      await closed;
      clearTimeout(late);
    },
  };
}

function buildApp(options: ServeOptions, isLocal: boolean, stopping: AbortSignal): App {
  const { settings, stored, alerts, roles, sources, keys, logger } = options;
  const isKeyNeeded = !isLocal && !settings.auth.insecureListen;
  const isPart = !(roles.ingest && roles.query && roles.alerts);
  const app = new App({
    ...{ keys, isKeyNeeded, hosts: [os.hostname()], logger },
    roles: isPart ? roles.all : undefined,
  });
  const metrics = new Metrics(stored, () => alerts?.figures() ?? noFigures);
  registerSourceMetrics(metrics.registry, sources);
  registerClusterMetrics(metrics.registry, options.cluster, stored.store);
  metrics.deletes(() => options.deletes.liveCount);
  metrics.backups(() => options.backups);
  const { stats } = options.coordinator;
  if (stats !== undefined) registerCoordinatorMetrics(metrics.registry, stats);
  const { routing } = stored;
  if (routing !== undefined) registerRoutingMetrics(metrics.registry, routing);
  const { mirror } = options;
  if (mirror !== undefined) registerMirrorMetrics(metrics.registry, mirror, systemClock.now);
  app.express.use((request: Request, response: Response, next: NextFunction) => {
    const started = performance.now();
    // A connection that stays open would keep a stopping service alive.
    if (stopping.aborted) response.setHeader("Connection", "close");
    response.once("finish", () => {
      const route = (request.route as { path?: unknown } | undefined)?.path;
      const seconds = (performance.now() - started) / 1000;
      metrics.httpSeconds.observe({ route: routeOf(route), status: response.statusCode }, seconds);
    });
    next();
  });
  const budget = new ByteBudget(settings.http.inFlightMaxBytes);
  mountConsole(app);
  const parts: Parts = { app, metrics, budget, stopping };
  if (roles.ingest) mountIntake(options, parts);
  if (roles.query) mountReads(options, parts);
  if (alerts !== undefined) {
    mountAlerts(app, { alerts, rulesMax: settings.alerts.rulesMax });
    mountPrometheus(app, alerts);
  }
  mountBackup(app, options.backups);
  mountKeys(app, keys);
  mountAudit(app, options.audit);
  mountConfig(app, { store: options.config, live: options.live });
  const { cluster, peers } = options;
  const retentions = new Retentions(stored.store, cluster.shards, peers, cluster.topology);
  mountRetention(app, settings, stored.store, retentions);
  mountCluster(app, options);
  const isReady = (): boolean => !stopping.aborted;
  mountOps(app, { ...options, metrics, budget, retentions, isReady });
  app.finish();
  return app;
}

/** What routes of several roles share. */
interface Parts {
  readonly app: App;
  readonly metrics: Metrics;
  readonly budget: ByteBudget;
  readonly stopping: AbortSignal;
}

/** What a node with the role `ingest` answers. */
function mountIntake({ settings, stored, logger }: ServeOptions, parts: Parts): void {
  const { app, metrics, budget } = parts;
  mountIngest(app, {
    ingest: stored.ingest,
    room: { budget, memory: stored.memory },
    bodyMaxBytes: settings.http.bodyMaxBytes,
    clock: systemClock,
    logger,
    onRefused: (receiver, code) => metrics.refused.inc({ receiver, code }),
  });
}

/** What a node with the role `query` answers. */
function mountReads(options: ServeOptions, { app, metrics, stopping }: Parts): void {
  const { settings, tails, deletes, logger } = options;
  const gate = new QueryGate(settings.query.concurrencyMax);
  options.live.onChange(() => {
    gate.runningMax = settings.query.concurrencyMax;
  });
  const asking = { index: options.index, settings, metrics, gate, logger };
  mountQueries(app, asking);
  mountExport(app, { ...asking, stopping });
  mountDeletes(app, { deletes, gate, isEmbedded: settings.query.index === "embedded" });
  mountTail(app, { tails, heartbeatMs: settings.tail.heartbeatMs, stopping, logger });
}

/** Patterns of routes are few; paths as they come are not, and would fill the metrics. */
function routeOf(path: unknown): string {
  if (typeof path === "string") return path;
  return Array.isArray(path) ? String(path[0]) : "none";
}
