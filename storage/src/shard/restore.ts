import { readdirSync, readFileSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { LogEntry } from "../log/commit-log.ts";
import { cutHeader } from "../log/entry.ts";
import { damageError } from "../log/recovered-entries.ts";
import { checkpointDecode } from "./checkpoint.ts";
import type { StoreContext } from "./context.ts";
import type { IdempotencyRecord } from "./idempotency-table.ts";
import { orphanAgeMs } from "./limits.ts";
import type { ShardManifest } from "./manifest.ts";
import { type LiveSegment, liveSegment } from "./segment-set.ts";
import type { EntryMeaning, Shard } from "./shard.ts";
import type { Tombstone } from "./tombstone.ts";

const noBody = Buffer.alloc(0);

/**
 * Brings a shard that was just acquired to what is sealed and logged: segments, checkpoint, and the
 * entries behind `sealedThrough` with their batches in the arena. Throws `storage.damaged` when the log
 * and the manifest do not fit together, and `storage.full` when the arena does not hold the tail.
 */
export async function restoreShard(
  context: StoreContext,
  shard: Shard,
  manifest: ShardManifest,
): Promise<void> {
  const directory = context.paths.shard(shard.id);
  // Nobody makes files while the shard is taken over: whatever the manifest does not name was made before it was read.
  const files = readdirSync(directory);
  const segments = manifest.segments.map((entry) => {
    return checked(context, liveSegment(entry, join(directory, entry.file)));
  });
  checkEnds(context, shard, manifest, segments);
  shard.restoreSealed(manifest.sealedThrough);
  shard.generation = manifest.generation;
  shard.checkpoint = manifest.checkpoint;
  shard.segments.replace(new Set(), segments, () => undefined);
  for (const segment of segments) {
    if (segment.isLost || segment.damagedBlocks.size > 0) context.repair(shard.id, segment);
  }
  if (manifest.checkpoint !== undefined) {
    const path = join(directory, manifest.checkpoint);
    shard.once.restore(checkpointDecode(readFileSync(path), path));
  }
  await inheritTail(context, shard);
  context.log.sealed(shard.id, manifest.sealedThrough.position);
  removeOrphans(context, shard, files, manifest);
}

/** A segment whose file is gone or short is served without it, and named. */
function checked(context: StoreContext, segment: LiveSegment): LiveSegment {
  for (const block of context.damage.blocksOf(segment.entry.uuid)) segment.damagedBlocks.add(block);
  const size = statSync(segment.path, { throwIfNoEntry: false })?.size;
  if (size === segment.entry.bytes) return segment;
  segment.isLost = true;
  const { uuid, bytes } = segment.entry;
  context.logger.error({ segment: uuid, file: segment.path, bytes, size }, "segment file is lost");
  return segment;
}

function checkEnds(
  context: StoreContext,
  shard: Shard,
  manifest: ShardManifest,
  segments: readonly LiveSegment[],
): void {
  const { epochs, log, logDamage } = context;
  const sealed = manifest.sealedThrough.position;
  const damage = logDamage.get(shard.id)?.find(({ position }) => position > sealed);
  if (damage !== undefined) throw damageError(damage, shard.id);
  const range = log.range(shard.id);
  const end = range?.end.position ?? 0;
  const { committed } = epochs.of(shard.id);
  const facts = { shard: shard.id, end, sealedThrough: sealed, committed };
  if (Math.max(end, sealed) < committed) {
    throw new ServiceError("storage.damaged", "commit log ends below what was committed", facts);
  }
  // A log that was closed with all of it sealed has no files, but noted how far it went.
  if (Math.max(end, committed) < sealed && segments.some(({ isLost }) => isLost)) {
    const message = "commit log ends below what is sealed, and sealed segments are lost";
    throw new ServiceError("storage.damaged", message, facts);
  }
  const epochAtSealed = log.epochAt(shard.id, sealed) ?? manifest.sealedThrough.epoch;
  const follows =
    epochAtSealed === manifest.sealedThrough.epoch && (range?.base.position ?? 0) <= sealed;
  if (!follows) {
    const message = "commit log does not continue what is sealed";
    throw new ServiceError("storage.damaged", message, facts);
  }
}

async function inheritTail({ arena, log, writer }: StoreContext, shard: Shard): Promise<void> {
  const range = log.range(shard.id);
  const { sealedThrough } = shard;
  if (range !== undefined && range.end.position < sealedThrough.position) {
    // The next entry follows what is sealed, and not what the log ends with.
    const header = cutHeader("reset", shard.id, { to: sealedThrough, from: range.end });
    while (!log.fits(header)) await log.room();
    await log.append({ header, body: noBody });
    return;
  }
  for (let at = sealedThrough.position + 1; at <= (range?.end.position ?? 0); at++) {
    const entry = log.read(shard.id, at);
    assert(entry !== undefined, "a log has what is not sealed");
    shard.inherit(entry.header, meaningOf({ arena, writer }, entry));
  }
}

type Memory = Pick<StoreContext, "arena" | "writer">;

/** What an entry's body means; a batch of records goes to the arena and is retained there. */
function meaningOf(memory: Memory, { header, body }: LogEntry): EntryMeaning {
  switch (header.kind) {
    case "records":
      return { batch: loadBatch(memory, body) };
    case "idempotency":
      return { idempotency: JSON.parse(String(body)) as IdempotencyRecord };
    case "tombstone":
      return { tombstone: JSON.parse(String(body)) as Tombstone };
    case "epoch-start":
    case "truncate":
    case "reset":
    case "file-end":
      return {};
  }
}

function loadBatch({ arena, writer }: Memory, body: Uint8Array): EntryMeaning["batch"] {
  const { length } = body;
  const room = writer.reserve(length);
  if (room === undefined) {
    const message = "the arena is too small for the commit log's unsealed records";
    throw new ServiceError("storage.failed", message, { arenaBytes: arena.totalBytes });
  }
  room.view.set(body);
  writer.commit(length);
  arena.retain(room.offset, length);
  return { offset: room.offset, length };
}

/** Files of segments that others replaced, and, after a day, of seals and merges that were never committed. */
function removeOrphans(
  context: StoreContext,
  shard: Shard,
  files: readonly string[],
  manifest: ShardManifest,
): void {
  const referenced = new Set(manifest.segments.map(({ file }) => file));
  if (manifest.checkpoint !== undefined) referenced.add(manifest.checkpoint);
  const replaced = new Set(manifest.segments.flatMap(({ replaces }) => replaces));
  const oldestMs = context.clock.now() - orphanAgeMs;
  for (const file of files) {
    const path = join(context.paths.shard(shard.id), file);
    if (referenced.has(file)) continue;
    // Whoever read a replaced one was of the process before.
    const isReplaced = replaced.has(file.slice(file.indexOf("-") + 1));
    if (!isReplaced && statSync(path).mtimeMs > oldestMs) {
      shard.orphans.add(file);
      continue;
    }
    unlinkSync(path);
    context.logger.info({ file: path }, "orphan file was deleted");
  }
}
