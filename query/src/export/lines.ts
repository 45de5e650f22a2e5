import type { ExportBatch } from "./export-run.ts";
import { cursorBytes, cursorMs } from "./limits.ts";

export interface LinesOptions {
  /** The first line says which fields there are. */
  readonly columns?: readonly string[] | undefined;
  /** Lines with a cursor stand between the rows: the export goes on behind the rows before one. */
  readonly hasCursors: boolean;
  /** Asked for after the last row. */
  readonly summary?: (() => object) | undefined;
}

/** An export as lines of JSON. Lines that are no rows have one member, `_columns`, `_cursor` or `_summary`. */
export async function* exportLines(
  rows: AsyncIterable<ExportBatch>,
  { columns, hasCursors, summary }: LinesOptions,
): AsyncGenerator<Uint8Array> {
  if (columns !== undefined) yield lineOf({ _columns: columns });
  let cursor: string | undefined;
  let bytes = 0;
  let toldMs = performance.now();
  for await (const batch of rows) {
    yield batch.bytes;
    bytes += batch.bytes.byteLength;
    cursor = batch.cursor;
    if (!hasCursors || (bytes < cursorBytes && performance.now() - toldMs < cursorMs)) continue;
    yield lineOf({ _cursor: cursor });
    cursor = undefined;
    bytes = 0;
    toldMs = performance.now();
  }
  if (hasCursors && cursor !== undefined) yield lineOf({ _cursor: cursor });
  if (summary !== undefined) yield lineOf({ _summary: summary() });
}

function lineOf(line: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(line)}\n`);
}
