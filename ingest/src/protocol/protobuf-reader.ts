import type { DecodeFault } from "./fault.ts";
import type { SourceBytes } from "./source-bytes.ts";

/** How a field's value is written. */
export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * Walks protobuf messages where they lie. `next` moves to a field and tells its value: a slice for bytes,
 * two halves for numbers. Messages inside are walked by keeping their slice and opening it later.
 */
export class ProtobufReader {
  readonly source: SourceBytes;
  readonly fault: DecodeFault;
  at = 0;
  /** The field that `next` moved to. */
  field = 0;
  wireType = 0;
  /** A number's halves, unsigned. */
  low = 0;
  high = 0;
  /** The slice of a value that is bytes. */
  start = 0;
  end = 0;

  constructor(source: SourceBytes, fault: DecodeFault) {
    this.source = source;
    this.fault = fault;
  }

  /** Moves to the next field of the message that ends at `messageEnd`; false at its end. */
  next(messageEnd: number): boolean {
    if (this.at >= messageEnd) return false;
    this.#varint(messageEnd);
    if (this.high !== 0 || this.low < 8) throw this.fault.set("a field has no number", this.at);
    this.field = this.low >>> 3;
    this.wireType = this.low & 7;
    switch (this.wireType) {
      case wire.varint:
        this.#varint(messageEnd);
        return true;
      case wire.fixed64:
        this.#take(8, messageEnd);
        this.low = this.source.bytes.readUInt32LE(this.start);
        this.high = this.source.bytes.readUInt32LE(this.start + 4);
        return true;
      case wire.fixed32:
        this.#take(4, messageEnd);
        this.low = this.source.bytes.readUInt32LE(this.start);
        this.high = 0;
        return true;
      case wire.bytes:
        this.#varint(messageEnd);
        this.#take(this.high === 0 ? this.low : Number.POSITIVE_INFINITY, messageEnd);
        return true;
      default:
        throw this.fault.set(`a field has the unknown wire type ${this.wireType}`, this.at);
    }
  }

  /** The number as text, of 64 bits with a sign. */
  signedText(): string {
    if (this.high < 0x200000) return String(this.high * 0x100000000 + this.low);
    return String(BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low)));
  }

  /** The eight bytes as a double. */
  double(): number {
    return this.source.bytes.readDoubleLE(this.start);
  }

  #take(length: number, messageEnd: number): void {
    if (length > messageEnd - this.at) {
      throw this.fault.set("a field reaches past the end of its message", this.at);
    }
    this.start = this.at;
    this.end = this.at + length;
    this.at = this.end;
  }

  #varint(messageEnd: number): void {
    const { bytes } = this.source;
    let at = this.at;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= messageEnd) throw this.fault.set("the message is cut short", at);
      const c = bytes[at++] as number;
      const bits = c & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (c < 128) {
        this.at = at;
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw this.fault.set("a number is longer than 64 bits", at);
  }
}
