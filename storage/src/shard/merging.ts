import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { StoreContext } from "./context.ts";
import { mergeReceiptSpanMs } from "./limits.ts";
import type { SegmentEntry } from "./manifest.ts";
import { chooseMerge, type MergeLimits } from "./merge-choice.ts";
import { partitionsOf } from "./partitions.ts";
import { isStuck, pendingOf } from "./rewriting.ts";
import { unlinkIfThere } from "./sealing.ts";
import { type LiveSegment, liveSegment, pin, unpin } from "./segment-set.ts";
import type { Shard } from "./shard.ts";

/** What bounds a merge at this time, beside the store's own limits. */
export interface MergeMoment {
  /** Segments that are alike, at least; undefined: as the store's `mergeWidth` says. */
  readonly countMin: number | undefined;
  readonly bytesMax: number;
}

/**
 * Merges once where it is worth it; false: nowhere. The work is done beside appends and seals, only the
 * commit takes its turn among them. Rejects when the file cannot be made or the manifest is closed.
 */
export async function mergeOnce(context: StoreContext, moment: MergeMoment): Promise<boolean> {
  const { mergeWidth, mergeBytesMax } = context.segmentLimits;
  const limits: MergeLimits = {
    mergeWidth: Math.max(mergeWidth, moment.countMin ?? 0),
    mergeBytesMax: Math.min(moment.bytesMax, mergeBytesMax),
    receiptSpanMsMax: mergeReceiptSpanMs,
  };
  for (const shard of context.shards) {
    if (shard.state.kind !== "serving") continue;
    // What is damaged stays as it is: a copy elsewhere may yet repair it. What is to be deleted goes first.
    const mergeable = shard.segments.all.filter(
      (segment) => !isStuck(segment) && pendingOf(shard, segment).length === 0,
    );
    const chosen = chooseMerge(
      mergeable.map(({ entry }) => entry),
      limits,
    );
    if (chosen === undefined) continue;
    const inputs = mergeable.filter(({ entry }) => chosen.includes(entry));
    await merge(context, shard, inputs);
    return true;
  }
  return false;
}

async function merge(
  context: StoreContext,
  shard: Shard,
  inputs: readonly LiveSegment[],
): Promise<void> {
  const { epoch } = shard;
  const uuid = randomUUID();
  const file = `${epoch}-${uuid}`;
  const path = join(context.paths.shard(shard.id), file);
  const entries = inputs.map(({ entry }) => entry);
  const { lastPosition } = shard.once.tombstones;
  const range = {
    epoch,
    positionFrom: Math.min(...entries.map(({ positionFrom }) => positionFrom)),
    positionThrough: Math.max(...entries.map(({ positionThrough }) => positionThrough)),
    level: 1 + Math.max(...entries.map(({ level }) => level)),
  };
  for (const input of inputs) pin(input);
  try {
    const made = await context.work.merge({
      ...{ path, uuid, shard: shard.id, ...range },
      inputs: inputs.map((input) => ({ path: input.path, uuid: input.entry.uuid })),
    });
    await context.disk.fsyncDirectory(context.paths.shard(shard.id));
    const partitions = partitionsOf(entries.flatMap((entry) => entry.partitions));
    const replaces = entries.map((entry) => entry.uuid);
    const known = lastPosition === 0 ? {} : { deletedThrough: lastPosition };
    const output: SegmentEntry = { uuid, file, ...range, ...made, replaces, partitions, ...known };
    await shard.exclusive(() => commit(context, shard, inputs, output, path));
  } catch (thrown) {
    // A rejected commit may yet have happened: then only a restart knows whose the file is.
    if (!(thrown instanceof UnknownOutcome)) unlinkIfThere(path);
    noteDamage(context, shard, inputs, thrown);
    throw thrown;
  } finally {
    for (const input of inputs) unpin(input);
  }
}

/** A merge reads every block: what it finds damaged is left out of it the next time. */
function noteDamage(
  context: StoreContext,
  shard: Shard,
  inputs: readonly LiveSegment[],
  thrown: unknown,
): void {
  if (!(thrown instanceof ServiceError) || thrown.code !== "storage.damaged") return;
  const { file, block } = thrown.fields;
  const input = inputs.find(({ path }) => path === file);
  if (input === undefined) return;
  const { uuid } = input.entry;
  const found = { shard: shard.id, uuid, reason: thrown.message };
  context.reportDamage({ ...found, block: typeof block === "number" ? block : undefined });
}

/** The manifest was closed before it told what became of a commit. */
class UnknownOutcome extends Error {
  override readonly name = "UnknownOutcome";
}

async function commit(
  context: StoreContext,
  shard: Shard,
  inputs: readonly LiveSegment[],
  output: SegmentEntry,
  path: string,
): Promise<void> {
  // Retention may have dropped an input meanwhile; what is live has nothing to retire to.
  const areLive = inputs.every(({ retire }) => retire === undefined);
  if (!areLive || shard.epoch !== output.epoch || shard.state.kind !== "serving") {
    unlinkIfThere(path);
    return;
  }
  const { epoch, replaces } = output;
  const outcome = await context.manifest
    .commitMerge({ shard: shard.id, epoch, inputs: replaces, output })
    .catch((thrown: unknown) => {
      throw new UnknownOutcome("outcome of a merge is unknown", { cause: thrown });
    });
  if (outcome.kind === "deposed") {
    unlinkIfThere(path);
    return;
  }
  const gone = new Set(replaces);
  shard.segments.replace(gone, [liveSegment(output, path)], context.retireReplaced);
  shard.generation = outcome.generation;
  context.counts.merges++;
  context.counts.mergedBytes += output.bytes;
  void context.damage.forget(gone).catch(() => undefined);
  const facts = { shard: shard.id, inputs: replaces.length, rows: output.rows };
  context.logger.debug({ ...facts, bytes: output.bytes }, "segments merged");
}
