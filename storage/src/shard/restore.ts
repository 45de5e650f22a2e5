import { readdirSync, readFileSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";
import { damageError, type RecoveredEntry } from "../log/recovery.ts";
import { checkpointDecode } from "./checkpoint.ts";
import type { StoreContext } from "./context.ts";
import type { IdempotencyRecord } from "./idempotency-table.ts";
import { orphanAgeMs } from "./limits.ts";
import type { ShardManifest } from "./manifest.ts";
import type { MemoryBatch } from "./memtable.ts";
import { type LiveSegment, liveSegment } from "./segment-set.ts";
import type { EntryMeaning, Shard } from "./shard.ts";
import type { Tombstone } from "./tombstone.ts";

/**
 * Brings a shard that was just acquired to what is sealed and logged: segments, checkpoint, and the
 * entries behind `sealedThrough` with their batches in the arena. Throws `storage.damaged` when the log
 * and the manifest do not fit together, and `storage.full` when the arena does not hold the tail.
 */
export async function restoreShard(context: StoreContext, shard: Shard): Promise<void> {
  const directory = context.paths.shard(shard.id);
  // Listed before the manifest is read: a file made meanwhile is not taken for an orphan.
  const files = readdirSync(directory);
  const manifest = await context.manifest.load(shard.id);
  const segments = manifest.segments.map((entry) => {
    return checked(context, liveSegment(entry, join(directory, entry.file)));
  });
  checkEnds(context, shard, manifest, segments);
  shard.restoreSealed(manifest.sealedThrough);
  shard.generation = manifest.generation;
  shard.checkpoint = manifest.checkpoint;
  shard.segments.replace(new Set(), segments, () => undefined);
  if (manifest.checkpoint !== undefined) {
    const path = join(directory, manifest.checkpoint);
    shard.once.restore(checkpointDecode(readFileSync(path), path));
  }
  inheritTail(context, shard);
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
  const { epochs, recovered } = context;
  const entries = recovered.shards.get(shard.id) ?? [];
  const sealed = manifest.sealedThrough.position;
  const damage = recovered.damaged.get(shard.id)?.find(({ position }) => position > sealed);
  if (damage !== undefined) throw damageError(damage, shard.id);
  const end = entries.at(-1)?.header.position ?? 0;
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
  const at = entries.find(({ header }) => header.position === sealed)?.header;
  const next = entries.find(({ header }) => header.position > sealed)?.header;
  const follows =
    (at === undefined || at.epoch === manifest.sealedThrough.epoch) &&
    (next === undefined || next.previousPosition === sealed);
  if (!follows) {
    const message = "commit log does not continue what is sealed";
    throw new ServiceError("storage.damaged", message, facts);
  }
}

function inheritTail(context: StoreContext, shard: Shard): void {
  for (const entry of context.recovered.shards.get(shard.id) ?? []) {
    if (entry.header.position <= shard.sealedThrough.position) continue;
    shard.inherit(entry.header, load(context, entry));
  }
}

/** What an entry's body means; a batch of records goes to the arena and is retained there. */
function load(context: StoreContext, entry: RecoveredEntry): EntryMeaning {
  const { header } = entry;
  switch (header.kind) {
    case "records":
      return { batch: loadBatch(context, entry) };
    case "idempotency":
      return { idempotency: readJson(context, entry) as IdempotencyRecord };
    case "tombstone":
      return { tombstone: readJson(context, entry) as Tombstone };
    case "epoch-start":
    case "file-end":
      return {};
  }
}

function loadBatch(context: StoreContext, entry: RecoveredEntry): MemoryBatch {
  const { header } = entry;
  const { writer } = context;
  const room = writer.reserve(header.bodyLength);
  if (room === undefined) {
    const message = "the arena is too small for the commit log's unsealed records";
    throw new ServiceError("storage.failed", message, { arenaBytes: context.arena.totalBytes });
  }
  readBody(context, entry, room.view);
  writer.commit(header.bodyLength);
  context.arena.retain(room.offset, header.bodyLength);
  const { shard, epoch, position, receiptMs, rows, timeMin, timeMax, tenant, internal } = header;
  return {
    ...{ shard, epoch, position, receiptMs, rows, timeMin, timeMax, tenant, internal },
    class: header.class,
    offset: room.offset,
    length: header.bodyLength,
  };
}

function readJson(context: StoreContext, entry: RecoveredEntry): unknown {
  const body = Buffer.alloc(entry.header.bodyLength);
  readBody(context, entry, body);
  return JSON.parse(body.toString());
}

function readBody(context: StoreContext, entry: RecoveredEntry, target: Uint8Array): void {
  const { disk, paths } = context;
  const fd = disk.open(join(paths.log, entry.file), "r");
  try {
    const got = disk.read(fd, target, entry.bodyOffset);
    if (got !== target.length) {
      throw damageError({ file: entry.file, offset: entry.offset, reason: "body is cut off" });
    }
  } finally {
    disk.close(fd);
  }
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
