import type { Codes, Column, Streams } from "../../../kit/src/block.ts";
import { ValuesColumn } from "./column.ts";
import { streamLabelsOf, TableBlock } from "./table-block.ts";
import { type Shape, View } from "./view.ts";

/** A view's rows as plain data, posted between threads. */
export interface PostedRows {
  readonly rowCount: number;
  readonly shape: Shape;
  /** What is shown, in order; `_time` and `_stream` without a column are made from times and streams. */
  readonly names: readonly string[];
  readonly columns: readonly PostedColumn[];
  readonly ms: Float64Array;
  readonly ns: Uint32Array | undefined;
  readonly streams: readonly string[];
  readonly streamCodes: Codes | undefined;
  readonly positions: Float64Array;
}

interface PostedColumn {
  readonly name: string;
  readonly layout: Column["layout"];
  readonly codes: Codes | undefined;
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
}

/** All rows of a view of a table block, as they may be posted; shares its memory. */
export function postedOf(view: View): PostedRows {
  const columns: PostedColumn[] = [];
  for (const name of view.names) {
    if (isImplied(view, name)) continue;
    const column = view.column(name);
    if (column === undefined) continue;
    const { bytes, offsets } = column.values();
    columns.push({ name, layout: column.layout, codes: column.codes, bytes, offsets });
  }
  const { ms, ns } = view.times();
  const { labels, codes } = view.streams();
  return {
    rowCount: view.rowCount,
    shape: view.shape,
    names: view.names,
    columns,
    ms,
    ns,
    streams: labels.map(({ text }) => text),
    streamCodes: codes,
    positions: view.positions(),
  };
}

/** Whether a name is `_time` or `_stream` as the block itself has it. */
export function isImplied(view: View, name: string): boolean {
  if (name === "_time") return view.hasTimes();
  if (view.shape === "table") return false;
  return name === "_stream" && view.isStored(name) && view.block.column(name) === undefined;
}

/** The view that was posted. */
export function viewOfPosted(posted: PostedRows): View {
  const columns = new Map<string, Column>();
  for (const { name, layout, codes, bytes, offsets } of posted.columns) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    columns.set(name, new ValuesColumn(layout, { bytes: buffer, offsets }, codes));
  }
  const streams: Streams = {
    labels: posted.streams.map(streamLabelsOf),
    codes: posted.streamCodes,
  };
  const block = new TableBlock({
    rowCount: posted.rowCount,
    columns,
    times: { ms: posted.ms, ns: posted.ns },
    streams,
    positions: posted.positions,
  });
  return View.table(block, posted.names, posted.shape);
}

/** Bytes that the rows take in memory, near enough. */
export function postedByteSize(posted: PostedRows): number {
  const columns = posted.columns.reduce(
    (sum, { bytes, offsets, codes }) =>
      sum + bytes.byteLength + offsets.byteLength + (codes?.byteLength ?? 0),
    0,
  );
  return columns + posted.rowCount * 24 + 1024;
}

/** Smaller ones cost more to move than to copy, and may lie in memory that others share. */
const movedBytesMin = 1 << 18;

/** The large buffers of rows that may be moved to another thread and not copied, when nobody reads them here any more. */
export function buffersOf({ columns, ms, ns, streamCodes, positions }: PostedRows): ArrayBuffer[] {
  const arrays = columns.flatMap(({ codes, bytes, offsets }) => [codes, bytes, offsets]);
  const buffers = new Set<ArrayBuffer>();
  for (const array of [...arrays, ms, ns, streamCodes, positions]) {
    const buffer = array?.buffer;
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= movedBytesMin) buffers.add(buffer);
  }
  return [...buffers];
}

/** As `buffersOf`, of a piece's partial answer, if it is rows; every array of them is their own. */
export function partialBuffers(partial: unknown): ArrayBuffer[] {
  return isPostedRows(partial) ? buffersOf(partial) : [];
}

function isPostedRows(partial: unknown): partial is PostedRows {
  if (typeof partial !== "object" || partial === null) return false;
  return "shape" in partial && "columns" in partial && "positions" in partial;
}
