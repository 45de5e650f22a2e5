import type { Request, Response } from "express";
import type { ClusterAnswer } from "../../../api/src/answers.ts";
import type { ShardListed } from "../../../api/src/cluster.ts";
import { openApiDocument } from "../../../api/src/openapi.ts";
import { parseAddress, printAddress } from "../../../config/src/address.ts";
import type { CoordinatorStats } from "../../../coordinator/src/server/start.ts";
import type { ShardStatus } from "../../../storage/src/shard/status.ts";
import { nodesListed, shardsListed } from "../cluster-view.ts";
import type { Metrics } from "../metrics.ts";
import { nodeStatuses, nodeStatusOf } from "../node-status.ts";
import type { Retentions } from "../retention-views.ts";
import type { SourceStatus } from "../sources/sources.ts";
import type { App } from "./app.ts";
import { availabilityAnswer } from "./availability-route.ts";
import type { ByteBudget } from "./budget.ts";
import { retentionFigures } from "./retention-route.ts";
import type { ServeOptions } from "./serve.ts";

/** Parts of a node with records are undefined where it has none. */
export interface OpsDeps
  extends Pick<
    ServeOptions,
    "settings" | "coordinator" | "identity" | "cluster" | "hearing" | "peers" | "version" | "logger"
  > {
  readonly stored: ServeOptions["stored"] | undefined;
  readonly sources: ServeOptions["sources"] | undefined;
  readonly budget: ByteBudget | undefined;
  readonly retentions: Retentions | undefined;
  readonly metrics: Pick<Metrics, "registry">;
  readonly isReady: () => boolean;
}

/** `/healthz`, `/readyz`, `/metrics`, `/openapi.json`, `/api/v1/cluster`: for probes and operators. */
export function mountOps(app: App, deps: OpsDeps): void {
  const { metrics, version, stored } = deps;
  app.express.get("/healthz", (_: Request, response: Response) => {
    response.type("text/plain").send("ok\n");
  });
  app.express.get("/readyz", (_: Request, response: Response) => {
    const reason = readiness(deps);
    if (reason === undefined) response.type("text/plain").send("ready\n");
    else response.status(503).setHeader("Retry-After", "1").type("text/plain").send(`${reason}\n`);
  });
  app.mount("get", "/metrics", "read", async (_, response) => {
    response.setHeader("Content-Type", metrics.registry.contentType);
    response.end(await metrics.registry.metrics());
  });
  const document = JSON.stringify(openApiDocument(version));
  app.express.get("/openapi.json", (_: Request, response: Response) => {
    response.type("application/json").send(document);
  });
  const rate = new Rate(() => stored?.ingest.counts.records ?? 0);
  app.mount("get", "/api/v1/cluster", "read", async (request, response) => {
    const { localPort = 0 } = request.socket;
    // The setting may say port 0, for any free one.
    const { host } = parseAddress(deps.settings.http.listen);
    const http = printAddress({ host, port: localPort });
    response.json(await clusterAnswer(deps, http, rate.perSecond()));
  });
  app.mount("get", "/api/v1/cluster/availability", "read", async (_, response) => {
    response.json(await availabilityAnswer(deps.coordinator));
  });
}

/** Why the service should get no requests; undefined: it serves. */
function readiness({ stored, isReady, cluster, identity, peers }: OpsDeps): string | undefined {
  if (!isReady()) return "stopping";
  const { topology } = cluster;
  const unready = stored && unreadiness(stored, topology);
  if (unready !== undefined) return unready;
  // Without the coordinator owners go on, as long as they reach their replicas.
  const others = topology.nodes().filter(({ nodeId }) => nodeId !== identity.nodeId);
  const isCutOff = others.some(({ nodeId }) => peers.link(nodeId) === undefined);
  return cluster.client.isConnected || (others.length > 0 && !isCutOff)
    ? undefined
    : "the coordinator is not connected";
}

/** Why the node's shards keep it from being ready. */
function unreadiness(
  { store }: ServeOptions["stored"],
  topology: ServeOptions["cluster"]["topology"],
): string | undefined {
  const { shards, logFailure } = store.status();
  if (logFailure !== undefined) return logFailure;
  const pressure = store.pressure();
  if (pressure?.code === "storage.full") return pressure.message;
  const isServed = ({ shard, state }: ShardStatus): boolean =>
    state === "serving" || (state !== "stopped" && topology.ownerOf(shard) !== undefined);
  const waiting = shards.filter((shard) => !isServed(shard)).length;
  return waiting > 0 ? `${waiting} shards are not serving` : undefined;
}

const nothingTaken = { records: 0, rejected: 0, bytes: 0 } as const;

async function clusterAnswer(
  deps: OpsDeps,
  http: string,
  recordsPerSecond: number,
): Promise<ClusterAnswer> {
  const { settings, coordinator, stored, identity, budget, cluster, hearing, peers, logger } = deps;
  const { unansweredMs } = hearing;
  const status = stored?.store.status();
  const { records, rejected, bytes } = stored?.ingest.counts ?? nothingTaken;
  const sources = deps.sources?.status() ?? [];
  const stats = await coordinator.stats?.();
  const { topology } = cluster;
  const own = nodeStatusOf(stored?.store, settings.data.dir);
  const [statuses, held] = await Promise.all([
    nodeStatuses(peers, topology, own, logger),
    deps.retentions?.all(),
  ]);
  const silentMs = (node: number): number | undefined => hearing.silentMs(node);
  const nodes = nodesListed(topology, statuses, cluster.shards, Date.now(), silentMs);
  const away = hearing.away(topology.nodes().map(({ nodeId }) => nodeId));
  const shards = shardsListed(topology, statuses, cluster.shards, away);
  const owned = [...statuses.values()].flatMap((node) => node.shards);
  const total = (name: "records" | "segments" | "segmentBytes"): number =>
    owned.reduce((sum, shard) => sum + shard[name], 0);
  const countOf = (is: (shard: ShardListed) => boolean): number => shards.filter(is).length;
  return {
    nodes: nodes.map((node) =>
      node.id === identity.nodeId && node.http === "" ? { ...node, http } : node,
    ),
    coordinator: {
      address: coordinator.address,
      state: stats === undefined ? (cluster.client.isConnected ? "connected" : "none") : stats.mode,
      zxid: stats === undefined ? "" : `0x${stats.zxidLast.toString(16)}`,
      ...(stats === undefined ? {} : coordinatorFigures(stats)),
      ...(unansweredMs === undefined ? {} : { unansweredMs: Math.round(unansweredMs) }),
    },
    shards: {
      total: cluster.shards,
      owned: countOf(({ owner }) => owner !== undefined),
      offline: shards.filter(({ state }) => state === "offline").map(({ id }) => String(id)),
      moving: countOf(({ state }) => state === "moving"),
      single: countOf(({ isSingle }) => isSingle),
    },
    ...(sources.length === 0 ? {} : { sources: sources.map(sourceAnswer) }),
    ingest: { records, rejected, bytes, recordsPerSecond, inFlightBytes: budget?.usedBytes ?? 0 },
    stored: {
      records: total("records"),
      segments: total("segments"),
      segmentBytes: total("segmentBytes"),
      logBytes: status?.logBytes ?? 0,
      memoryBytes: status?.arenaLiveBytes ?? 0,
    },
    disk: own.disk,
    ...(held === undefined ? {} : { retention: retentionFigures(settings, held.view) }),
  };
}

function coordinatorFigures(
  stats: CoordinatorStats,
): Pick<ClusterAnswer["coordinator"], "sessions" | "znodes" | "availability"> {
  const { sessions, znodes } = stats;
  const { state, availability, availabilityLow } = stats.availability;
  return {
    sessions,
    znodes,
    availability: {
      state,
      ...(availability === undefined ? {} : { share: availability }),
      ...(availabilityLow === undefined ? {} : { low: availabilityLow }),
    },
  };
}

function sourceAnswer(status: SourceStatus): NonNullable<ClusterAnswer["sources"]>[number] {
  const { name, topic, isReader, fault, records, rejected, lost, partitions } = status;
  const stopped = partitions.filter((each) => each.stopped !== undefined);
  return {
    ...{ name, topic, isReader, records, rejected, lost },
    lag: partitions.reduce((sum, each) => sum + each.lag, 0),
    ...(fault === undefined ? {} : { fault }),
    stopped: stopped.map((each) => `${each.partition}: ${each.stopped}`),
  };
}

/** How fast a count has grown over the last minute, sampled once a second. */
class Rate {
  readonly #read: () => number;
  readonly #samples: number[] = [];

  constructor(read: () => number) {
    this.#read = read;
    setInterval(() => this.#sample(), 1000).unref();
    this.#sample();
  }

  perSecond(): number {
    const [first = 0] = this.#samples;
    const seconds = Math.max(1, this.#samples.length);
    return Math.round((this.#read() - first) / seconds);
  }

  #sample(): void {
    this.#samples.push(this.#read());
    if (this.#samples.length > 60) this.#samples.shift();
  }
}
