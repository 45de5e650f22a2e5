/** Builds a small binary structure: block headers and footers. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafeSlow(1_024);
  #length = 0;

  /** What was written so far; valid until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Begins anew. */
  clear(): void {
    this.#length = 0;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** A whole number from 0 to 2^53, seven bits a byte, low ones first. */
  varint(value: number): void {
    this.#reserve(8);
    while (value >= 0x80) {
      this.#bytes[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#length++] = value;
  }

  /** Length and bytes. */
  blob(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Length and bytes of `bytes[start … end)`: what a view costs is more than most of them. */
  range(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.varint(length);
    this.#reserve(length);
    if (length > 200) this.#bytes.set(bytes.subarray(start, end), this.#length);
    else
      for (let i = 0; i < length; i++) this.#bytes[this.#length + i] = bytes[start + i] as number;
    this.#length += length;
  }

  /** Length and bytes of what another has written. */
  written(other: ByteWriter): void {
    this.range(other.#bytes, 0, other.#length);
  }

  /** The bytes alone. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  text(text: string): void {
    this.blob(Buffer.from(text, "utf8"));
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#length + more, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
