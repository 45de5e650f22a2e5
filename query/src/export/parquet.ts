import { zstdCompressSync } from "node:zlib";
import type { SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { recordsOf } from "../engine/encode.ts";
import { parseTime } from "../table/time-text.ts";
import type { ExportBatch } from "./export-run.ts";
import { rowGroupBytesMax, rowGroupRowsMax } from "./limits.ts";

/** The key of the file's metadata that says where the export goes on; absent when the file has all. */
export const cursorKey = "logkeep.cursor";

export interface ParquetOptions {
  readonly columns: readonly string[];
  /** Asked for after the last row: where the export goes on, if anywhere. */
  readonly cursor: () => string | undefined;
}

/**
 * An export as one Parquet file, its pages compressed by Zstandard. `_time` is a timestamp in nanoseconds (UTC), null where
 * a pipe made something else of it; all others are texts, null where a record lacks the field. Holds one row group in
 * memory, and of those before only where they lie.
 */
export async function* parquetBody(
  rows: AsyncIterable<ExportBatch>,
  { columns, cursor }: ParquetOptions,
): AsyncGenerator<Uint8Array> {
  const file = new ParquetFile(columns);
  for await (const batch of rows) {
    file.add(batch);
    if (file.isGroupFull) yield file.endGroup();
  }
  yield file.end(cursor());
}

class ParquetFile {
  readonly #columns: readonly string[];
  readonly #bytes = new ByteWriter();
  readonly #writer: ParquetWriter;
  #values: (string | bigint | undefined)[][];
  #rows = 0;
  #heldBytes = 0;

  constructor(columns: readonly string[]) {
    this.#columns = columns;
    this.#values = columns.map(() => []);
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: [{ name: "records", num_children: columns.length }, ...columns.map(elementOf)],
      codec: "ZSTD",
      compressors: { ZSTD: (input) => zstdCompressSync(input) },
      createdBy: "logkeep",
    });
  }

  get isGroupFull(): boolean {
    return this.#rows >= rowGroupRowsMax || this.#heldBytes >= rowGroupBytesMax;
  }

  add(batch: ExportBatch): void {
    for (const record of recordsOf(batch)) {
      for (const [i, name] of this.#columns.entries()) {
        const text = Object.hasOwn(record, name) ? record[name] : undefined;
        this.#values[i]?.push(name === "_time" ? nanosOf(text) : text);
      }
    }
    this.#rows += batch.rows;
    this.#heldBytes += batch.bytes.byteLength;
  }

  /** Gives the bytes since the last time. */
  endGroup(): Uint8Array {
    const columnData = this.#columns.map((name, i) => ({ name, data: this.#values[i] ?? [] }));
    // Writes at once, since the writer's `flush` is absent.
    void this.#writer.write({ columnData, rowGroupSize: Math.max(this.#rows, 1) });
    this.#values = this.#columns.map(() => []);
    this.#rows = 0;
    this.#heldBytes = 0;
    return this.#taken();
  }

  end(cursor: string | undefined): Uint8Array {
    const group = this.#rows === 0 ? new Uint8Array(0) : this.endGroup();
    if (cursor !== undefined) this.#writer.kvMetadata = [{ key: cursorKey, value: cursor }];
    void this.#writer.finish();
    return Buffer.concat([group, this.#taken()]);
  }

  #taken(): Uint8Array {
    const taken = Uint8Array.from(this.#bytes.getBytes());
    // The offset goes on counting, the buffer begins anew.
    this.#bytes.index = 0;
    return taken;
  }
}

function elementOf(name: string): SchemaElement {
  if (name === "_time") {
    const logical_type = { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "NANOS" } as const;
    return { name, type: "INT64", logical_type, repetition_type: "OPTIONAL" };
  }
  return { name, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" };
}

function nanosOf(text: string | undefined): bigint | undefined {
  const time = text === undefined ? undefined : parseTime(text);
  return time === undefined ? undefined : BigInt(time.ms) * 1_000_000n + BigInt(time.ns);
}
