import { columnKind } from "./batch-layout.ts";
import { batchDictValueBytesMax, batchDictValuesMax } from "./limits.ts";
import { copyBytes, hashOf, isSame, viewOf } from "./words.ts";

const slotCount = 512;
/**
 * Different values before it shows whether a dictionary pays: hosts and components are as many, and the first records
 * of a batch have each of them once.
 */
const distinctTried = 96;
/** Batches that a column stays without a dictionary after one did not pay. */
const plainBatches = 32;

export type ColumnKind = (typeof columnKind)[keyof typeof columnKind];

/**
 * One field of the batch under construction. It begins as a dictionary, and becomes plain values when
 * the dictionary does not pay; which of the two it was is remembered for the next batches. Entries
 * exist only for rows that have the field. Buffers are kept from batch to batch.
 */
export class ColumnBuilder {
  readonly nameId: number;
  /** Rows that have the field. */
  entries = 0;
  /** The row of each entry, ascending; not written while every row has one. */
  #rows = new Uint16Array(64);
  #isDense = true;
  #rowLast = -1;
  /** Plain: the end of each entry's value in `#bytes`. Dictionary: the end of each distinct value. */
  #ends = new Uint32Array(64);
  #bytes = Buffer.allocUnsafeSlow(512);
  #view = viewOf(this.#bytes);
  #used = 0;
  /** Bytes of the values one by one, as plain values would take. */
  #spread = 0;
  #codes = new Uint8Array(64);
  #distinct = 0;
  #slots: Int16Array | undefined;
  #isPlain = false;
  #plainFor = 0;

  constructor(nameId: number) {
    this.nameId = nameId;
  }

  /** Bytes held, used or not. */
  get bytesKept(): number {
    const slots = this.#slots === undefined ? 0 : slotCount * 2;
    return this.#rows.length * 7 + this.#bytes.length + slots;
  }

  reset(): void {
    this.entries = 0;
    this.#isDense = true;
    this.#rowLast = -1;
    this.#used = 0;
    this.#spread = 0;
    this.#distinct = 0;
    if (this.#plainFor > 0) this.#plainFor--;
    this.#isPlain = this.#plainFor > 0;
    if (!this.#isPlain) this.#slots?.fill(-1);
  }

  /**
   * Adds a row's value, which is not empty; a second one for the row replaces the first. `view` is over the memory
   * of `source`. Returns the bytes this adds.
   */
  append(row: number, source: Uint8Array, view: DataView, start: number, end: number): number {
    if (row === this.#rowLast) this.#dropLast();
    this.#rowLast = row;
    const entry = this.entries;
    if (entry === this.#rows.length) this.#growEntries();
    if (!this.#isDense || entry !== row) this.#setRow(entry, row);
    if (this.#isPlain) return this.#appendPlain(source, view, start, end);
    return this.#appendDict(source, view, start, end);
  }

  #setRow(entry: number, row: number): void {
    this.#fillRows();
    this.#rows[entry] = row;
  }

  /** Writes the rows that were not yet. */
  #fillRows(): void {
    if (!this.#isDense) return;
    for (let i = 0; i < this.entries; i++) this.#rows[i] = i;
    this.#isDense = false;
  }

  #appendPlain(source: Uint8Array, view: DataView, start: number, end: number): number {
    this.#copy(source, view, start, end);
    this.#ends[this.entries++] = this.#used;
    this.#spread += end - start;
    return end - start + 4;
  }

  #appendDict(source: Uint8Array, view: DataView, start: number, end: number): number {
    const length = end - start;
    if (length > batchDictValueBytesMax) {
      this.#spreadOut();
      return this.#appendPlain(source, view, start, end);
    }
    this.#slots ??= new Int16Array(slotCount).fill(-1);
    const slots = this.#slots;
    let slot = hashOf(view, start, end) & (slotCount - 1);
    for (; ; slot = (slot + 1) & (slotCount - 1)) {
      const code = slots[slot] as number;
      if (code < 0) break;
      if (!this.#equals(code, view, start, length)) continue;
      this.#codes[this.entries++] = code;
      this.#spread += length;
      return 1;
    }
    // One code stays free for the empty value of rows without the field.
    const isFull = this.#distinct >= batchDictValuesMax - 1;
    if (isFull || (this.#distinct >= distinctTried && this.#distinct * 3 > this.entries)) {
      this.#spreadOut();
      return this.#appendPlain(source, view, start, end);
    }
    this.#copy(source, view, start, end);
    this.#ends[this.#distinct] = this.#used;
    slots[slot] = this.#distinct;
    this.#codes[this.entries++] = this.#distinct++;
    this.#spread += length;
    return length + 5;
  }

  #equals(code: number, view: DataView, start: number, length: number): boolean {
    const at = code === 0 ? 0 : (this.#ends[code - 1] as number);
    if ((this.#ends[code] as number) - at !== length) return false;
    return isSame(view, start, length, this.#view, at);
  }

  #copy(source: Uint8Array, view: DataView, start: number, end: number): void {
    const used = this.#used;
    const after = used + end - start;
    if (after > this.#bytes.length) this.#growBytes(after);
    copyBytes(view, source, start, end, this.#view, this.#bytes, used);
    this.#used = after;
  }

  #dropLast(): void {
    const last = --this.entries;
    if (this.#isPlain) {
      const begin = last === 0 ? 0 : (this.#ends[last - 1] as number);
      this.#spread -= this.#used - begin;
      this.#used = begin;
    } else {
      const code = this.#codes[last] as number;
      const begin = code === 0 ? 0 : (this.#ends[code - 1] as number);
      this.#spread -= (this.#ends[code] as number) - begin;
    }
  }

  /** Turns the dictionary into plain values. */
  #spreadOut(): void {
    this.#isPlain = true;
    this.#plainFor = plainBatches;
    const dictBytes = this.#bytes;
    const dictEnds = this.#ends;
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(dictBytes.length, this.#spread * 2));
    this.#view = viewOf(this.#bytes);
    this.#ends = new Uint32Array(this.#rows.length);
    let used = 0;
    for (let entry = 0; entry < this.entries; entry++) {
      const code = this.#codes[entry] as number;
      const begin = code === 0 ? 0 : (dictEnds[code - 1] as number);
      used += dictBytes.copy(this.#bytes, used, begin, dictEnds[code] as number);
      this.#ends[entry] = used;
    }
    this.#used = used;
  }

  #growEntries(): void {
    const length = this.#rows.length * 4;
    this.#rows = grown(this.#rows, new Uint16Array(length));
    this.#ends = grown(this.#ends, new Uint32Array(length));
    this.#codes = grown(this.#codes, new Uint8Array(length));
  }

  #growBytes(needed: number): void {
    this.#bytes = grown(
      this.#bytes,
      Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2)),
    );
    this.#view = viewOf(this.#bytes);
  }

  /** How the column is written in a batch of so many rows. */
  kindFor(rowCount: number): ColumnKind {
    const isWhole = this.entries === rowCount;
    if (isWhole && !this.#isPlain && this.#isOneValue) return columnKind.const;
    const sparseBytes = 6 * this.entries + this.#spread;
    if (this.#isPlain) {
      const isRare = sparseBytes < 4 * rowCount + this.#spread;
      return !isWhole && isRare ? columnKind.sparse : columnKind.rows;
    }
    return sparseBytes < rowCount ? columnKind.sparse : columnKind.dict;
  }

  get #isOneValue(): boolean {
    // A value that was replaced may have left its code behind, so the codes decide.
    if (this.#distinct === 1) return true;
    const first = this.#codes[0] as number;
    for (let i = 1; i < this.entries; i++) if (this.#codes[i] !== first) return false;
    return true;
  }

  /** Values the kind stores; see `columnEntry.count`. */
  countFor(kind: ColumnKind, rowCount: number): number {
    if (kind === columnKind.const) return 1;
    if (kind === columnKind.rows) return rowCount;
    if (kind === columnKind.sparse) return this.entries;
    return this.#distinct + (this.entries < rowCount ? 1 : 0);
  }

  bytesLengthFor(kind: ColumnKind): number {
    if (kind === columnKind.dict) return this.#used;
    if (kind !== columnKind.const) return this.#spread;
    const code = this.#codes[0] as number;
    return (this.#ends[code] as number) - (code === 0 ? 0 : (this.#ends[code - 1] as number));
  }

  writeConst(bytes: Buffer): void {
    const code = this.#codes[0] as number;
    const begin = code === 0 ? 0 : (this.#ends[code - 1] as number);
    this.#bytes.copy(bytes, 0, begin, this.#ends[code] as number);
  }

  /** Offsets for every row, and the values. */
  writeRows(offsets: Uint32Array, bytes: Buffer): void {
    this.#bytes.copy(bytes, 0, 0, this.#used);
    offsets[0] = 0;
    if (this.entries === offsets.length - 1) {
      offsets.set(this.#ends.subarray(0, this.entries), 1);
      return;
    }
    this.#fillRows();
    let entry = 0;
    let end = 0;
    for (let row = 0; row < offsets.length - 1; row++) {
      if (entry < this.entries && this.#rows[entry] === row) end = this.#ends[entry++] as number;
      offsets[row + 1] = end;
    }
  }

  /** Distinct values, the empty one last if a row lacks the field; and each row's code. */
  writeDict(offsets: Uint32Array, bytes: Buffer, codes: Uint8Array): void {
    this.#bytes.copy(bytes, 0, 0, this.#used);
    offsets[0] = 0;
    for (let i = 0; i < this.#distinct; i++) offsets[i + 1] = this.#ends[i] as number;
    if (this.entries === codes.length) {
      codes.set(this.#codes.subarray(0, codes.length));
      return;
    }
    this.#fillRows();
    offsets[this.#distinct + 1] = this.#used;
    codes.fill(this.#distinct);
    for (let i = 0; i < this.entries; i++)
      codes[this.#rows[i] as number] = this.#codes[i] as number;
  }

  /** The rows that have the field, and their values. */
  writeSparse(rows: Uint16Array, offsets: Uint32Array, bytes: Buffer): void {
    this.#fillRows();
    rows.set(this.#rows.subarray(0, this.entries));
    offsets[0] = 0;
    if (this.#isPlain) {
      this.#bytes.copy(bytes, 0, 0, this.#used);
      offsets.set(this.#ends.subarray(0, this.entries), 1);
      return;
    }
    let used = 0;
    for (let entry = 0; entry < this.entries; entry++) {
      const code = this.#codes[entry] as number;
      const begin = code === 0 ? 0 : (this.#ends[code - 1] as number);
      used += this.#bytes.copy(bytes, used, begin, this.#ends[code] as number);
      offsets[entry + 1] = used;
    }
  }
}

function grown<T extends Uint8Array | Uint16Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
