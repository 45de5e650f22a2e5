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
  const writer = new LineWriter(view, rows);
  const out = new LineBuffer(rows.length, bytesMax);
  for (let i = 0; i < rows.length && !out.isFull; i++) out.add(writer, i);
  return out.lines();
}

/** Rows of a view with all that their lines need; nothing is read any more while they are written. */
export class LineWriter {
  readonly #fields: readonly FieldWriter[];
  /** Bytes of the values held; those of other rows of their blocks among them. */
  readonly byteSize: number;

  constructor(view: View, rows: Uint32Array) {
    const picked = new PickedRows(rows, view.rowCount);
    this.#fields = view.names
      .map((name) => writerOf(view, name, rows, picked))
      .filter((each) => each !== undefined);
    this.byteSize = this.#fields.reduce((sum, { byteSize }) => sum + byteSize, 0);
  }

  /** Bytes that the i-th line may take at most. */
  room(i: number): number {
    let room = 4;
    for (const field of this.#fields) room += field.room(i);
    return room;
  }

  /** Writes the i-th line; gives its end. */
  write(out: Buffer, at: number, i: number): number {
    const first = at + 1;
    out[at++] = 0x7b;
    for (const field of this.#fields) at = field.write(out, at, i, at === first);
    out[at++] = 0x7d;
    out[at++] = 0x0a;
    return at;
  }
}

/** Lines one after the other, in memory of about their size. */
export class LineBuffer {
  readonly #bytesMax: number;
  readonly #offsets: Uint32Array;
  #out: Buffer;
  #count = 0;
  #length = 0;

  /** For at most so many lines; it is full with the one that goes beyond `bytesMax`. */
  constructor(linesMax: number, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#offsets = new Uint32Array(linesMax + 1);
    this.#out = Buffer.allocUnsafeSlow(Math.min(Math.max(linesMax * 256, 1024), 1 << 20));
  }

  get isFull(): boolean {
    return this.#length >= this.#bytesMax || this.#count + 1 === this.#offsets.length;
  }

  add(writer: LineWriter, i: number): void {
    const room = writer.room(i);
    if (this.#length + room > this.#out.length) this.#grow(room);
    this.#length = writer.write(this.#out, this.#length, i);
    this.#offsets[++this.#count] = this.#length;
  }

  /** Once. */
  lines(): NdjsonLines {
    const bytes = this.#out.subarray(0, this.#length);
    const offsets = this.#offsets.subarray(0, this.#count + 1);
    // Whoever posts an array posts all memory that it lies in.
    const isTight = this.#out.length <= this.#length * 1.25;
    return {
      bytes: isTight ? bytes : copyOf(bytes),
      offsets: this.#count + 1 === this.#offsets.length ? offsets : offsets.slice(),
    };
  }

  /** To what all lines will take if they go on as they began. */
  #grow(room: number): void {
    const all = (this.#length / Math.max(this.#count, 1)) * (this.#offsets.length - 1);
    const expected = Math.min(all, this.#bytesMax) * 1.05;
    const larger = Buffer.allocUnsafeSlow(
      Math.ceil(Math.max(this.#length + room, this.#out.length * 1.5, expected)),
    );
    larger.set(this.#out.subarray(0, this.#length));
    this.#out = larger;
  }
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Writes one field of the i-th row: `,"name":"value"`, without the comma when it is the first. */
interface FieldWriter {
  /** Bytes of the values held. */
  readonly byteSize: number;
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
  readonly byteSize: number;
  readonly #times: Times;
  readonly #rows: Uint32Array;
  readonly #printer = new TimePrinter();
  readonly #prefix = prefixOf("_time");

  constructor(times: Times, rows: Uint32Array) {
    this.#times = times;
    this.#rows = rows;
    this.byteSize = times.ms.byteLength + (times.ns?.byteLength ?? 0) + rows.byteLength;
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
  readonly byteSize = 0;
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
  readonly byteSize: number;
  readonly #prefix: Buffer;
  readonly #values: Values;
  readonly #places: Uint32Array;
  readonly #showsEmpty: boolean;

  constructor(name: string, { values, places }: PlacedValues, showsEmpty: boolean) {
    this.#prefix = prefixOf(name);
    this.#values = values;
    this.#places = places;
    this.#showsEmpty = showsEmpty;
    this.byteSize = values.bytes.length + values.offsets.byteLength + places.byteLength;
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
