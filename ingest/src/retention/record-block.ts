import type { Block, Column, StreamLabels, Streams, Times } from "../../../kit/src/block.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { PlainColumn } from "../../../storage/src/format/columns.ts";
import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import { streamLabels } from "../../../storage/src/format/stream-labels.ts";
import type { RecordFields } from "../protocol/record.ts";

const noMoment: Moment = { ms: 0, ns: 0 };

/**
 * A record that is being taken in, as a block of one row: the query language's own filters are asked about it, so
 * that a rule means what the same filter finds. Only its stream and fields are known yet.
 */
export class RecordBlock implements Block {
  readonly rowCount = 1;
  readonly timeMin = noMoment;
  readonly timeMax = noMoment;
  readonly fieldNames: readonly string[] = [];
  readonly #names: FieldNames;
  readonly #ids = new Map<string, number>();
  #generation = -1;
  #record: RecordFields | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #labels: StreamLabels = streamLabels("{}");

  constructor(names: FieldNames) {
    this.#names = names;
  }

  /** The record's values are slices of `bytes`; its stream is a canonical text. */
  set(stream: string, record: RecordFields, bytes: Buffer): void {
    if (this.#labels.text !== stream) this.#labels = streamLabels(stream);
    this.#record = record;
    this.#bytes = bytes;
  }

  times(): Times {
    return { ms: Float64Array.of(this.#record?.timeMs ?? 0), ns: undefined };
  }

  streams(): Streams {
    return { labels: [this.#labels], codes: undefined };
  }

  positions(): Float64Array {
    return new Float64Array(1);
  }

  column(field: string): Column | undefined {
    const record = this.#record;
    if (record === undefined) return undefined;
    const id = this.#idOf(field);
    const slot = record.nameIds.indexOf(id);
    if (slot < 0 || slot >= record.count) return undefined;
    const start = record.starts[slot] as number;
    const length = (record.ends[slot] as number) - start;
    if (length === 0) return undefined;
    // Only these bytes: a search looks through all that it is given.
    const bytes = this.#bytes.subarray(start, start + length);
    return new PlainColumn("const", { bytes, offsets: Uint32Array.of(0, length) });
  }

  mayContain(): boolean {
    return true;
  }

  bounds(): undefined {
    return undefined;
  }

  valueCounts(): undefined {
    return undefined;
  }

  #idOf(field: string): number {
    const { generation } = this.#names;
    if (generation !== this.#generation) this.#ids.clear();
    this.#generation = generation;
    let id = this.#ids.get(field);
    if (id === undefined) {
      id = this.#names.idOfText(field);
      // A full table has no number for it; it may have one for a later record's sake.
      if (id >= 0) this.#ids.set(field, id);
    }
    return id;
  }
}
