import type { ServiceError } from "../../../kit/src/errors.ts";
import { CommitLog } from "../log/commit-log.ts";
import { nodeDisk } from "../log/disk.ts";
import { EpochFile } from "../log/epoch-file.ts";
import type { RecoveredLog } from "../log/recovery.ts";
import type { ReplicaHost } from "../replication/replica-host.ts";
import { ReplicatedManifest } from "../replication/replicated-manifest.ts";
import { ArenaWriter } from "./arena.ts";
import { removeHeld } from "./backup-cut.ts";
import type { StoreContext } from "./context.ts";
import { DamageList } from "./damage-list.ts";
import { type StorePaths, storePaths } from "./data-directory.ts";
import { DiskLimit, diskUseOf } from "./disk-limit.ts";
import { moveToTrash } from "./dropping.ts";
import { storeArenaWriter } from "./limits.ts";
import { RetentionClock } from "./retention-clock.ts";
import type { Retiring } from "./retiring.ts";
import { Shard } from "./shard.ts";
import type { StoreOptions, StoreSettings } from "./store-options.ts";

/** What the parts of a store tell it, and what it has before them. */
export interface ContextOwner
  extends Pick<StoreContext, "onCommitted" | "onSegments" | "reportDamage" | "repair"> {
  /** By shard; filled once the store is open. */
  readonly hosts: readonly ReplicaHost[];
  readonly retiring: Retiring;
  /** Half of the log is in use. */
  readonly onLogFills: () => void;
  /** The disk is not to be trusted any more. */
  readonly onLogFailed: (error: ServiceError) => void;
}

/**
 * Opens what a data directory has, and makes what the parts of its store share. Rejects with `storage.damaged`, `storage.full` and
 * what the file system says; then nothing is left open.
 */
export async function openContext(
  options: StoreOptions,
  settings: StoreSettings,
  owner: ContextOwner,
): Promise<StoreContext> {
  const { data, disk = nodeDisk, logger, shardCount } = options;
  const paths = storePaths(data, shardCount);
  // Files are made durable in their directories; the directories must be so in theirs.
  for (const path of [paths.root, data.path]) await disk.fsyncDirectory(path);
  removeHeld(paths);
  const opened = await CommitLog.open({
    directory: paths.log,
    disk,
    logger,
    fileBytes: settings.logFileBytes,
    bytesMax: settings.logBytesMax,
    onSealWanted: owner.onLogFills,
    onFailed: owner.onLogFailed,
  });
  try {
    return contextOf({ ...options, disk }, settings, owner, { ...opened, paths });
  } catch (thrown) {
    await opened.log.close();
    throw thrown;
  }
}

function contextOf(
  options: StoreOptions & Required<Pick<StoreOptions, "disk">>,
  { segmentLimits }: StoreSettings,
  { hosts, retiring, onCommitted, onSegments, reportDamage, repair }: ContextOwner,
  opened: {
    readonly log: CommitLog;
    readonly recovered: RecoveredLog;
    readonly paths: StorePaths;
  },
): StoreContext {
  const { agreedMs, arena, clock, disk, logger, manifest, once, ownership, work } = options;
  const { log, paths, recovered } = opened;
  const shards = Array.from({ length: options.shardCount }, (_, id) => new Shard(id, arena, once));
  const epochs = EpochFile.open(disk, paths.root);
  for (const { id } of shards) {
    // Without a promise it never took an entry, so none is lost.
    const isUntouched = epochs.of(id).promised === 0 && !recovered.shards.has(id);
    if (isUntouched) recovered.damaged.emptied(id);
  }
  const retentionClock = new RetentionClock({ clock, logger, agreedMs, shards });
  return {
    ...{ arena, clock, logger, disk, paths, log, ownership, work },
    ...{ epochs, hosts, retentionClock, segmentLimits, shards },
    ...{ onCommitted, onSegments, reportDamage, repair },
    manifest: new ReplicatedManifest(manifest, (shard) => hosts[shard]!),
    logDamage: recovered.damaged,
    loggedCommitted: new Map([...recovered.shards].map(([id, { committed }]) => [id, committed])),
    writer: new ArenaWriter(arena.buffers, storeArenaWriter),
    damage: DamageList.open(disk, paths.root),
    diskLimit: diskLimitOf(options, paths, shards, log),
    counts: {
      ...{ parts: 0, rows: 0, bytes: 0, repeats: 0 },
      ...{ seals: 0, merges: 0, drops: 0, droppedBytes: 0, droppedRows: 0 },
      ...{ rewrites: 0, rowsDeleted: 0, maintenanceFailures: 0 },
      ...{ loggedBytes: 0, sealedBytes: 0, mergedBytes: 0 },
    },
    retireReplaced: (segment) => retiring.later(segment),
    retireDropped: (segment) => {
      retiring.attempt(segment.path, () => {
        moveToTrash(paths.trash, segment, retentionClock.nowMs() ?? clock.now());
      });
    },
  };
}

function diskLimitOf(
  options: Pick<StoreOptions, "diskBytesMax" | "diskUse">,
  { root, trash }: StorePaths,
  shards: readonly Shard[],
  log: CommitLog,
): DiskLimit {
  const { diskBytesMax: bytesMax, diskUse = () => diskUseOf(root) } = options;
  const liveBytes = () => shards.reduce((sum, { segments }) => sum + segments.bytes, log.usedBytes);
  return new DiskLimit({ diskUse, bytesMax, liveBytes, trash });
}
