import { availableParallelism } from "node:os";
import { AgreedClock, clockNodes } from "../../cluster/src/agreed-clock.ts";
import type { Cluster } from "../../cluster/src/cluster.ts";
import type { NodeIdentity } from "../../cluster/src/node.ts";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import { PeerReplicaLinks } from "../../cluster/src/peers/replica-links.ts";
import { PeerSegmentSource, serveSegmentReads } from "../../cluster/src/peers/segment-reads.ts";
import { ShardOrders } from "../../cluster/src/shard-orders.ts";
import type { Settings } from "../../config/src/schema.ts";
import type { RetentionRule } from "../../ingest/src/retention/rules.ts";
import type { Clock } from "../../kit/src/clock.ts";
import { Lifecycle } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { segmentFileReader } from "../../storage/src/replication/segment-files.ts";
import type { Scrubbed } from "../../storage/src/segment/scrub.ts";
import { ArenaOwner, arenaLanes } from "../../storage/src/shard/arena.ts";
import { type DataDirectory, storePaths } from "../../storage/src/shard/data-directory.ts";
import { diskUseOf } from "../../storage/src/shard/disk-limit.ts";
import { slabBytes } from "../../storage/src/shard/limits.ts";
import type { Rewritten, SegmentFile, SegmentWork } from "../../storage/src/shard/segment-work.ts";
import { openStore, type Store } from "../../storage/src/shard/store.ts";
import { journalStream } from "./alerts/journal.ts";
import { journalDaysMin } from "./alerts/limits.ts";
import { auditStream } from "./audit/audit-sink.ts";
import { auditDaysMin } from "./audit/limits.ts";
import { BodyMemory } from "./http/body-memory.ts";
import { Ingest } from "./ingest.ts";
import { retentionRules } from "./retention-rules.ts";
import { openRouting, type RoutingPart } from "./routing/routing-part.ts";
import type { Writes } from "./routing/writes.ts";
import { SingleWatch } from "./single-watch.ts";
import { threadEntry } from "./threads/entry.ts";
import { WorkerPool } from "./threads/pool.ts";
import type { WorkerShared } from "./threads/worker.ts";

export interface StorePartOptions {
  readonly settings: Settings;
  readonly data: DataDirectory;
  readonly cluster: Cluster;
  readonly identity: NodeIdentity;
  /** The other nodes; without them this node is all there is. */
  readonly peers?: Peers;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The shards of this node, and the threads that work for them. */
export interface StorePart {
  readonly store: Store;
  /** Where records are written: at the owners of their shards. */
  readonly writes: Writes;
  /** Undefined where this node is all there is. */
  readonly routing: RoutingPart | undefined;
  readonly arena: ArenaOwner;
  /** Decodes, answers queries, matches tails, seals and merges. */
  readonly pool: WorkerPool;
  readonly ingest: Ingest;
  /** The rules that the workers decode by. */
  readonly retention: readonly RetentionRule[];
  /** For bodies, on their way to a worker and back. */
  readonly memory: BodyMemory;
  close(): Promise<void>;
}

const dayMs = 24 * 60 * 60 * 1000;

/** Heap of one worker: queries are bounded in bytes, so this is only for what nobody foresaw. */
const workerHeapMaxMb = 1024;

/** Bodies or tasks in line at one worker: one runs, one waits. */
const workerDepth = 2;

/** Deadlines of queries that the file of a replaced segment stays for: one may have begun just before. */
const replacedKeepDeadlines = 2;

/** How long a stop waits for the last seals: what they do not get done is in the log. */
const lastSealsMs = 3000;

/**
 * A worker for each core but one, which the main thread has, and never less than two: one may be at a seal or
 * merge, and every body and query would wait for it.
 */
function workerCount(settings: Settings): number {
  return settings.storage.workers ?? Math.max(2, availableParallelism() - 1);
}

export async function openStorePart(options: StorePartOptions): Promise<StorePart> {
  const { settings, data, cluster, identity, peers, clock, logger } = options;
  const lifecycle = new Lifecycle();
  try {
    const arenaBytes = Math.ceil(settings.storage.arenaBytes / slabBytes) * slabBytes;
    const arena = new ArenaOwner(arenaBytes);
    const rules = retentionRules(settings.storage.retention.rules);
    const pool = startPool(options, arena, rules);
    lifecycle.add("workers", () => pool.close());
    const { manifest, ownership } = cluster;
    const { retention, logMaxBytes, scrubMs, sealAgeMs, slowSyncMs } = settings.storage;
    const diskBytesMax = settings.storage.diskMaxBytes;
    const diskBytes = Math.min(diskBytesMax ?? Infinity, diskUseOf(data.path).totalBytes);
    const bytesMax = retention.maxBytes ?? diskBytes * retention.diskShare;
    logger.info({ days: retention.days, bytesMax: Math.floor(bytesMax) }, "retention");
    if (peers !== undefined) {
      // Before this node's own start is over: another's may need them.
      serveSegmentReads(peers, segmentFileReader(storePaths(data, cluster.shards).shard));
    }
    const nodes = (): ReadonlySet<number> => clockNodes(cluster.topology);
    const clocks = peers && new AgreedClock({ peers, nodes, clock });
    if (clocks !== undefined) lifecycle.add("clocks", () => clocks.close());
    const store = await openStore({
      data,
      member: `${identity.nodeId}/${identity.diskId}`,
      shardCount: cluster.shards,
      ...{ arena, manifest, ownership, clock, logger },
      agreedMs: clocks && (() => clocks.nowMs()),
      replication: peers && {
        ...{ ownership, links: new PeerReplicaLinks(peers), source: new PeerSegmentSource(peers) },
        slowSyncMs,
      },
      work: segmentWork(pool),
      sealsAtOnce: Math.max(1, pool.size - 1),
      logBytesMax: logMaxBytes,
      ...{ sealAgeMs, scrubPeriodMs: scrubMs },
      segments: { replacedKeepMs: settings.query.timeoutMs * replacedKeepDeadlines },
      ...(diskBytesMax === undefined ? {} : { diskBytesMax }),
      retention: {
        defaultMs: retention.days * dayMs,
        classMs: {
          [journalStream]: Math.max(retention.days, journalDaysMin) * dayMs,
          [auditStream]: Math.max(retention.days, auditDaysMin) * dayMs,
        },
        bytesMax,
      },
    });
    lifecycle.add("store", () => store.close());
    if (peers !== undefined) {
      lifecycle.add("orders", followOrders(cluster, store));
      const { topology, shards: shardCount } = cluster;
      const watch = new SingleWatch({ topology, shardCount, self: ownership.self, logger });
      lifecycle.add("sets of one", () => watch.close());
    }
    lifecycle.add("last seals", () => sealed(store));
    const routing = peers && openRouting({ peers, cluster, store, arena, clock });
    if (routing !== undefined) lifecycle.add("routing", () => routing.close());
    const { writes } = routing ?? { writes: store };
    const memory = new BodyMemory();
    const ingest = new Ingest({ pool, store: writes, arena, memory });
    const close = () => lifecycle.close();
    return { store, writes, routing, arena, pool, ingest, retention: rules, memory, close };
  } catch (thrown) {
    await lifecycle.close();
    throw thrown;
  }
}

/** Tells the store what the balancer wants, now and whenever that changes. Returns how to stop. */
function followOrders(cluster: Cluster, store: Store): () => void {
  const orders = new ShardOrders(cluster.topology);
  const tell = (shards: readonly number[]): void => {
    for (const shard of shards) {
      const order = orders.of(shard);
      if (order !== undefined) store.assign(shard, order);
    }
  };
  tell(Array.from({ length: cluster.shards }, (_, shard) => shard));
  return orders.onChange(tell);
}

/** Before a stop: the next start then has nothing to read again, and the log's files go. */
async function sealed(store: Store): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, lastSealsMs);
  await Promise.race([store.settle(), late.promise]);
  clearTimeout(timer);
}

function startPool(
  { settings, cluster, logger }: StorePartOptions,
  arena: ArenaOwner,
  rules: readonly RetentionRule[],
): WorkerPool {
  const size = workerCount(settings);
  const shared: WorkerShared = {
    arena: arena.buffers,
    arenaLanes: arenaLanes(arena.totalBytes, size, cluster.shards),
    shardCount: cluster.shards,
    cacheBytes: Math.floor(settings.query.cacheBytes / size),
    retention: rules,
    limits: {
      recordMaxBytes: settings.ingest.recordMaxBytes,
      fieldsMax: settings.ingest.fieldsMax,
      rejectedKeptBytes: settings.ingest.rejectedMaxBytes,
      inflatedMaxBytes: settings.ingest.inflatedMaxBytes,
    },
  };
  return new WorkerPool({
    ...{ name: "worker", size, depth: workerDepth, logger },
    entry: threadEntry("worker"),
    workerData: shared,
    heapMaxMb: workerHeapMaxMb,
    // Their indices are the numbers of the arena's writers.
    onLost: (index: number) => arena.writerGone(index),
  });
}

function segmentWork(pool: WorkerPool): SegmentWork {
  return {
    seal: (job) => pool.run<SegmentFile>("seal", job, { lane: "seal" }),
    merge: (job) => pool.run<SegmentFile>("merge", job, { lane: "merge" }),
    rewrite: (job) => pool.run<Rewritten>("rewrite", job, { lane: "merge" }),
    verify: (job) => pool.run<void>("verify", job, { lane: "merge" }),
    scrub: (job) => pool.run<Scrubbed>("scrub", job, { lane: "merge" }),
  };
}
