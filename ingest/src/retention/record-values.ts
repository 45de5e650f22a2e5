import type { Values } from "../../../kit/src/block.ts";
import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import type { RecordFields } from "../protocol/record.ts";

const noBytes = Buffer.alloc(0);

/** The values of the record that is being taken in, found by name; nothing is made for a record. */
export class RecordValues {
  /** The canonical text of its stream. */
  stream = "{}";
  readonly #names: FieldNames;
  readonly #ids = new Map<string, number>();
  readonly #offsets = new Uint32Array(2);
  #values: Values = { bytes: noBytes, offsets: this.#offsets };
  #generation = -1;
  #record: RecordFields | undefined;

  constructor(names: FieldNames) {
    this.#names = names;
  }

  /** The record's values are slices of `bytes`. */
  set(stream: string, record: RecordFields, bytes: Buffer): void {
    this.stream = stream;
    this.#record = record;
    if (bytes !== this.#values.bytes) this.#values = { bytes, offsets: this.#offsets };
  }

  /** The value as the only one of a list, until the next is asked for; undefined when it is empty. */
  valueOf(field: string): Values | undefined {
    const record = this.#record;
    if (record === undefined) return undefined;
    const id = this.#idOf(field);
    const { count, nameIds, starts, ends } = record;
    for (let slot = 0; slot < count; slot++) {
      if (nameIds[slot] !== id) continue;
      const start = starts[slot] as number;
      const end = ends[slot] as number;
      if (start === end) return undefined;
      this.#offsets[0] = start;
      this.#offsets[1] = end;
      return this.#values;
    }
    return undefined;
  }

  #idOf(field: string): number {
    const { generation } = this.#names;
    if (generation !== this.#generation) this.#ids.clear();
    this.#generation = generation;
    let id = this.#ids.get(field);
    if (id === undefined) {
      id = this.#names.idOfText(field);
      // A full table has no number for it; no record that is read then has the field as a column.
      if (id >= 0) this.#ids.set(field, id);
    }
    return id;
  }
}
