/** Bits that grams are gathered in: a day's messages of a large fleet have some thousands of different ones in a block. */
const bitsGathered = 1 << 15;

/** At most this share of the bits is set after shrinking; a word of five letters is then found by chance once in 500 times. */
const setShareMax = 1 / 8;

const letterA = 0x61;
const lettersOfHex = 6;

/** Which runs of three bytes stand in some texts: one bit for each by its hash, so some are said to that do not. */
export class Grams {
  #bits = new Uint32Array(bitsGathered / 32);
  /** The hash is so far from a bit's number. */
  #shift = 32 - Math.log2(bitsGathered);
  readonly #patterns = new Set<string>();

  get byteSize(): number {
    return this.#bits.byteLength + 100;
  }

  add(bytes: Buffer): void {
    const bits = this.#bits;
    const shift = this.#shift;
    let gram = 0;
    for (let at = 0; at < bytes.length; at++) {
      gram = (gram << 8) | bytes[at]!;
      // The first two bytes make grams that begin with zeros, which do no harm.
      const bit = hashOf(gram) >>> shift;
      bits[bit >>> 5]! |= 1 << (bit & 31);
    }
  }

  /** Those of all ids of a pattern, in which 0 stands for a hexadecimal digit; decimal digits are left out. */
  addPattern(pattern: Buffer): void {
    const key = pattern.toString("latin1");
    if (this.#patterns.has(key)) return;
    this.#patterns.add(key);
    const gram = Buffer.alloc(3);
    for (let at = 0; at + 3 <= pattern.length; at++) {
      for (let letters = 0; letters < lettersOfHex ** 3; letters++) {
        let left = letters;
        let isAsBefore = false;
        for (let i = 0; i < 3; i++) {
          const letter = left % lettersOfHex;
          left = Math.floor(left / lettersOfHex);
          const fixed = pattern[at + i]!;
          if (fixed !== 0 && letter > 0) isAsBefore = true;
          gram[i] = fixed === 0 ? letterA + letter : fixed;
        }
        if (!isAsBefore) this.add(gram);
      }
    }
  }

  /** Takes no more memory than what was added needs; nothing is added afterwards. */
  shrink(): void {
    this.#patterns.clear();
    while (this.#bits.length > 1 && this.#count() < this.#bits.length * 32 * (setShareMax / 2)) {
      const halved = new Uint32Array(this.#bits.length / 2);
      for (let bit = 0; bit < this.#bits.length * 32; bit++) {
        if (!this.#has(bit)) continue;
        halved[bit >>> 6]! |= 1 << ((bit >>> 1) & 31);
      }
      this.#bits = halved;
      this.#shift++;
    }
  }

  /** False only when no text has these bytes. */
  mayHold(bytes: Buffer): boolean {
    let gram = 0;
    for (let at = 0; at < bytes.length; at++) {
      gram = (gram << 8) | bytes[at]!;
      if (at >= 2 && !this.has(gram)) return false;
    }
    return true;
  }

  /** Whether the last three bytes of this number may be those of a text. */
  has(gram: number): boolean {
    return this.#has(hashOf(gram) >>> this.#shift);
  }

  #has(bit: number): boolean {
    return (this.#bits[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  #count(): number {
    let count = 0;
    for (let left of this.#bits) for (; left !== 0; left &= left - 1) count++;
    return count;
  }
}

/** Of the last three bytes. */
function hashOf(gram: number): number {
  return Math.imul(gram & 0xffffff, 0x9e3779b1) >>> 0;
}
