import { copyFileSync, linkSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { LogPoint } from "../log/entry.ts";
import type { StoreContext } from "./context.ts";
import type { StorePaths } from "./data-directory.ts";
import type { SegmentEntry } from "./manifest.ts";
import { unlinkIfThere } from "./sealing.ts";
import { type LiveSegment, pin, unpin } from "./segment-set.ts";
import type { Shard } from "./shard.ts";

/** One file of a cut, that stays what it is until the cut is released. */
export interface BackupFile {
  /** As its shard calls it. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** What of a shard is sealed, and the files that it lies in. */
export interface ShardBackup {
  readonly shard: number;
  readonly epoch: number;
  readonly generation: number;
  readonly sealedThrough: LogPoint;
  readonly checkpoint: string | undefined;
  readonly segments: readonly SegmentEntry[];
  readonly files: readonly BackupFile[];
}

/** All shards at one moment, for a copy. */
export interface BackupCut {
  readonly shards: readonly ShardBackup[];
  /** What should be in it and is not whole, by name. */
  readonly missing: readonly string[];
  /** Once; more does nothing. */
  release(): void;
}

/** Where the checkpoints of cuts lie meanwhile: a shard replaces its own with every seal. */
export function heldDirectory({ root }: StorePaths): string {
  return join(root, "held");
}

/** Removes what cuts of a process before have left. */
export function removeHeld(paths: StorePaths): void {
  const directory = heldDirectory(paths);
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory)) unlinkIfThere(join(directory, name));
}

/** How far shards have to be sealed, so that all that is committed by now is in a cut of them; by shard, all when none are named. */
export function committedEnds(
  { shards }: StoreContext,
  wanted?: ReadonlySet<number>,
): ReadonlyMap<number, number> {
  const chosen = shards.filter(({ id }) => wanted === undefined || wanted.has(id));
  for (const { id, state } of chosen) {
    if (state.kind === "serving") continue;
    throw new ServiceError("ingest.unavailable", "a shard is not served here", { shard: id });
  }
  return new Map(chosen.map(({ id, committed }) => [id, committed.position]));
}

/**
 * Takes the cut of the shards of `ends`, in one synchronous step. Throws `storage.failed` when a shard is not sealed up to its end, and what the file
 * system says; nothing is held then.
 */
export function takeBackupCut(
  context: StoreContext,
  id: string,
  ends: ReadonlyMap<number, number>,
): BackupCut {
  const pinned: LiveSegment[] = [];
  const held: string[] = [];
  const missing: string[] = [];
  const release = (): void => {
    for (const segment of pinned.splice(0)) unpin(segment);
    for (const path of held.splice(0)) unlinkIfThere(path);
  };
  try {
    const shards = [...ends].map(([number, end]) => {
      const shard = context.shards[number] as Shard;
      checkSealed(shard, end);
      const segments = shard.segments.all.filter((segment) => isWhole(shard, segment, missing));
      for (const segment of segments) {
        pin(segment);
        pinned.push(segment);
      }
      const files = segments.map(({ entry, path }) => {
        return { name: entry.file, path, bytes: entry.bytes };
      });
      const checkpoint = holdCheckpoint(context, shard, id);
      if (checkpoint !== undefined) held.push(checkpoint.path);
      return {
        ...{ shard: shard.id, epoch: shard.epoch, generation: shard.generation },
        ...{ sealedThrough: shard.sealedThrough, checkpoint: shard.checkpoint },
        segments: segments.map(({ entry }) => entry),
        files: checkpoint === undefined ? files : [...files, checkpoint],
      };
    });
    return { shards, missing, release };
  } catch (thrown) {
    release();
    throw thrown;
  }
}

function checkSealed({ id, sealedThrough }: Shard, end: number): void {
  if (sealedThrough.position >= end) return;
  const facts = { shard: id, sealedThrough: sealedThrough.position, end };
  throw new ServiceError("storage.failed", "a shard could not be sealed for the copy", facts);
}

/** A file that is lost is left out; one with damaged blocks is copied as it is. Both are named. */
function isWhole(shard: Shard, segment: LiveSegment, missing: string[]): boolean {
  const name = `shard ${shard.id} segment ${segment.entry.uuid}`;
  for (const block of segment.damagedBlocks) missing.push(`${name} block ${block}`);
  if (segment.isLost) missing.push(name);
  return !segment.isLost;
}

function holdCheckpoint(
  { paths }: StoreContext,
  { id: shard, checkpoint }: Shard,
  id: string,
): BackupFile | undefined {
  if (checkpoint === undefined) return undefined;
  const from = join(paths.shard(shard), checkpoint);
  const path = join(heldDirectory(paths), `${id}-${shard}`);
  try {
    linkSync(from, path);
  } catch {
    // A file system without links.
    copyFileSync(from, path);
  }
  return { name: checkpoint, path, bytes: statSync(path).size };
}
