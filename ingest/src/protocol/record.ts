import { namesMax } from "../../../storage/src/format/limits.ts";
import { extraFieldsMax, fieldsMax, streamFieldsMax, timeFieldsMax } from "../limits.ts";
import { byte } from "./json-scan.ts";
import type { SourceBytes } from "./source-bytes.ts";

/** Room for the fields of a record, for those that mean something to Logkeep, and for what a request adds. */
const slotsMax = fieldsMax + extraFieldsMax + streamFieldsMax + 2 * timeFieldsMax + 16;

/**
 * One record while it is decoded: names as ids, values as slices of the source. The last of several fields
 * of one name counts. An empty value is no field.
 */
export class RecordFields {
  count = 0;
  nameIds: Int32Array = new Int32Array(slotsMax);
  readonly starts = new Uint32Array(slotsMax);
  readonly ends = new Uint32Array(slotsMax);
  /** The record's time where its protocol gives it apart from the fields. */
  timeMs = Number.NaN;
  timeNs = 0;

  readonly #ownNameIds = this.nameIds;
  readonly #source: SourceBytes;
  /** The serial number of the last record that had a name, and its slot there. */
  readonly #seenIn = new Float64Array(namesMax);
  readonly #slotOf = new Uint16Array(namesMax);
  readonly #slots: number;
  #isNeeded: Uint8Array = new Uint8Array(namesMax);
  #serial = 1;
  /** Fields that found no slot: four numbers each, start and end of name and value; text or JSON. */
  readonly #overflow: { slices: number[]; isText: boolean[] } = { slices: [], isText: [] };

  /** `slots`: fields that become columns, at most `fieldsMax`. */
  constructor(source: SourceBytes, slots: number = fieldsMax) {
    this.#source = source;
    this.#slots = Math.min(slots, fieldsMax);
  }

  /** Names (by id, not zero) that have their place in a record however many fields stand before them: few. */
  setNeeded(isNeeded: Uint8Array): void {
    this.#isNeeded = isNeeded;
  }

  /** Forgets the record before. */
  begin(): void {
    this.count = 0;
    this.nameIds = this.#ownNameIds;
    this.timeMs = Number.NaN;
    this.timeNs = 0;
    this.#serial++;
    if (this.#overflow.isText.length > 0) {
      this.#overflow.slices.length = 0;
      this.#overflow.isText.length = 0;
    }
  }

  /** Adds or replaces a field; false when the record is full and has none of this name. */
  put(nameId: number, start: number, end: number): boolean {
    let slot = this.count;
    if (this.#seenIn[nameId] === this.#serial) {
      slot = this.#slotOf[nameId] as number;
    } else {
      if (slot >= this.#slots && this.#isNeeded[nameId] === 0) return false;
      this.count = slot + 1;
      this.#seenIn[nameId] = this.#serial;
      this.#slotOf[nameId] = slot;
      this.nameIds[slot] = nameId;
    }
    this.starts[slot] = start;
    this.ends[slot] = end;
    return true;
  }

  /** Gives the values that lie in the slots already their names, which are all different. */
  setNames(nameIds: Int32Array): void {
    for (let slot = 0; slot < nameIds.length; slot++) {
      const nameId = nameIds[slot] as number;
      this.nameIds[slot] = nameId;
      this.#seenIn[nameId] = this.#serial;
      this.#slotOf[nameId] = slot;
    }
    this.count = nameIds.length;
  }

  /** Takes a field back that an earlier member of the same name has put. */
  clear(nameId: number): void {
    if (this.#seenIn[nameId] !== this.#serial) return;
    const slot = this.#slotOf[nameId] as number;
    this.starts[slot] = 0;
    this.ends[slot] = 0;
  }

  /** True when no field of a new name can be put. */
  get isFull(): boolean {
    return this.count >= this.#slots;
  }

  /** Adds a field past the limit of `put`: there is always room for the few that Logkeep itself adds. */
  putOwn(nameId: number, start: number, end: number): void {
    if (this.put(nameId, start, end)) return;
    const slot = this.count++;
    this.nameIds[slot] = nameId;
    this.starts[slot] = start;
    this.ends[slot] = end;
  }

  /** Keeps a field that can be no column. Its value is a text, or JSON as it stands. */
  putOverflow(name: Slice, start: number, end: number, isText: boolean): void {
    const { slices, isText: kinds } = this.#overflow;
    slices.push(name.start, name.end, start, end);
    kinds.push(isText);
  }

  get hasOverflow(): boolean {
    return this.#overflow.isText.length > 0;
  }

  /** Composes what did not fit as one JSON object at the end of scratch; returns where it starts. */
  composeOverflow(): number {
    const { slices, isText } = this.#overflow;
    const source = this.#source;
    const start = source.scratch;
    for (let i = 0; i < isText.length; i++) {
      source.putByte(i === 0 ? byte.openBrace : byte.comma);
      putJsonString(source, slices[4 * i] as number, slices[4 * i + 1] as number);
      source.putByte(byte.colon);
      const valueStart = slices[4 * i + 2] as number;
      const valueEnd = slices[4 * i + 3] as number;
      if (isText[i] === true) putJsonString(source, valueStart, valueEnd);
      else source.putSlice(valueStart, valueEnd);
    }
    source.putByte(byte.closeBrace);
    return start;
  }
}

export interface Slice {
  readonly start: number;
  readonly end: number;
}

const hexDigits = "0123456789abcdef";

/** Appends a slice of the source to its scratch as a JSON string. */
export function putJsonString(source: SourceBytes, start: number, end: number): void {
  source.putByte(byte.quote);
  for (let at = start; at < end; at++) {
    const c = source.bytes[at] as number;
    if (c === byte.quote || c === byte.backslash) {
      source.putByte(byte.backslash);
      source.putByte(c);
    } else if (c < 0x20) {
      source.putText(`\\u00${hexDigits[c >> 4]}${hexDigits[c & 15]}`);
    } else {
      source.putByte(c);
    }
  }
  source.putByte(byte.quote);
}
