import type { Moment } from "../../../kit/src/time.ts";
import { type BlockHeader, type FieldMeta, printBlockHeader } from "./block-header.ts";
import { type ChunkRef, ChunkWriter } from "./chunk.ts";
import { encodeField } from "./column-encoder.ts";
import { gather, type RowOrder } from "./gather.ts";
import { packIntegers } from "./integers.ts";

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

/** Encodes rows of blocks as one block; `order` is by stream and time. `level` is zstd's. */
export function encodeBlock(order: RowOrder, level: number): EncodedBlock {
  const chunks = new ChunkWriter(level);
  const rowCount = order.rowOf.length;
  const { streams, codes } = gatherStreams(order);
  const streamCodes = codes === undefined ? undefined : chunks.add(packIntegers(codes));
  const times = gatherTimes(order);
  const timesMs = chunks.add(packIntegers(times.ms));
  const timesNs = times.ns === undefined ? undefined : chunks.add(packIntegers(times.ns));
  const positions = gatherPositions(order);
  const positionsRef = chunks.add(packIntegers(positions));
  const fields = new Map<string, FieldMeta>();
  let rawBytes = rowCount * 8;
  for (const name of fieldNamesOf(order)) {
    const gathered = gather(order, name);
    const field = encodeField(gathered, chunks);
    if (field !== undefined) fields.set(name, field);
    rawBytes += gathered.values.bytes.length + (gathered.kind === "dict" ? rowCount : 0);
  }
  const header: BlockHeader = {
    rowCount,
    streams,
    streamCodes,
    timesMs,
    timesNs,
    fields,
    positions: positionsRef,
  };
  const headerRef = chunks.add(Buffer.from(printBlockHeader(header)));
  return {
    chunks: chunks.chunks,
    byteLength: chunks.byteLength,
    header: headerRef,
    rowCount,
    ...timeBounds(times.ms, times.ns),
    ...positionBounds(positions),
    rawBytes,
  };
}

function fieldNamesOf(order: RowOrder): string[] {
  const names = new Set<string>();
  for (const source of order.sources) for (const name of source.fieldNames) names.add(name);
  return [...names];
}

/** The rows come sorted by the texts' order, so codes are in the order of first appearance. */
function gatherStreams(order: RowOrder): { streams: string[]; codes: Float64Array | undefined } {
  const codeOf = new Map<string, number>();
  const sources = order.sources.map((block) => {
    const { labels, codes } = block.streams();
    return { labels, codes, remap: new Int32Array(labels.length).fill(-1) };
  });
  const codes = new Float64Array(order.rowOf.length);
  for (let i = 0; i < codes.length; i++) {
    const source = sources[order.sourceOf[i]!]!;
    const old = source.codes === undefined ? 0 : source.codes[order.rowOf[i]!]!;
    let code = source.remap[old]!;
    if (code < 0) {
      const text = source.labels[old]!.text;
      code = codeOf.get(text) ?? codeOf.size;
      codeOf.set(text, code);
      source.remap[old] = code;
    }
    codes[i] = code;
  }
  return { streams: [...codeOf.keys()], codes: codeOf.size === 1 ? undefined : codes };
}

function gatherTimes(order: RowOrder): { ms: Float64Array; ns: Float64Array | undefined } {
  const sources = order.sources.map((block) => block.times());
  const ms = new Float64Array(order.rowOf.length);
  const ns = new Float64Array(order.rowOf.length);
  let hasNs = false;
  for (let i = 0; i < ms.length; i++) {
    const source = sources[order.sourceOf[i]!]!;
    const row = order.rowOf[i]!;
    ms[i] = source.ms[row]!;
    const within = source.ns === undefined ? 0 : source.ns[row]!;
    ns[i] = within;
    if (within !== 0) hasNs = true;
  }
  return { ms, ns: hasNs ? ns : undefined };
}

function gatherPositions(order: RowOrder): Float64Array {
  const sources = order.sources.map((block) => block.positions());
  const positions = new Float64Array(order.rowOf.length);
  for (let i = 0; i < positions.length; i++) {
    positions[i] = sources[order.sourceOf[i]!]![order.rowOf[i]!]!;
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
