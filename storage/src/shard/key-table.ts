/** Numbers a key is kept as: its 16 bytes as four words. */
const keyWords = 4;
const capacityFirst = 64;

/**
 * Positions by 16-byte key: open addressing over typed arrays, 24 bytes a slot and no object a key.
 * Positions are 1 and up; 0 marks an empty slot.
 */
export class KeyTable {
  #keys = new Uint32Array(capacityFirst * keyWords);
  #positions = new Float64Array(capacityFirst);
  #size = 0;
  readonly #words = new Uint32Array(keyWords);
  readonly #wordBytes = new Uint8Array(this.#words.buffer);

  get size(): number {
    return this.#size;
  }

  find(key: Uint8Array): number | undefined {
    this.#wordBytes.set(key);
    const position = this.#positions[this.#slotOf(this.#words, 0)]!;
    return position === 0 ? undefined : position;
  }

  /** Keeps the first position given for a key. */
  insert(key: Uint8Array, position: number): void {
    this.#wordBytes.set(key);
    this.#insertWords(this.#words, 0, position);
    if (this.#size * 2 > this.#positions.length) this.#grow();
  }

  /** Keys and positions up to a position, in no order: 16 bytes and 8 bytes each. */
  snapshot(through: number): { readonly keys: Uint32Array; readonly positions: Float64Array } {
    const keys = new Uint32Array(this.#size * keyWords);
    const positions = new Float64Array(this.#size);
    let count = 0;
    for (let slot = 0; slot < this.#positions.length; slot++) {
      const position = this.#positions[slot]!;
      if (position === 0 || position > through) continue;
      for (let word = 0; word < keyWords; word++) {
        keys[count * keyWords + word] = this.#keys[slot * keyWords + word]!;
      }
      positions[count++] = position;
    }
    return { keys: keys.subarray(0, count * keyWords), positions: positions.subarray(0, count) };
  }

  #insertWords(words: Uint32Array, at: number, position: number): void {
    const slot = this.#slotOf(words, at);
    if (this.#positions[slot] !== 0) return;
    for (let word = 0; word < keyWords; word++) {
      this.#keys[slot * keyWords + word] = words[at + word]!;
    }
    this.#positions[slot] = position;
    this.#size++;
  }

  /** The slot that has the key, or the empty one where it would go. */
  #slotOf(words: Uint32Array, at: number): number {
    const [a, b, c, d] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
    const mask = this.#positions.length - 1;
    let slot = mix(a, b, c, d) & mask;
    while (this.#positions[slot] !== 0) {
      const key = slot * keyWords;
      if (
        this.#keys[key] === a &&
        this.#keys[key + 1] === b &&
        this.#keys[key + 2] === c &&
        this.#keys[key + 3] === d
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const keys = this.#keys;
    const positions = this.#positions;
    this.#keys = new Uint32Array(keys.length * 2);
    this.#positions = new Float64Array(positions.length * 2);
    this.#size = 0;
    for (let slot = 0; slot < positions.length; slot++) {
      if (positions[slot] !== 0) this.#insertWords(keys, slot * keyWords, positions[slot]!);
    }
  }
}

/** A router's keys differ in their third word alone, so each word is spread over the whole hash. */
function mix(a: number, b: number, c: number, d: number): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77);
  hash ^= Math.imul(c, 0xc2b2ae3d) ^ Math.imul(d, 0x27d4eb2f);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
