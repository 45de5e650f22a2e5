import { isUtf8 } from "node:buffer";
import type { Times, Values } from "../../../kit/src/block.ts";
import { PickedRows, type PlacedValues } from "./picked-rows.ts";
import { TimePrinter, timeTextBytesMax } from "./time-text.ts";
import type { View } from "./view.ts";

/** Records as lines of JSON: line i is `bytes[offsets[i] … offsets[i + 1]]`, its newline in it. */
export interface NdjsonLines {
  readonly bytes: Buffer;
  readonly offsets: Uint32Array;
}

/**
 * The rows as NDJSON, every value a string. Rows of records leave out empty values; rows of a table
 * show them. Stops after `bytesMax` at a row's end, with at least one row.
 */
export function encodeNdjson(view: View, rows: Uint32Array, bytesMax = Infinity): NdjsonLines {
  const picked = new PickedRows(rows, view.rowCount);
  const writers = view.names
    .map((name) => writerOf(view, name, rows, picked))
    .filter((each) => each !== undefined);
  const offsets = new Uint32Array(rows.length + 1);
  let out = Buffer.allocUnsafeSlow(Math.min(Math.max(rows.length * 256, 1024), 1 << 20));
  let at = 0;
  for (let i = 0; i < rows.length; i++) {
    const start = at;
    out[at++] = 0x7b;
    for (const writer of writers) {
      const room = writer.room(i);
      if (at + room + 4 > out.length) out = grown(out, at, at + room + 4);
      at = writer.write(out, at, i, at === start + 1);
    }
    if (at + 4 > out.length) out = grown(out, at, at + 4);
    out[at++] = 0x7d;
    out[at++] = 0x0a;
    offsets[i + 1] = at;
    if (at >= bytesMax) return { bytes: out.subarray(0, at), offsets: offsets.slice(0, i + 2) };
  }
  return { bytes: out.subarray(0, at), offsets };
}

function grown(out: Buffer, used: number, needed: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, needed * 2));
  larger.set(out.subarray(0, used));
  return larger as Buffer<ArrayBuffer>;
}

/** Writes one field of the i-th row: `,"name":"value"`, without the comma when it is the first. */
interface FieldWriter {
  /** Bytes that `write` may take at most. */
  room(i: number): number;
  write(out: Buffer, at: number, i: number, isFirst: boolean): number;
}

function writerOf(
  view: View,
  name: string,
  rows: Uint32Array,
  picked: PickedRows,
): FieldWriter | undefined {
  if (name === "_time" && view.hasTimes()) return new TimeWriter(view.times(), rows);
  const column = view.column(name);
  if (column === undefined) {
    return view.shape === "table" ? new EmptyWriter(name) : undefined;
  }
  return new ColumnWriter(name, picked.of(column), view.shape === "table");
}

class TimeWriter implements FieldWriter {
  readonly #times: Times;
  readonly #rows: Uint32Array;
  readonly #printer = new TimePrinter();
  readonly #prefix = prefixOf("_time");

  constructor(times: Times, rows: Uint32Array) {
    this.#times = times;
    this.#rows = rows;
  }

  room(): number {
    return this.#prefix.length + timeTextBytesMax + 1;
  }

  write(out: Buffer, at: number, i: number, isFirst: boolean): number {
    const { ms, ns } = this.#times;
    const row = this.#rows[i] as number;
    at = writePrefix(out, at, this.#prefix, isFirst);
    at = this.#printer.write(
      out,
      at,
      ms[row] as number,
      ns === undefined ? 0 : (ns[row] as number),
    );
    out[at++] = 0x22;
    return at;
  }
}

class EmptyWriter implements FieldWriter {
  readonly #prefix: Buffer;

  constructor(name: string) {
    this.#prefix = prefixOf(name);
  }

  room(): number {
    return this.#prefix.length + 1;
  }

  write(out: Buffer, at: number, _: number, isFirst: boolean): number {
    at = writePrefix(out, at, this.#prefix, isFirst);
    out[at++] = 0x22;
    return at;
  }
}

class ColumnWriter implements FieldWriter {
  readonly #prefix: Buffer;
  readonly #values: Values;
  readonly #places: Uint32Array;
  readonly #showsEmpty: boolean;

  constructor(name: string, { values, places }: PlacedValues, showsEmpty: boolean) {
    this.#prefix = prefixOf(name);
    this.#values = values;
    this.#places = places;
    this.#showsEmpty = showsEmpty;
  }

  room(i: number): number {
    const code = this.#places[i] as number;
    const { offsets } = this.#values;
    const length = (offsets[code + 1] as number) - (offsets[code] as number);
    // A byte becomes at most six: \u0000.
    return this.#prefix.length + 1 + 6 * length;
  }

  write(out: Buffer, at: number, i: number, isFirst: boolean): number {
    const code = this.#places[i] as number;
    const { bytes, offsets } = this.#values;
    const from = offsets[code] as number;
    const to = offsets[code + 1] as number;
    if (from === to && !this.#showsEmpty) return at;
    at = writePrefix(out, at, this.#prefix, isFirst);
    at = writeEscaped(out, at, bytes, from, to);
    out[at++] = 0x22;
    return at;
  }
}

function prefixOf(name: string): Buffer {
  return Buffer.from(`,${JSON.stringify(name.toWellFormed())}:"`);
}

function writePrefix(out: Buffer, at: number, prefix: Buffer, isFirst: boolean): number {
  for (let i = isFirst ? 1 : 0; i < prefix.length; i++) out[at++] = prefix[i] as number;
  return at;
}

/** Bytes that do not stand for themselves in a JSON string, or that need a look at the whole text. */
const special = specialBytes();

function specialBytes(): Uint8Array {
  const table = new Uint8Array(256).fill(1, 0, 0x20).fill(1, 0x80);
  table[0x22] = 1;
  table[0x5c] = 1;
  return table;
}

/**
 * Writes `bytes[from … to]` as the inside of a JSON string; `out` has six times the room. Text that
 * is not UTF-8 is written with U+FFFD in place of what cannot be read.
 */
export function writeEscaped(
  out: Buffer,
  at: number,
  bytes: Buffer,
  from: number,
  to: number,
): number {
  const start = at;
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number;
    if (special[byte] !== 0) return writeSpecial(out, start, bytes, from, to);
    out[at++] = byte;
  }
  return at;
}

function writeSpecial(out: Buffer, at: number, bytes: Buffer, from: number, to: number): number {
  const text = bytes.subarray(from, to);
  if (!isUtf8(text)) {
    const repaired = JSON.stringify(text.toString("utf8"));
    return at + out.write(repaired.slice(1, -1), at);
  }
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number;
    if (special[byte] === 0 || byte >= 0x80) out[at++] = byte;
    else at = writeEscape(out, at, byte);
  }
  return at;
}

const shortEscapes: Readonly<Record<number, number>> = {
  8: 0x62,
  9: 0x74,
  10: 0x6e,
  12: 0x66,
  13: 0x72,
  34: 0x22,
  92: 0x5c,
};

const hexDigits = Buffer.from("0123456789abcdef");

function writeEscape(out: Buffer, at: number, byte: number): number {
  out[at++] = 0x5c;
  const short = shortEscapes[byte];
  if (short !== undefined) {
    out[at++] = short;
    return at;
  }
  out[at++] = 0x75;
  out[at++] = 0x30;
  out[at++] = 0x30;
  out[at++] = hexDigits[byte >> 4] as number;
  out[at++] = hexDigits[byte & 15] as number;
  return at;
}
