import { isUtf8 } from "node:buffer";
import { viewOf } from "../../../storage/src/format/words.ts";
import { scratchBytes } from "../limits.ts";
import type { DecodeFault } from "./fault.ts";

/** Bodies up to this are decoded in memory that is kept for the next body. */
const keptBytes = 4 << 20;

/**
 * The one array that all values of a request lie in, as a batch builder wants it: the body, a zero byte
 * that ends every scan, then scratch for what has to be unescaped or composed. Scratch is taken from a
 * moving end; what was `pinned` stays for the request or a part of it, the rest goes with each record.
 */
export class SourceBytes {
  bytes = Buffer.allocUnsafeSlow(1 << 20);
  /** The same memory, to be read four bytes at a time. */
  view = viewOf(this.bytes);
  bodyEnd = 0;
  /** The next free byte of scratch. */
  scratch = 0;
  readonly #fault: DecodeFault;

  constructor(fault: DecodeFault) {
    this.#fault = fault;
  }

  /** Takes a copy of the body. */
  load(body: Uint8Array): void {
    const needed = body.length + 8 + scratchBytes;
    const isTooBig = this.bytes.length > keptBytes + 8 + scratchBytes && needed <= keptBytes;
    if (this.bytes.length < needed || isTooBig) {
      this.bytes = Buffer.allocUnsafeSlow(needed);
      this.view = viewOf(this.bytes);
    }
    this.bytes.set(body);
    this.bytes[body.length] = 0;
    this.bodyEnd = body.length;
    this.scratch = body.length + 1;
  }

  /** Makes sure that `bytes` more fit into scratch; throws the fault where they do not. */
  reserve(bytes: number): void {
    if (this.scratch + bytes > this.bytes.length) throw this.isFull();
  }

  /** The fault of a record for which scratch has no room. */
  isFull(): DecodeFault {
    return this.#fault.set("the record is too long when decoded", this.bodyEnd, true);
  }

  /** Appends a text to scratch; it ends at the new `scratch`. Returns where it starts. */
  putText(text: string): number {
    const start = this.scratch;
    this.reserve(text.length * 3);
    this.scratch += this.bytes.write(text, start, text.length * 3, "utf8");
    return start;
  }

  putByte(byte: number): void {
    this.reserve(1);
    this.bytes[this.scratch++] = byte;
  }

  /** Appends a copy of `bytes[start … end)` of itself. */
  putSlice(start: number, end: number): void {
    this.reserve(end - start);
    this.bytes.copyWithin(this.scratch, start, end);
    this.scratch += end - start;
  }

  textOf(start: number, end: number): string {
    return this.bytes.toString("utf8", start, end);
  }

  isUtf8(start: number, end: number): boolean {
    return isUtf8(this.bytes.subarray(start, end));
  }
}
