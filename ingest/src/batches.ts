import { BatchBuilder } from "../../storage/src/format/batch-builder.ts";
import type { FieldNames } from "../../storage/src/format/field-names.ts";
import { batchBytesFull } from "../../storage/src/format/limits.ts";
import type { AppendPart } from "../../storage/src/shard/append.ts";
import type { ArenaWriter } from "../../storage/src/shard/arena.ts";
import { idempotencyPartKey } from "../../storage/src/shard/dedupe-key.ts";
import type { RecordFields } from "./protocol/record.ts";
import type { StreamEntry } from "./routing/stream-table.ts";

/** The retention class of records that no rule puts into another. */
export const defaultClass = "default";

/** The retention class of what was rejected. */
export const rejectedClass = "_rejected";

/** The arena has no room for a batch of this request. */
export class ArenaFull extends Error {
  override readonly name = "ArenaFull";
}

export interface BatchesOptions {
  readonly tenant: string;
  readonly retentionClass: string;
  readonly internal: boolean;
  readonly shardCount: number;
  readonly names: FieldNames;
  readonly streamTexts: FieldNames;
  readonly arena: ArenaWriter;
}

/** What a request is in, as far as its parts say it. */
export interface RequestFacts {
  readonly receivedMs: number;
  readonly idempotencyKey?: string | undefined;
}

/**
 * The batches under construction of one tenant and class, one a shard. A full one goes to the arena at once,
 * the others when the request ends. Where a batch ends depends on nothing but the request itself, so that
 * a repeated request has the same parts under the same keys.
 */
export class Batches {
  readonly #options: BatchesOptions;
  readonly #shards: (ShardBatch | undefined)[] = [];
  /** Shards that have a record now. */
  #dirty: ShardBatch[] = [];

  constructor(options: BatchesOptions) {
    this.#options = options;
    for (let shard = 0; shard < options.shardCount; shard++) this.#shards.push(undefined);
  }

  /** Appends the record at its stream's shard; full batches go to `parts`. Throws `ArenaFull`. */
  append(
    entry: StreamEntry,
    record: RecordFields,
    source: Buffer,
    storedBytes: number,
    facts: RequestFacts,
    parts: AppendPart[],
  ): void {
    const batch = this.#shards[entry.shard] ?? this.#open(entry.shard);
    if (batch.bytes >= batchBytesFull || batch.builder.isFull) {
      parts.push(this.#encode(batch, facts, parts.length));
      batch.clear();
    }
    if (batch.bytes === 0 && !this.#dirty.includes(batch)) this.#dirty.push(batch);
    batch.builder.append(
      record.timeMs,
      record.timeNs,
      entry.stream,
      source,
      record.count,
      record.nameIds,
      record.starts,
      record.ends,
    );
    // At least what the builder itself counts, whatever it learned from earlier batches.
    batch.bytes += storedBytes + 5 * record.count + 17 + 3 * entry.text.length;
  }

  /** Ends the request: what is left goes to `parts` in the order of shards. Throws `ArenaFull`. */
  finish(facts: RequestFacts, parts: AppendPart[]): void {
    this.#dirty.sort((a, b) => a.shard - b.shard);
    for (const batch of this.#dirty) {
      if (batch.bytes > 0) parts.push(this.#encode(batch, facts, parts.length));
    }
    this.discard();
  }

  /** Forgets whatever is under construction. */
  discard(): void {
    for (const batch of this.#dirty) batch.clear();
    this.#dirty = [];
  }

  #open(shard: number): ShardBatch {
    const { tenant, retentionClass, internal, names, streamTexts } = this.#options;
    const builder = new BatchBuilder({ tenant, retentionClass, internal, names, streamTexts });
    const batch = new ShardBatch(shard, builder);
    this.#shards[shard] = batch;
    return batch;
  }

  #encode(batch: ShardBatch, facts: RequestFacts, part: number): AppendPart {
    const { tenant, retentionClass, internal, arena } = this.#options;
    const { builder, shard } = batch;
    const room = arena.reserve(builder.byteLength, shard);
    if (room === undefined) throw new ArenaFull("the arena has no room");
    const length = builder.encodeInto(room.view, 0, facts.receivedMs);
    arena.commit(length);
    const key = facts.idempotencyKey;
    return {
      shard,
      offset: room.offset,
      length,
      bodyCrc: builder.encodedCrc,
      rows: builder.rowCount,
      timeMin: builder.timeMin,
      timeMax: builder.timeMax,
      tenant,
      class: retentionClass,
      internal,
      ...(key === undefined ? {} : { dedupeKey: idempotencyPartKey(tenant, key, part) }),
    };
  }
}

class ShardBatch {
  readonly shard: number;
  readonly builder: BatchBuilder;
  /** At least the bytes of the batch so far; 0: it is empty. */
  bytes = 0;

  constructor(shard: number, builder: BatchBuilder) {
    this.shard = shard;
    this.builder = builder;
  }

  clear(): void {
    this.builder.reset();
    this.bytes = 0;
  }
}
