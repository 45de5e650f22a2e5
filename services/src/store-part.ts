import { statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Cluster } from "../../cluster/src/cluster.ts";
import type { NodeIdentity } from "../../cluster/src/node.ts";
import type { Settings } from "../../config/src/schema.ts";
import type { Clock } from "../../kit/src/clock.ts";
import { Lifecycle } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { ArenaOwner } from "../../storage/src/shard/arena.ts";
import type { DataDirectory } from "../../storage/src/shard/data-directory.ts";
import { slabBytes } from "../../storage/src/shard/limits.ts";
import type { SegmentFile, SegmentWork } from "../../storage/src/shard/segment-work.ts";
import { openStore, type Store } from "../../storage/src/shard/store.ts";
import { journalStream } from "./alerts/journal.ts";
import { journalDaysMin } from "./alerts/limits.ts";
import { BodyMemory } from "./http/body-memory.ts";
import { Ingest } from "./ingest.ts";
import { threadEntry } from "./threads/entry.ts";
import { WorkerPool } from "./threads/pool.ts";
import type { WorkerShared } from "./threads/worker.ts";

export interface StorePartOptions {
  readonly settings: Settings;
  readonly data: DataDirectory;
  readonly cluster: Cluster;
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The shards of this node, and the threads that work for them. */
export interface StorePart {
  readonly store: Store;
  readonly arena: ArenaOwner;
  /** Decodes, answers queries, matches tails. */
  readonly pool: WorkerPool;
  readonly ingest: Ingest;
  /** For bodies, on their way to a worker and back. */
  readonly memory: BodyMemory;
  close(): Promise<void>;
}

const dayMs = 24 * 60 * 60 * 1000;

/** One merges at most at a time, which may take long; the other seals meanwhile. */
const upkeepWorkers = 2;

/** Heap of one worker: queries are bounded in bytes, so this is only for what nobody foresaw. */
const workerHeapMaxMb = 1024;

/**
 * A worker for each core but one, which the main thread has, and never less than two: with one alone
 * every query would wait for a body that is being decoded, and the other way round.
 */
function workerCount(settings: Settings): number {
  return settings.storage.workers ?? Math.max(2, availableParallelism() - 1);
}

export async function openStorePart(options: StorePartOptions): Promise<StorePart> {
  const { settings, data, cluster, identity, clock, logger } = options;
  const lifecycle = new Lifecycle();
  try {
    const arenaBytes = Math.ceil(settings.storage.arenaBytes / slabBytes) * slabBytes;
    const arena = new ArenaOwner(arenaBytes);
    const pool = startPool("worker", workerCount(settings), options, arena);
    lifecycle.add("workers", () => pool.close());
    const upkeep = startPool("upkeep", upkeepWorkers, options, arena);
    lifecycle.add("upkeep worker", () => upkeep.close());
    const { manifest, ownership } = cluster;
    const { retention, logMaxBytes, sealAgeMs } = settings.storage;
    const bytesMax = retention.maxBytes ?? diskBytes(data.path) * retention.diskShare;
    logger.info({ days: retention.days, bytesMax: Math.floor(bytesMax) }, "retention");
    const store = await openStore({
      data,
      member: `${identity.nodeId}/${identity.diskId}`,
      shardCount: cluster.shards,
      ...{ arena, manifest, ownership, clock, logger },
      work: segmentWork(upkeep),
      logBytesMax: logMaxBytes,
      sealAgeMs,
      retention: {
        defaultMs: retention.days * dayMs,
        classMs: { [journalStream]: Math.max(retention.days, journalDaysMin) * dayMs },
        bytesMax,
      },
    });
    lifecycle.add("store", () => store.close());
    const memory = new BodyMemory();
    const ingest = new Ingest({ pool, store, arena, memory });
    return { store, arena, pool, ingest, memory, close: () => lifecycle.close() };
  } catch (thrown) {
    await lifecycle.close();
    throw thrown;
  }
}

function diskBytes(folder: string): number {
  const { bsize, blocks } = statfsSync(folder);
  return bsize * blocks;
}

function startPool(
  name: string,
  size: number,
  { settings, cluster, logger }: StorePartOptions,
  arena: ArenaOwner,
): WorkerPool {
  const shared: WorkerShared = {
    arena: arena.buffers,
    shardCount: cluster.shards,
    cacheBytes: Math.floor(settings.query.cacheBytes / size),
    limits: {
      recordMaxBytes: settings.ingest.recordMaxBytes,
      fieldsMax: settings.ingest.fieldsMax,
      rejectedKeptBytes: settings.ingest.rejectedMaxBytes,
      inflatedMaxBytes: settings.ingest.inflatedMaxBytes,
    },
  };
  return new WorkerPool({
    ...{ name, size, logger },
    // A seal must not wait in line behind a merge that one worker has begun.
    depth: name === "worker" ? 2 : 1,
    entry: threadEntry("worker"),
    workerData: shared,
    heapMaxMb: workerHeapMaxMb,
    // Only the decoding pool writes to the arena; its indices are the writers' numbers.
    ...(name === "worker" ? { onLost: (index: number) => arena.writerGone(index) } : {}),
  });
}

function segmentWork(upkeep: WorkerPool): SegmentWork {
  return {
    seal: (job) => upkeep.run<SegmentFile>("seal", job, { lane: "seal" }),
    merge: (job) => upkeep.run<SegmentFile>("merge", job, { lane: "merge" }),
  };
}
