import type { Moment } from "../../../kit/src/time.ts";
import { Miner } from "../templates/miner.ts";
import { columnKind, writeBlockHeader, writeFieldStart } from "./block-header.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type ChunkRef, ChunkWriter } from "./chunk.ts";
import { writeField } from "./field-encoder.ts";
import { FrameWriter } from "./frames.ts";
import { type Gathered, gather, type Placing, placingOf, type RowOrder } from "./gather.ts";
import { writeInts } from "./int-list.ts";
import { minedBytesMin, referenceFieldsMax } from "./limits.ts";
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

/** Encodes blocks one after the other; its tables are used again. */
export class BlockEncoder {
  readonly #level: number;
  readonly #miner = new Miner();

  /** `level` is zstd's. */
  constructor(level: number) {
    this.#level = level;
  }

  /** Encodes rows of blocks as one block; `order` is by stream and time. */
  encode(order: RowOrder): EncodedBlock {
    const placing = placingOf(order);
    const chunks = new ChunkWriter(this.#level);
    const frames = new FrameWriter(chunks);
    const rowCount = placing.rowCount;
    const times = gatherTimes(placing);
    const rows = new ByteWriter();
    const { streams, positions } = writeRowColumns(placing, times, order.byTime, frames, rows);
    const fields = new Map<string, Gathered>();
    let rawBytes = rowCount * 8;
    for (const name of fieldNamesOf(order)) {
      const gathered = gather(placing, name);
      if (gathered.values.bytes.length === 0) continue;
      fields.set(name, gathered);
      rawBytes += gathered.values.bytes.length + (gathered.kind === "dict" ? rowCount : 0);
    }
    const fieldBytes = new ByteWriter();
    this.#writeFields(fields, times.ms, frames, fieldBytes);
    const out = new ByteWriter();
    writeBlockHeader(out, {
      rowCount,
      streams,
      hasNs: times.ns !== undefined,
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
      ...timeBounds(times.ms, times.ns),
      ...positionBounds(positions),
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

function fieldNamesOf({ sources }: RowOrder): ReadonlySet<string> {
  const names = new Set<string>();
  for (const source of sources) for (const name of source.fieldNames) names.add(name);
  return names;
}

/**
 * Writes stream codes, times and positions in the order of time: so times and positions go up in small steps, and
 * the order of rows follows from the codes, being by stream and time.
 */
function writeRowColumns(
  placing: Placing,
  times: { readonly ms: Float64Array; readonly ns: Float64Array | undefined },
  byTime: Uint32Array,
  frames: FrameWriter,
  to: ByteWriter,
): { streams: string[]; positions: Float64Array } {
  const { rowCount } = placing;
  const { streams, codes } = gatherStreams(placing);
  const positions = gatherPositions(placing);
  const { out, packed, text } = frames.begin();
  if (streams.length > 1) writeStreamCodes(codes, byTime, streams.length, text);
  writeInts(picked(times.ms, byTime), 0, rowCount, out, packed, text, true);
  if (times.ns !== undefined) {
    writeInts(picked(times.ns, byTime), 0, rowCount, out, packed, text, true);
  }
  writeInts(picked(positions, byTime), 0, rowCount, out, packed, text, true);
  frames.end(to);
  return { streams, positions };
}

/** One, two or three bytes each, as the number of streams needs. */
function writeStreamCodes(
  codes: Uint32Array,
  byTime: Uint32Array,
  count: number,
  text: PayloadWriter,
): void {
  const rowCount = codes.length;
  const width = streamCodeBytes(count);
  const { bytes, at } = text.reserve(rowCount * width);
  for (let i = 0; i < rowCount; i++) {
    const code = codes[byTime[i]!]!;
    for (let k = 0; k < width; k++) bytes[at + k * rowCount + i] = code >>> (k * 8);
  }
}

function picked(numbers: Float64Array, rows: Uint32Array): Float64Array {
  const out = new Float64Array(rows.length);
  for (let i = 0; i < out.length; i++) out[i] = numbers[rows[i]!]!;
  return out;
}

/** The rows come sorted by the texts' order, so the texts are sorted too. */
function gatherStreams({ sources, rowCount, starts, rows, places }: Placing): {
  streams: string[];
  codes: Uint32Array;
} {
  const texts = new Set<string>();
  for (const source of sources) for (const { text } of source.streams().labels) texts.add(text);
  const sorted = [...texts].sort();
  const codeOf = new Map(sorted.map((text, code) => [text, code]));
  const codes = new Uint32Array(rowCount);
  const isUsed = new Uint8Array(sorted.length);
  for (const [s, source] of sources.entries()) {
    const streams = source.streams();
    const remap = Uint32Array.from(streams.labels, ({ text }) => codeOf.get(text) ?? 0);
    for (let i = starts[s]!; i < starts[s + 1]!; i++) {
      const code = remap[streams.codes === undefined ? 0 : streams.codes[rows[i]!]!]!;
      codes[places[i]!] = code;
      isUsed[code] = 1;
    }
  }
  const renumbered = new Uint32Array(sorted.length);
  let count = 0;
  for (let i = 0; i < sorted.length; i++) renumbered[i] = isUsed[i] === 1 ? count++ : 0;
  for (let i = 0; i < rowCount; i++) codes[i] = renumbered[codes[i]!]!;
  return { streams: sorted.filter((_, i) => isUsed[i] === 1), codes };
}

function gatherTimes({ sources, rowCount, starts, rows, places }: Placing) {
  const ms = new Float64Array(rowCount);
  const ns = new Float64Array(rowCount);
  let hasNs = false;
  for (const [s, source] of sources.entries()) {
    const times = source.times();
    for (let i = starts[s]!; i < starts[s + 1]!; i++) {
      ms[places[i]!] = times.ms[rows[i]!]!;
      const within = times.ns === undefined ? 0 : times.ns[rows[i]!]!;
      ns[places[i]!] = within;
      if (within !== 0) hasNs = true;
    }
  }
  return { ms, ns: hasNs ? ns : undefined };
}

function gatherPositions({ sources, rowCount, starts, rows, places }: Placing): Float64Array {
  const positions = new Float64Array(rowCount);
  for (const [s, source] of sources.entries()) {
    const own = source.positions();
    for (let i = starts[s]!; i < starts[s + 1]!; i++) positions[places[i]!] = own[rows[i]!]!;
  }
  return positions;
}

function timeBounds(
  ms: Float64Array,
  ns: Float64Array | undefined,
): { timeMin: Moment; timeMax: Moment } {
  let first = 0;
  let last = 0;
  for (let i = 1; i < ms.length; i++) {
    const fine = ns === undefined ? 0 : ns[i]!;
    if (ms[i]! < ms[first]! || (ms[i] === ms[first] && fine < (ns?.[first] ?? 0))) first = i;
    if (ms[i]! > ms[last]! || (ms[i] === ms[last] && fine > (ns?.[last] ?? 0))) last = i;
  }
  return {
    timeMin: { ms: ms[first]!, ns: ns?.[first] ?? 0 },
    timeMax: { ms: ms[last]!, ns: ns?.[last] ?? 0 },
  };
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
