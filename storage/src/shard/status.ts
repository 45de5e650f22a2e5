import type { LogPoint } from "../log/entry.ts";
import type { Strain } from "../replication/disk-strain.ts";
import type { StoreContext, StoreCounts } from "./context.ts";
import type { DamagedBlock } from "./damage-list.ts";
import type { DiskStatus } from "./disk-limit.ts";
import type { Shard } from "./shard.ts";
import type { ShardHost } from "./shard-host.ts";

/** One shard as this node has it; for the list of shards. */
export interface ShardStatus {
  readonly shard: number;
  readonly state: "waiting" | "serving" | "foreign" | "stopped";
  /** Why it is stopped, or who owns it. */
  readonly reason: string | undefined;
  readonly epoch: number;
  /** `nodeId/diskId/incarnation`; of this process when it serves. */
  readonly owner: string | undefined;
  /** The replicas that must have an entry, as `nodeId/diskId`. */
  readonly members: readonly string[];
  readonly committed: LogPoint;
  /** The owner's: how far the other members and learners are. */
  readonly others: readonly OtherReplica[];
  /** Whether a change of the set is under way. */
  readonly isChanging: boolean;
  readonly sealedThrough: LogPoint;
  readonly generation: number;
  readonly segments: number;
  readonly segmentRows: number;
  readonly segmentBytes: number;
  readonly memoryBatches: number;
  readonly memoryRows: number;
  readonly memoryBytes: number;
  /** Segments whose file is gone or short, by uuid. */
  readonly lostSegments: readonly string[];
}

/** A replica of a shard as its owner knows it. */
export interface OtherReplica {
  /** `nodeId/diskId`. */
  readonly replica: string;
  /** Whether it is waited for; a learner is not. */
  readonly isMember: boolean;
  /** What it has on disk of the log. */
  readonly durable: number;
  /** What is done about it, in a word. */
  readonly phase: string;
}

/** Numbers for metrics; bytes are of memory or disk as they say. */
export interface StoreStatus {
  readonly shards: readonly ShardStatus[];
  readonly damagedBlocks: readonly DamagedBlock[];
  readonly counts: Readonly<StoreCounts>;
  readonly arenaBytes: number;
  readonly arenaUsedBytes: number;
  readonly arenaLiveBytes: number;
  readonly logBytes: number;
  readonly logBytesMax: number;
  readonly disk: DiskStatus;
  /** Why shards go to replicas on other disks. */
  readonly strain: Strain | undefined;
  /** Nothing is dropped for its age, since the clocks of most nodes do not agree. */
  readonly isRetentionWaiting: boolean;
  /** Why the commit log takes nothing more. */
  readonly logFailure: string | undefined;
}

export function storeStatus(
  context: StoreContext,
  { logBytesMax, strain }: Pick<StoreStatus, "logBytesMax" | "strain">,
): StoreStatus {
  const { arena, counts, damage, diskLimit, log, ownership, retentionClock, shards } = context;
  return {
    shards: shards.map((shard) => {
      return shardStatus(shard, ownership.self, context.hosts[shard.id]!.replicas);
    }),
    damagedBlocks: damage.blocks,
    counts: { ...counts },
    arenaBytes: arena.totalBytes,
    arenaUsedBytes: arena.usedBytes,
    arenaLiveBytes: arena.liveBytes,
    logBytes: log.usedBytes,
    logBytesMax,
    strain,
    disk: diskLimit.status,
    isRetentionWaiting: retentionClock.isWaiting,
    logFailure: log.failure?.message,
  };
}

function shardStatus(
  shard: Shard,
  self: string,
  { members, others, isChanging }: ShardHost["replicas"],
): ShardStatus {
  const segments = shard.segments.all;
  const { state, memtable } = shard;
  return {
    shard: shard.id,
    state: state.kind,
    reason: state.kind === "stopped" ? state.error.message : undefined,
    epoch: shard.epoch,
    owner: state.kind === "serving" ? self : state.kind === "foreign" ? state.owner : undefined,
    members,
    committed: shard.committed,
    ...{ others, isChanging },
    sealedThrough: shard.sealedThrough,
    generation: shard.generation,
    segments: segments.length,
    segmentRows: segments.reduce((sum, { entry }) => sum + entry.rows, 0),
    segmentBytes: segments.reduce((sum, { entry }) => sum + entry.bytes, 0),
    memoryBatches: memtable.batches.length,
    memoryRows: memtable.rows,
    memoryBytes: memtable.bytes,
    lostSegments: segments.filter(({ isLost }) => isLost).map(({ entry }) => entry.uuid),
  };
}
