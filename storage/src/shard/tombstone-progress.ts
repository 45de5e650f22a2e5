import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { StoreContext } from "./context.ts";
import { orphanAgeMs, stuckNamedMax, stuckWaitMs } from "./limits.ts";
import { isStuck, pendingOf } from "./rewriting.ts";
import { unlinkIfThere } from "./sealing.ts";
import type { LiveSegment } from "./segment-set.ts";
import type { Shard } from "./shard.ts";
import type { PlacedTombstone } from "./tombstone.ts";

/** How far a tombstone has come in one shard. */
export interface TombstoneStatus {
  readonly shard: number;
  readonly placed: PlacedTombstone;
  /** Since this process started. */
  readonly filesRewritten: number;
  readonly rowsRemoved: number;
  /** Live files that may hold a match, those in memory counted as one. */
  readonly filesLeft: number;
  /** Of these, damaged ones, which stay as they are until they are repaired or their time is up. */
  readonly filesStuck: number;
  /** Names of some of them, with their damaged blocks. */
  readonly stuck: readonly string[];
  /** Files that no query finds any more and that still lie on the disk. */
  readonly filesKept: number;
  /** For how long no file that could be rewritten has held a match, in milliseconds; undefined while one may. */
  readonly settledForMs: number | undefined;
  readonly isDone: boolean;
  /**
   * All that can be done is: what is left are damaged files that nobody could repair in a while. The tombstone goes on to hide
   * what they have, and they are rewritten should they be repaired.
   */
  readonly isEnded: boolean;
}

/** Of every tombstone of the shards that are served here. Looks at the disk for those that are about to be done. */
export function tombstoneStatus(context: StoreContext): TombstoneStatus[] {
  const serving = context.shards.filter(({ state }) => state.kind === "serving");
  return serving.flatMap((shard) => {
    let kept: readonly number[] | undefined;
    const sealed = sealedFiles(shard);
    return shard.once.tombstones.all.map((placed) => {
      const files = sealed.get(placed) ?? { left: 0, stuck: [] };
      const filesLeft = files.left + (isInMemory(shard, placed) ? 1 : 0);
      const filesStuck = files.stuck.length;
      const work = shard.once.tombstones.workOf(placed.id);
      if (filesLeft > filesStuck) work.settledMs = undefined;
      else work.settledMs ??= context.clock.now();
      const { filesRewritten, rowsRemoved, settledMs } = work;
      let filesKept = 0;
      if (settledMs !== undefined) {
        kept ??= keptFiles(context, shard);
        filesKept = kept.filter((madeMs) => madeMs <= settledMs).length;
      }
      const isDone = filesLeft === 0 && filesKept === 0;
      const isSettled = settledMs !== undefined && filesKept === 0;
      const settledForMs = settledMs === undefined ? undefined : context.clock.now() - settledMs;
      const isEnded = isSettled && context.clock.now() - settledMs >= stuckWaitMs;
      const stuck = files.stuck.slice(0, stuckNamedMax).map(nameOf);
      const facts = { filesLeft, filesStuck, filesKept, stuck, settledForMs, isDone, isEnded };
      return { shard: shard.id, placed, filesRewritten, rowsRemoved, ...facts };
    });
  });
}

/** Whether records in memory may match, which nothing removes before they are sealed. */
export function isInMemory({ memtable }: Shard, { position, tenant }: PlacedTombstone): boolean {
  return memtable.batches.some((batch) => batch.position < position && batch.tenant === tenant);
}

interface SealedFiles {
  left: number;
  readonly stuck: LiveSegment[];
}

function nameOf({ damagedBlocks, entry, isLost }: LiveSegment): string {
  const blocks = [...damagedBlocks].sort((a, b) => a - b).join(", ");
  return isLost ? `${entry.file}, lost` : `${entry.file}, block ${blocks}`;
}

/** By tombstone, how many live files may hold a match, and those of them that cannot be rewritten. */
function sealedFiles(shard: Shard): Map<PlacedTombstone, SealedFiles> {
  const files = new Map<PlacedTombstone, SealedFiles>();
  for (const segment of shard.segments.all) {
    for (const placed of pendingOf(shard, segment)) {
      const sum = files.get(placed) ?? { left: 0, stuck: [] };
      sum.left++;
      if (isStuck(segment)) sum.stuck.push(segment);
      files.set(placed, sum);
    }
  }
  return files;
}

const segmentName = /^(?:\d+-)?\d+-[0-9a-f-]{36}$/;

/**
 * When the files of segments were written that are not live and still lie there: replaced and kept for queries, pinned, in the
 * trash, or left by a crash; those are deleted here when nothing can name them any more.
 */
function keptFiles({ clock, paths }: StoreContext, shard: Shard): readonly number[] {
  const live = new Set(shard.segments.all.map(({ entry }) => entry.file));
  const times: number[] = [];
  for (const directory of [paths.shard(shard.id), paths.trash]) {
    for (const name of readdirSync(directory)) {
      if (!segmentName.test(name) || live.has(name)) continue;
      const path = join(directory, name);
      const madeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      if (madeMs === undefined) continue;
      const isLeft = directory !== paths.trash && shard.orphans.has(name);
      if (isLeft && madeMs < clock.now() - orphanAgeMs) unlinkIfThere(path);
      else times.push(madeMs);
    }
  }
  return times;
}
