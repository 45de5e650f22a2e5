import type { Block } from "../../../kit/src/block.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { Miner } from "../templates/miner.ts";
import { columnKind, writeBlockHeader, writeFieldStart } from "./block-header.ts";
import { type BlockRows, placeRows } from "./block-rows.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type ChunkRef, ChunkWriter } from "./chunk.ts";
import { writeField } from "./field-encoder.ts";
import { FrameWriter } from "./frames.ts";
import { type Gathered, gather } from "./gather.ts";
import { writeInts } from "./int-list.ts";
import { minedBytesMin, referenceFieldsMax } from "./limits.ts";
import type { RowSet } from "./row-order.ts";
import { Scratch } from "./scratch.ts";
import { streamCodeBytes } from "./stream-codes.ts";
import type { PayloadWriter } from "./streams.ts";
import {
  type OtherField,
  rowsOfTemplates,
  TemplateEncoder,
  type TemplateInput,
  type TemplateRows,
} from "./template-encoder.ts";
import { filterOf, WordSet } from "./token-filter.ts";
import { ValueTable } from "./value-table.ts";
import { parseWholeNumbers } from "./whole-numbers.ts";

/** A block as it goes to a file: the chunks one behind the other, the last of them its header. */
export interface EncodedBlock {
  readonly chunks: readonly Buffer[];
  readonly byteLength: number;
  /** Relative to the block's start. */
  readonly header: ChunkRef;
  readonly rowCount: number;
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly positionMin: number;
  readonly positionMax: number;
  /** Of the values before encoding. */
  readonly rawBytes: number;
}

/** Encodes blocks one after the other; its memory and tables are used again. */
export class BlockEncoder {
  readonly #miner = new Miner();
  readonly #scratch = new Scratch();
  readonly #table = new ValueTable();
  readonly #frames = new FrameWriter();

  /** Encodes rows of blocks, which are sorted by time, as one block; `level` is zstd's. */
  encode(rowSet: RowSet, blocks: readonly Block[], level: number): EncodedBlock {
    this.#scratch.reset();
    const placed = placeRows(rowSet, blocks, this.#scratch);
    const chunks = new ChunkWriter(level);
    const frames = this.#frames;
    frames.start(chunks);
    const { rowCount, streams } = placed;
    const rows = new ByteWriter();
    const ns = rowSet.ns.some((within) => within !== 0) ? rowSet.ns : undefined;
    writeRowColumns(placed, rowSet, ns, frames, rows);
    const fields = new Map<string, Gathered>();
    let rawBytes = rowCount * 8;
    for (const name of fieldNamesOf(placed)) {
      const gathered = gather(placed, name, this.#table);
      if (gathered.values.bytes.length === 0) continue;
      fields.set(name, gathered);
      rawBytes += gathered.values.bytes.length + (gathered.kind === "dict" ? rowCount : 0);
    }
    const fieldBytes = new ByteWriter();
    this.#writeFields(fields, placed.ms, frames, fieldBytes);
    const out = new ByteWriter();
    writeBlockHeader(out, {
      rowCount,
      streams,
      hasNs: ns !== undefined,
      rows: rows.bytes,
      fieldCount: fields.size,
      fields: fieldBytes.bytes,
      frames: frames.finish(),
    });
    const header = chunks.add(Buffer.from(out.bytes));
    return {
      chunks: chunks.chunks,
      byteLength: chunks.byteLength,
      header,
      rowCount,
      timeMin: momentAt(rowSet, 0),
      timeMax: momentAt(rowSet, rowCount - 1),
      ...positionBounds(rowSet.positions),
      rawBytes,
    };
  }

  /** Texts first: the rows by template are the order in which other fields change least. */
  #writeFields(
    fields: Map<string, Gathered>,
    times: Float64Array,
    frames: FrameWriter,
    to: ByteWriter,
  ): void {
    const texts = [...fields].filter(([, gathered]) => isText(gathered)).map(([name]) => name);
    const isMined = new Set(texts);
    const plain = [...fields.keys()].filter((name) => !isMined.has(name));
    const names = [...texts.sort(msgFirst), ...plain];
    const others = othersOf(names, fields, texts.length);
    let order: Uint32Array | undefined;
    for (const [ordinal, name] of names.entries()) {
      const gathered = fields.get(name)!;
      if (ordinal >= texts.length) {
        writeField(name, gathered, frames, order, to);
        continue;
      }
      const { values } = gathered;
      const mined = this.#miner.mine(values);
      const rows = rowsOfTemplates(mined.templateOf, mined.templates.length);
      writeTemplates(name, { values, mined, times, others }, rows, frames, to);
      order ??= rows.order;
    }
  }
}

function msgFirst(a: string, b: string): number {
  return Number(b === "_msg") - Number(a === "_msg");
}

/** Texts of several words, no ids and no numbers. */
function isText(gathered: Gathered): boolean {
  if (gathered.kind !== "rows") return false;
  const { bytes, offsets } = gathered.values;
  if (bytes.length < (offsets.length - 1) * minedBytesMin) return false;
  return (
    bytes.subarray(0, 4_096).includes(0x20) && parseWholeNumbers(gathered.values) === undefined
  );
}

function othersOf(
  names: readonly string[],
  fields: ReadonlyMap<string, Gathered>,
  from: number,
): OtherField[] {
  const others: OtherField[] = [];
  for (let ordinal = from; ordinal < names.length; ordinal++) {
    const gathered = fields.get(names[ordinal]!)!;
    if (gathered.kind === "sparse" || others.length === referenceFieldsMax) continue;
    others.push({ ordinal, gathered });
  }
  return others;
}

function writeTemplates(
  name: string,
  input: TemplateInput,
  rows: TemplateRows,
  frames: FrameWriter,
  to: ByteWriter,
): void {
  const words = new WordSet();
  const column = new ByteWriter();
  new TemplateEncoder(frames, words).write(input, rows, column);
  const flags = { name, kind: columnKind.templates, hasFilter: true };
  writeFieldStart(to, { ...flags, bounds: undefined, counts: undefined });
  frames.addFilter(filterOf(words), to);
  to.raw(column.bytes);
}

function fieldNamesOf({ sources }: BlockRows): ReadonlySet<string> {
  const names = new Set<string>();
  for (const source of sources) for (const name of source.fieldNames) names.add(name);
  return names;
}

/**
 * Writes stream codes, times and positions in the order of time: so times and positions go up in small steps, and
 * the order of rows follows from the codes, being by stream and time.
 */
function writeRowColumns(
  { rowCount, streams, streamsByTime, scratch }: BlockRows,
  { ms, positions }: RowSet,
  ns: Uint32Array | undefined,
  frames: FrameWriter,
  to: ByteWriter,
): void {
  const { out, packed, text } = frames.begin();
  if (streams.length > 1) writeStreamCodes(streamsByTime, streams.length, text);
  writeInts(ms, rowCount, out, packed, text, true);
  if (ns !== undefined) {
    const wide = scratch.f64(rowCount);
    wide.set(ns);
    writeInts(wide, rowCount, out, packed, text, true);
  }
  writeInts(positions, rowCount, out, packed, text, true);
  frames.end(to);
}

/** One, two or three bytes each, as the number of streams needs. */
function writeStreamCodes(codes: Uint32Array, count: number, text: PayloadWriter): void {
  const rowCount = codes.length;
  const width = streamCodeBytes(count);
  const { bytes, at } = text.reserve(rowCount * width);
  for (let k = 0; k < width; k++) {
    const plane = at + k * rowCount;
    for (let i = 0; i < rowCount; i++) bytes[plane + i] = codes[i]! >>> (k * 8);
  }
}

function momentAt({ ms, ns }: RowSet, row: number): Moment {
  return { ms: ms[row]!, ns: ns[row]! };
}

function positionBounds(positions: Float64Array): { positionMin: number; positionMax: number } {
  let positionMin = positions[0]!;
  let positionMax = positionMin;
  for (const position of positions) {
    if (position < positionMin) positionMin = position;
    if (position > positionMax) positionMax = position;
  }
  return { positionMin, positionMax };
}
