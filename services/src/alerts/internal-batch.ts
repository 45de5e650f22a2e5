import { crc32 } from "node:zlib";
import { shardOf } from "../../../ingest/src/routing/shard-of.ts";
import { assert } from "../../../kit/src/assert.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { BatchBuilder } from "../../../storage/src/format/batch-builder.ts";
import { FieldNames } from "../../../storage/src/format/field-names.ts";
import { printStream } from "../../../storage/src/format/stream-labels.ts";
import type { AppendPart } from "../../../storage/src/shard/append.ts";
import type { ArenaWriter } from "../../../storage/src/shard/arena.ts";

/** A record of a stream that Logkeep itself writes. */
export interface InternalRow {
  readonly time: Moment;
  /** Values by field; an empty one is no field. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface InternalStreamOptions {
  readonly tenant: string;
  /** Of the label `stream`; begins with `_`, as queries know such streams. Also its retention class. */
  readonly name: string;
  readonly shardCount: number;
  readonly arena: ArenaWriter;
}

/** Makes batches of a stream of our own, all of one shard, on the thread that calls. */
export class InternalStream {
  readonly shard: number;
  readonly #options: InternalStreamOptions;
  readonly #streamText: string;
  readonly #names = new FieldNames();

  constructor(options: InternalStreamOptions) {
    this.#options = options;
    this.#streamText = printStream([["stream", options.name]]);
    this.shard = shardOf(options.tenant, this.#streamText, options.shardCount);
  }

  /**
   * One batch of all the rows, whose times ascend: they are stored together or not at all. Undefined when
   * the arena has no room now.
   */
  batchOf(rows: readonly InternalRow[], receivedMs: number): AppendPart | undefined {
    const { tenant, name, arena } = this.#options;
    const [first, last] = [rows[0], rows.at(-1)];
    assert(first !== undefined && last !== undefined, "a batch has a row");
    const builder = new BatchBuilder({
      ...{ tenant, retentionClass: name, internal: true, names: this.#names },
    });
    for (const row of rows) this.#append(builder, row);
    const room = arena.reserve(builder.byteLength);
    if (room === undefined) return undefined;
    const length = builder.encodeInto(room.view, 0, receivedMs);
    arena.commit(length);
    return {
      shard: this.shard,
      offset: room.offset,
      length,
      bodyCrc: crc32(room.view.subarray(0, length)),
      rows: rows.length,
      timeMin: first.time,
      timeMax: last.time,
      tenant,
      class: name,
      internal: true,
    };
  }

  #append(builder: BatchBuilder, { time, fields }: InternalRow): void {
    const all = Object.entries({ stream: this.#options.name, ...fields });
    const source = Buffer.from(all.map(([, value]) => value).join(""));
    const ids = new Int32Array(all.length);
    const starts = new Uint32Array(all.length);
    const ends = new Uint32Array(all.length);
    let at = 0;
    for (const [i, [field, value]] of all.entries()) {
      ids[i] = this.#names.idOfText(field);
      starts[i] = at;
      at += Buffer.byteLength(value);
      ends[i] = at;
    }
    builder.append(time.ms, time.ns, this.#streamText, source, all.length, ids, starts, ends);
  }
}
