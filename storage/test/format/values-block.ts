import type { Block, Column, ValueCounts } from "../../../kit/src/block.ts";
import type { BlockColumns } from "../../src/format/block-content.ts";
import { BlockEncoder, type EncodedBlock } from "../../src/format/block-encoder.ts";
import { unpack } from "../../src/format/chunk.ts";
import { PlainColumn } from "../../src/format/columns.ts";
import { BlockContent2 } from "../../src/format/content.ts";
import { makeRowSet, type RowSet } from "../../src/format/row-order.ts";

/** An encoded block, read again. */
export interface ReadBlock {
  readonly encoded: EncodedBlock;
  column(field: string): Column | undefined;
  mayContain(field: string, tokens: readonly string[]): boolean;
  mayHold(field: string, bytes: Buffer): boolean;
  valueCounts(field: string): ValueCounts | undefined;
}

/** Encodes columns of any bytes as one block, and reads it. Times go up by 1 ms unless they are given. */
export function valuesBlock(
  columns: Readonly<Record<string, readonly Buffer[]>>,
  ms?: Float64Array,
): ReadBlock {
  const encoded = encode(columns, ms);
  const raw = Buffer.concat(encoded.chunks);
  const { header } = encoded;
  const chunk = (ref: EncodedBlock["header"]) =>
    unpack(raw.subarray(ref.at, ref.at + ref.length), ref);
  const content = new BlockContent2(chunk(header), chunk);
  const known = new Map<string, Column | undefined>();
  const kept = new Map<string, unknown>();
  const read: BlockColumns = {
    times: () => content.times(read),
    kept: (key, make) => {
      if (!kept.has(key)) kept.set(key, make().value);
      // One key is only ever used for one type.
      return kept.get(key) as ReturnType<typeof make>["value"];
    },
    column: (field) => {
      if (!known.has(field)) known.set(field, content.column(field, read)?.column);
      return known.get(field);
    },
  };
  return {
    encoded,
    column: (field) => read.column(field),
    mayContain: (field, tokens) => content.mayContain(field, tokens, read),
    mayHold: (field, bytes) => content.mayHold(field, bytes, read),
    valueCounts: (field) => content.valueCounts(field),
  };
}

function encode(
  columns: Readonly<Record<string, readonly Buffer[]>>,
  ms?: Float64Array,
): EncodedBlock {
  const rowCount = Object.values(columns)[0]!.length;
  const times = ms ?? Float64Array.from({ length: rowCount }, (_, i) => 1_700_000_000_000 + i);
  const plain = new Map(Object.entries(columns).map(([name, values]) => [name, columnOf(values)]));
  const block: Block = {
    rowCount,
    timeMin: { ms: times[0]!, ns: 0 },
    timeMax: { ms: times.at(-1)!, ns: 0 },
    fieldNames: [...plain.keys()],
    times: () => ({ ms: times, ns: undefined }),
    streams: () => ({ labels: [{ text: "{}", pairs: new Map() }], codes: undefined }),
    positions: () => new Float64Array(rowCount).fill(1),
    column: (field) => plain.get(field),
    mayContain: () => true,
    bounds: () => undefined,
    valueCounts: () => undefined,
  };
  return new BlockEncoder().encode(rowSetOf(block), [block], 1);
}

/** All rows of a block whose rows lie by time. */
export function rowSetOf(block: Block): RowSet {
  const rows = makeRowSet(block.rowCount);
  const { ms, ns } = block.times();
  rows.ms.set(ms);
  if (ns !== undefined) rows.ns.set(ns);
  rows.positions.set(block.positions());
  for (let row = 0; row < block.rowCount; row++) rows.rowOf[row] = row;
  return rows;
}

function columnOf(values: readonly Buffer[]): Column {
  const offsets = new Uint32Array(values.length + 1);
  for (const [i, value] of values.entries()) offsets[i + 1] = offsets[i]! + value.length;
  return new PlainColumn("rows", { bytes: Buffer.concat(values), offsets });
}

/** A row's value. */
export function valueAt(column: Column, row: number): Buffer {
  const { bytes, offsets } = column.values();
  const value = column.layout === "rows" ? row : (column.codes?.[row] ?? 0);
  return Buffer.from(bytes.subarray(offsets[value], offsets[value + 1]));
}
