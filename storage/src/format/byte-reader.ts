import { checkStored } from "./damage.ts";

/** Reads what `ByteWriter` wrote; `storage.damaged` where the bytes end too early. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u32(): number {
    const from = this.#take(4);
    return this.#bytes.readUInt32LE(from);
  }

  f64(): number {
    const from = this.#take(8);
    return this.#bytes.readDoubleLE(from);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    while (true) {
      const byte = this.#bytes[this.#take(1)] as number;
      value += (byte & 0x7f) * scale;
      checkStored(Number.isSafeInteger(value), "a stored number is too large");
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  /** A varint that counts things; more than `max` of them is damage. */
  count(max: number): number {
    const count = this.varint();
    checkStored(count <= max, "a stored count is too large", { count, max });
    return count;
  }

  blob(): Buffer {
    const length = this.varint();
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** Leaves so many bytes out. */
  skip(length: number): void {
    this.#take(length);
  }

  text(): string {
    return this.blob().toString("utf8");
  }

  #take(length: number): number {
    const from = this.#at;
    checkStored(from + length <= this.#bytes.length, "a stored structure ends too early");
    this.#at = from + length;
    return from;
  }
}
