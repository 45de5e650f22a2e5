import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { StoreContext } from "./context.ts";
import type { ManifestOutcome, SegmentEntry, SegmentPartition } from "./manifest.ts";
import { unlinkIfThere } from "./sealing.ts";
import { type LiveSegment, liveSegment, pin, unpin } from "./segment-set.ts";
import type { Rewritten } from "./segment-work.ts";
import type { Shard } from "./shard.ts";
import type { PlacedTombstone } from "./tombstone.ts";

/** The tombstones that may yet match records of a segment. */
export function pendingOf(shard: Shard, segment: LiveSegment): readonly PlacedTombstone[] {
  const { entry, deletedThrough } = segment;
  const { tombstones } = shard.once;
  if (tombstones.lastPosition <= deletedThrough) return [];
  const after = Math.max(deletedThrough, entry.positionFrom);
  const found = new Set<PlacedTombstone>();
  for (const partition of entry.partitions) {
    for (const placed of tombstones.over({ ...partition, after })) found.add(placed);
  }
  return [...found].sort((a, b) => a.position - b.position);
}

/** A segment whose file cannot be read whole, and so not be written anew. */
export function isStuck({ isLost, damagedBlocks }: LiveSegment): boolean {
  return isLost || damagedBlocks.size > 0;
}

/**
 * Takes what tombstones delete out of one segment that may hold such; false: there is none. Rejects when the file cannot be
 * made or the manifest is closed.
 */
export async function rewriteOnce(context: StoreContext): Promise<boolean> {
  for (const shard of context.shards) {
    if (shard.state.kind !== "serving" || shard.once.tombstones.all.length === 0) continue;
    for (const segment of shard.segments.all) {
      if (isStuck(segment)) continue;
      const pending = pendingOf(shard, segment);
      if (pending.length === 0) continue;
      await rewrite(context, shard, segment, pending);
      return true;
    }
  }
  return false;
}

async function rewrite(
  context: StoreContext,
  shard: Shard,
  segment: LiveSegment,
  pending: readonly PlacedTombstone[],
): Promise<void> {
  const { epoch } = shard;
  const deletedThrough = shard.once.tombstones.lastPosition;
  const uuid = randomUUID();
  const file = `${epoch}-${uuid}`;
  const path = join(context.paths.shard(shard.id), file);
  const { entry } = segment;
  let isCommitting = false;
  pin(segment);
  try {
    const input = { path: segment.path, uuid: entry.uuid };
    const job = { path, uuid, epoch, input, tombstones: pending };
    const made = await context.work.rewrite(job);
    if (made.rowsRemoved.every((rows) => rows === 0)) {
      segment.deletedThrough = deletedThrough;
      return;
    }
    await context.disk.fsyncDirectory(context.paths.shard(shard.id));
    const { positionFrom, positionThrough, level } = entry;
    const range = { epoch, positionFrom, positionThrough, level };
    const output: SegmentEntry | undefined = made.file && {
      ...{ uuid, file, ...range, ...made.file, replaces: [entry.uuid], deletedThrough },
      partitions: receivedAs(entry, made.file.partitions),
    };
    isCommitting = true;
    await shard.exclusive(() => commit(context, shard, { segment, output, path, made, pending }));
  } catch (thrown) {
    // What became of a commit that was rejected is known only to the next start.
    if (!isCommitting) unlinkIfThere(path);
    noteDamage(context, shard, segment, thrown);
    throw thrown;
  } finally {
    unpin(segment);
  }
}

/** Age counts from when the log received a record, which its file does not know. */
function receivedAs(
  before: SegmentEntry,
  partitions: readonly SegmentPartition[],
): readonly SegmentPartition[] {
  const nameOf = (of: SegmentPartition) => JSON.stringify([of.tenant, of.class, of.internal]);
  const received = new Map(before.partitions.map((of) => [nameOf(of), of.receiptMsMax]));
  return partitions.map((of) => {
    return { ...of, receiptMsMax: received.get(nameOf(of)) ?? of.receiptMsMax };
  });
}

interface Change {
  readonly segment: LiveSegment;
  /** Undefined when nothing is left of the segment. */
  readonly output: SegmentEntry | undefined;
  readonly path: string;
  readonly made: Rewritten;
  readonly pending: readonly PlacedTombstone[];
}

async function commit(context: StoreContext, shard: Shard, change: Change): Promise<void> {
  const { segment, output, path, made, pending } = change;
  const { uuid } = segment.entry;
  const { epoch } = shard;
  // Retention may have dropped it meanwhile.
  const isLive = segment.retire === undefined && shard.state.kind === "serving";
  if (!isLive || (output !== undefined && output.epoch !== epoch)) {
    unlinkIfThere(path);
    return;
  }
  const at = { shard: shard.id, epoch };
  const outcome: ManifestOutcome =
    output === undefined
      ? await context.manifest.commitDrop({ ...at, uuids: [uuid] })
      : await context.manifest.commitMerge({ ...at, inputs: [uuid], output });
  if (outcome.kind === "deposed") {
    unlinkIfThere(path);
    return;
  }
  const gone = new Set([uuid]);
  const added = output === undefined ? [] : [liveSegment(output, path)];
  shard.segments.replace(gone, added, context.retireReplaced);
  shard.generation = outcome.generation;
  context.counts.rewrites++;
  context.counts.mergedBytes += output?.bytes ?? 0;
  for (const [at, { id }] of pending.entries()) {
    const rows = made.rowsRemoved[at] ?? 0;
    if (rows === 0) continue;
    const work = shard.once.tombstones.workOf(id);
    work.filesRewritten++;
    work.rowsRemoved += rows;
    context.counts.rowsDeleted += rows;
  }
  void context.damage.forget(gone).catch(() => undefined);
  const facts = { shard: shard.id, segment: uuid, rowsRemoved: made.rowsRemoved };
  context.logger.debug(facts, "segment was rewritten without what was deleted");
}

function noteDamage(
  context: StoreContext,
  shard: Shard,
  { entry, path }: LiveSegment,
  thrown: unknown,
): void {
  if (!(thrown instanceof ServiceError) || thrown.code !== "storage.damaged") return;
  const { file, block } = thrown.fields;
  if (file !== path) return;
  const found = { shard: shard.id, uuid: entry.uuid, reason: thrown.message };
  context.reportDamage({ ...found, block: typeof block === "number" ? block : undefined });
}
