import { crc32 } from "node:zlib";
import { ServiceError } from "../../../kit/src/errors.ts";
import { type DedupeSnapshot, DedupeTable } from "./dedupe-table.ts";
import { IdempotencyTable, type StoredIdempotency } from "./idempotency-table.ts";
import { type SourceEnd, SourceTable } from "./source-table.ts";
import { type PlacedTombstone, TombstoneTable } from "./tombstone.ts";

/** How many keys a shard knows before new ones have to wait; as `limits.ts` says by default. */
export interface OnceLimits {
  readonly keysMax?: number | undefined;
  readonly idempotencyKeysMax?: number | undefined;
}

/** What a shard knows beside its records, by which it stores once and hides what was deleted: rebuilt from a checkpoint and the entries behind it. */
export class OnceTables {
  readonly keys: DedupeTable;
  readonly idempotency: IdempotencyTable;
  readonly sources = new SourceTable();
  readonly tombstones = new TombstoneTable();

  constructor({ keysMax, idempotencyKeysMax }: OnceLimits = {}) {
    this.keys = new DedupeTable(keysMax);
    this.idempotency = new IdempotencyTable(idempotencyKeysMax);
  }

  /** As of the committed position, which must be what `through` is. */
  snapshot(through: number): OnceSnapshot {
    return {
      generations: this.keys.snapshot(through),
      idempotency: this.idempotency.snapshot(through),
      sources: this.sources.snapshot(),
      tombstones: this.tombstones.snapshot(through),
    };
  }

  restore(snapshot: OnceSnapshot): void {
    this.keys.restore(snapshot.generations);
    for (const record of snapshot.idempotency) this.idempotency.insert(record);
    this.sources.restore(snapshot.sources);
    for (const placed of snapshot.tombstones) this.tombstones.insert(placed);
  }
}

export interface OnceSnapshot {
  readonly generations: readonly DedupeSnapshot[];
  readonly idempotency: readonly StoredIdempotency[];
  readonly sources: readonly SourceEnd[];
  readonly tombstones: readonly PlacedTombstone[];
}

interface Head {
  readonly version: number;
  readonly generations: readonly {
    readonly startMs: number;
    readonly lastMs: number;
    readonly count: number;
  }[];
  readonly idempotency: readonly StoredIdempotency[];
  /** Ends in decimal. */
  readonly sources: readonly (readonly [string, string])[];
  /** Left out of files that were made without any. */
  readonly tombstones?: readonly PlacedTombstone[];
}

const magic = "LKC1";
const headAt = 12;

/**
 * The checkpoint file: magic, CRC-32 of the rest, length of a JSON head, the head, then for each
 * generation its keys (16 bytes each) and their positions (f64 each), from an 8-aligned offset.
 */
export function checkpointEncode(snapshot: OnceSnapshot): Buffer {
  const head: Head = {
    version: 1,
    generations: snapshot.generations.map(({ startMs, lastMs, positions }) => {
      return { startMs, lastMs, count: positions.length };
    }),
    idempotency: snapshot.idempotency,
    sources: snapshot.sources.map(({ source, through }) => [source, String(through)]),
    ...(snapshot.tombstones.length === 0 ? {} : { tombstones: snapshot.tombstones }),
  };
  const text = Buffer.from(JSON.stringify(head));
  const gap = Buffer.alloc(-(headAt + text.length) & 7);
  const front = Buffer.alloc(headAt);
  const sections = snapshot.generations.flatMap(({ keys, positions }) => [
    Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength),
    Buffer.from(positions.buffer, positions.byteOffset, positions.byteLength),
  ]);
  front.write(magic, 0);
  front.writeUInt32LE(text.length, 8);
  const out = Buffer.concat([front, text, gap, ...sections]);
  out.writeUInt32LE(crc32(out.subarray(8)), 4);
  return out;
}

/** Throws `storage.damaged`: without its keys a shard cannot promise to store once. */
export function checkpointDecode(bytes: Buffer, file: string): OnceSnapshot {
  const isWhole =
    bytes.length >= headAt &&
    bytes.toString("latin1", 0, 4) === magic &&
    crc32(bytes.subarray(8)) === bytes.readUInt32LE(4);
  if (!isWhole) throw new ServiceError("storage.damaged", "checkpoint is damaged", { file });
  const headEnd = headAt + bytes.readUInt32LE(8);
  const head = JSON.parse(bytes.toString("utf8", headAt, headEnd)) as Head;
  if (head.version !== 1) {
    const fields = { file, version: head.version };
    throw new ServiceError("storage.damaged", "checkpoint is of an unknown version", fields);
  }
  // Copied to memory of its own, so that numbers lie aligned.
  const numbers = new Uint8Array(bytes.subarray(headEnd + (-headEnd & 7))).buffer;
  let at = 0;
  const generations = head.generations.map(({ startMs, lastMs, count }) => {
    const keys = new Uint32Array(numbers, at, count * 4);
    const positions = new Float64Array(numbers, at + count * 16, count);
    at += count * 24;
    return { startMs, lastMs, keys, positions };
  });
  const sources = head.sources.map(([source, through]) => ({ source, through: BigInt(through) }));
  return { generations, idempotency: head.idempotency, sources, tombstones: head.tombstones ?? [] };
}
