import { ServiceError } from "../../../kit/src/errors.ts";
import { csvBufferBytes } from "../limits.ts";
import type { RowBatch } from "./record-merger.ts";

type Rows = AsyncIterable<RowBatch>;

/** Lines of JSON; `last`, asked for after the last row, is one more line. */
export async function* ndjsonBody(rows: Rows, last?: () => object): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of rows) yield bytes;
  if (last !== undefined) yield Buffer.from(`${JSON.stringify(last())}\n`);
}

/** One document: `{"records":[…],"summary":…}`. */
export async function* jsonBody(rows: Rows, summary: () => object): AsyncGenerator<Uint8Array> {
  yield Buffer.from('{"records":[');
  let isFirst = true;
  for await (const { bytes } of rows) {
    // A newline stands at the end of each line and nowhere else: inside a string it is escaped.
    const list = Buffer.from(bytes);
    for (let at = list.indexOf(10); at >= 0; at = list.indexOf(10, at + 1)) list[at] = 0x2c;
    if (!isFirst) yield Buffer.from(",");
    isFirst = false;
    yield list.subarray(0, -1);
  }
  yield Buffer.from(`],"summary":${JSON.stringify(summary())}}\n`);
}

/**
 * CSV as RFC 4180 has it, with a header. Without `columns` the header is every field of every row,
 * so all rows are held first; throws `query.memory` when they are too many for that.
 */
export async function* csvBody(
  rows: Rows,
  columns: readonly string[] | undefined,
): AsyncGenerator<Uint8Array> {
  if (columns !== undefined) {
    yield Buffer.from(csvLine(columns));
    for await (const batch of rows) yield Buffer.from(csvLines(recordsOf(batch), columns));
    return;
  }
  const names = new Set<string>();
  const held: RowBatch[] = [];
  let heldBytes = 0;
  for await (const batch of rows) {
    held.push(batch);
    heldBytes += batch.bytes.byteLength;
    if (heldBytes > csvBufferBytes) {
      const message = "too much for CSV with unknown columns, name them with `fields`";
      throw new ServiceError("query.memory", message, { bytesMax: csvBufferBytes });
    }
    for (const record of recordsOf(batch)) for (const name of Object.keys(record)) names.add(name);
  }
  yield Buffer.from(csvLine([...names]));
  for (const batch of held) yield Buffer.from(csvLines(recordsOf(batch), [...names]));
}

/** The rows of a batch as objects. */
export function recordsOf({ bytes }: RowBatch): Record<string, string>[] {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString()
    .split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Record<string, string>);
}

function csvLines(records: readonly Record<string, string>[], names: readonly string[]): string {
  return records.map((record) => csvLine(names.map((name) => ownText(record, name)))).join("");
}

/** A field may be named like a property that every object inherits. */
function ownText(record: Record<string, string>, name: string): string {
  return Object.hasOwn(record, name) ? (record[name] ?? "") : "";
}

function csvLine(texts: readonly string[]): string {
  return `${texts.map(csvText).join(",")}\r\n`;
}

function csvText(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
