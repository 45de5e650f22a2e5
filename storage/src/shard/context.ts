import type { Clock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { CommitLog } from "../log/commit-log.ts";
import type { Disk } from "../log/disk.ts";
import type { EpochFile } from "../log/epoch-file.ts";
import type { LogDamage } from "../log/recovered-entries.ts";
import type { ArenaOwner, ArenaWriter } from "./arena.ts";
import type { DamagedBlock, DamagedSegment, DamageList } from "./damage-list.ts";
import type { StorePaths } from "./data-directory.ts";
import type { DiskLimit } from "./disk-limit.ts";
import type { Manifest } from "./manifest.ts";
import type { MemoryBatch } from "./memtable.ts";
import type { Ownership } from "./ownership.ts";
import type { RetentionClock } from "./retention-clock.ts";
import type { SegmentChange } from "./sealed.ts";
import type { LiveSegment } from "./segment-set.ts";
import type { SegmentWork } from "./segment-work.ts";
import type { Shard } from "./shard.ts";
import type { ShardHost } from "./shard-host.ts";

/** What happened since the store was opened. */
export interface StoreCounts {
  parts: number;
  rows: number;
  bytes: number;
  repeats: number;
  seals: number;
  merges: number;
  drops: number;
  /** Segments written anew, or dropped, for what was deleted of them. */
  rewrites: number;
  rowsDeleted: number;
  /** Bytes of entries put into the commit log, headers too. */
  loggedBytes: number;
  /** Bytes of segments that seals made, and that merges made. */
  sealedBytes: number;
  mergedBytes: number;
  /** Bytes and records of segments that retention dropped. */
  droppedBytes: number;
  droppedRows: number;
  /** Seals, merges and drops that failed and are tried again. */
  maintenanceFailures: number;
}

export interface SegmentLimits {
  /** A merge takes at least so many segments of like size. */
  readonly mergeWidth: number;
  /** A merge makes no segment larger than this. */
  readonly mergeBytesMax: number;
  /** How long the file of a merged segment stays for queries that opened before, in milliseconds. */
  readonly replacedKeepMs: number;
  /** How long the file of a dropped segment rests in the trash, in milliseconds. */
  readonly trashKeepMs: number;
}

/** What the parts of an open store share. */
export interface StoreContext {
  readonly arena: ArenaOwner;
  /** One for all shards, so that a start does not leave a slab to each of them. */
  readonly writer: ArenaWriter;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly disk: Disk;
  readonly paths: StorePaths;
  readonly log: CommitLog;
  readonly epochs: EpochFile;
  /** What was wrong with shards in the log when it was opened. */
  readonly logDamage: ReadonlyMap<number, readonly LogDamage[]>;
  /** Up to where shards were committed once, as the entries said that the log had when it was opened. */
  readonly loggedCommitted: ReadonlyMap<number, number>;
  readonly manifest: Manifest;
  readonly ownership: Ownership;
  readonly work: SegmentWork;
  readonly shards: readonly Shard[];
  /** By shard. */
  readonly hosts: readonly ShardHost[];
  readonly damage: DamageList;
  readonly counts: StoreCounts;
  readonly diskLimit: DiskLimit;
  readonly segmentLimits: SegmentLimits;
  /** By which records grow old. */
  readonly retentionClock: RetentionClock;
  /** Told of each batch in the step that commits it. */
  readonly onCommitted: (batch: MemoryBatch) => void;
  /** Told of each seal and drop in the step that changes the segments. */
  readonly onSegments: (change: SegmentChange) => void;
  readonly reportDamage: (found: DamagedBlock | DamagedSegment) => void;
  /** Another replica may have whole what is damaged here. */
  readonly repair: (shard: number, segment: LiveSegment) => void;
  /** What happens to the file of a merged segment once nobody reads it. */
  readonly retireReplaced: (segment: LiveSegment) => void;
  /** What happens to the file of a dropped segment once nobody reads it. */
  readonly retireDropped: (segment: LiveSegment) => void;
}
