import type { Clock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { Disk } from "../log/disk.ts";
import { logBytesMaxDefault, logFileBytesDefault } from "../log/limits.ts";
import type { SharedOwnership } from "../replication/ownership.ts";
import type { ReplicationPorts } from "../replication/replication.ts";
import type { ArenaOwner } from "./arena.ts";
import type { OnceLimits } from "./checkpoint.ts";
import type { SegmentLimits } from "./context.ts";
import type { DataDirectory } from "./data-directory.ts";
import { type DiskUse, diskUseOf } from "./disk-limit.ts";
import type { MaintenanceOptions } from "./maintenance.ts";
import type { Manifest } from "./manifest.ts";
import type { RetentionLimits } from "./retention.ts";
import { retentionMsOf } from "./retention-class.ts";
import type { SegmentWork } from "./segment-work.ts";

export interface StoreOptions {
  /** Held by this process; closing the store does not release it. */
  readonly data: DataDirectory;
  /** This replica, as `nodeId/diskId`. */
  readonly member: string;
  /** Fixed when the cluster is made. */
  readonly shardCount: number;
  readonly arena: ArenaOwner;
  readonly manifest: Manifest;
  readonly ownership: SharedOwnership;
  /** What joins the shards to their replicas on other nodes; without it each is this node's alone. */
  readonly replication?: ReplicationPorts | undefined;
  readonly work: SegmentWork;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The time on which most nodes agree, by which records grow old; undefined while they do not. By default this node's clock. */
  readonly agreedMs?: (() => number | undefined) | undefined;
  /** Where the log's faults are put in by tests; the real one by default. */
  readonly disk?: Disk;
  /** 64 MiB by default. */
  readonly logFileBytes?: number;
  /** 1 GiB by default; at half of it seals begin, beyond it appends get 503. */
  readonly logBytesMax?: number;
  /** 5 minutes by default. */
  readonly sealAgeMs?: number;
  /** How many shards are sealed side by side; 2 by default. */
  readonly sealsAtOnce?: number;
  readonly retention?: {
    /** 7 days by default. */
    readonly defaultMs?: number;
    /** By retention class. */
    readonly classMs?: Readonly<Record<string, number>>;
    /** All segments together; 80 % of the disk by default. */
    readonly bytesMax?: number;
  };
  readonly segments?: Partial<SegmentLimits>;
  /** How many keys each shard knows. */
  readonly once?: OnceLimits;
  /** How long until every segment file was read once for damage; 7 days by default, 0: none is. */
  readonly scrubPeriodMs?: number;
  /** Bytes that segments, log and trash may take; as much as there is by default. At 95 % appends get 503. */
  readonly diskBytesMax?: number;
  /** How full the disk is; asks the file system by default. */
  readonly diskUse?: () => DiskUse;
}

const dayMs = 24 * 60 * 60 * 1000;

export const retentionMsDefault = 7 * dayMs;
export const scrubPeriodMsDefault = 7 * dayMs;
export const retentionDiskShareDefault = 0.8;

const segmentLimitsDefault: SegmentLimits = {
  mergeWidth: 3,
  mergeBytesMax: 512 * 1024 * 1024,
  replacedKeepMs: 60_000,
  trashKeepMs: 60 * 60 * 1000,
};

/** What the options come to. */
export interface StoreSettings extends MaintenanceOptions {
  readonly logFileBytes: number;
  readonly logBytesMax: number;
  readonly segmentLimits: SegmentLimits;
  readonly scrubPeriodMs: number;
}

export function settingsOf(options: StoreOptions): StoreSettings {
  return {
    logFileBytes: options.logFileBytes ?? logFileBytesDefault,
    logBytesMax: options.logBytesMax ?? logBytesMaxDefault,
    sealAgeMs: options.sealAgeMs ?? 5 * 60 * 1000,
    sealsAtOnce: options.sealsAtOnce ?? 2,
    retention: retentionOf(options),
    scrubPeriodMs: options.scrubPeriodMs ?? scrubPeriodMsDefault,
    segmentLimits: { ...segmentLimitsDefault, ...options.segments },
  };
}

function retentionOf({ data, retention = {}, diskBytesMax }: StoreOptions): RetentionLimits {
  const { classMs = {}, defaultMs = retentionMsDefault } = retention;
  const ofClass = new Map(Object.entries(classMs));
  return {
    retentionMs: (name) => ofClass.get(name) ?? retentionMsOf(name) ?? defaultMs,
    bytesMax:
      retention.bytesMax ??
      Math.min(diskBytesMax ?? Number.POSITIVE_INFINITY, diskUseOf(data.path).totalBytes) *
        retentionDiskShareDefault,
  };
}
