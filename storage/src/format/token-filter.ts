import type { Values } from "../../../kit/src/block.ts";
import { isWordByte } from "../../../kit/src/tokens.ts";
import { filterBitsPerToken } from "./limits.ts";

/**
 * A split-block Bloom filter over the distinct words of values (Putze, Sanders, Singler; as Parquet
 * has it): a word's hash chooses 32 bytes and one bit in each of their eight u32s. The filter is those
 * u32s, little-endian, and nothing else.
 */
const salts = new Uint32Array([
  0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
]);

/** The filter of all words of the values. */
export function buildTokenFilter(values: Values): Buffer {
  const words = new WordSet();
  addWords(values.bytes, values.offsets, words);
  return filterOf(words);
}

/** The filter of these words. */
export function filterOf(words: WordSet): Buffer {
  const blocks = Math.max(1, Math.ceil((words.size * filterBitsPerToken) / 256));
  const filter = new Uint32Array(blocks * 8);
  insertAll(words.slots, filter, blocks);
  return Buffer.from(filter.buffer);
}

/** A loop of its own, so that the code compiled for it once serves for every filter. */
function insertAll(hashes: Int32Array, filter: Uint32Array, blocks: number): void {
  for (let i = 0; i < hashes.length; i++) {
    if (hashes[i] !== 0) insert(filter, blocks, hashes[i] as number);
  }
}

/** False only when no value of which the filter was built contains all of these words. */
export function filterMayContain(filter: Buffer, tokens: readonly string[]): boolean {
  return filterProbed(filter.length, tokens, (at, length) => filter.subarray(at, at + length));
}

/** As `filterMayContain`, of a filter of so many bytes, of which `read` gives a few. */
export function filterProbed(
  filterBytes: number,
  tokens: readonly string[],
  read: (at: number, length: number) => Buffer,
): boolean {
  const blocks = Math.floor(filterBytes / wordBytes);
  if (blocks === 0) return true;
  return tokens.every((token) => {
    const bytes = Buffer.from(token, "utf8");
    let hash = hashStart;
    for (let i = 0; i < bytes.length; i++) hash = hashStep(hash, bytes[i] as number);
    hash = hashEnd(hash);
    return mayHold(read(blockOf(hash, blocks) * wordBytes, wordBytes), hash);
  });
}

/** What is looked at for one word. */
const wordBytes = 32;

const hashStart = 0x811c9dc5 | 0;

function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** Spreads the hash over all bits; 0 marks a free slot, so no word has it. */
function hashEnd(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash === 0 ? 1 : hash;
}

function blockOf(hash: number, blocks: number): number {
  // The high bits choose the block, the product's low ones the bits within.
  return Math.floor(((hash >>> 0) / 4294967296) * blocks);
}

function insert(filter: Uint32Array, blocks: number, hash: number): void {
  const from = blockOf(hash, blocks) * 8;
  for (let i = 0; i < 8; i++) {
    filter[from + i]! |= 1 << (Math.imul(hash, salts[i] as number) >>> 27);
  }
}

function mayHold(block: Buffer, hash: number): boolean {
  for (let i = 0; i < 8; i++) {
    const bit = 1 << (Math.imul(hash, salts[i] as number) >>> 27);
    if ((block.readInt32LE(i * 4) & bit) === 0) return false;
  }
  return true;
}

function addWords(bytes: Buffer, offsets: Uint32Array, words: WordSet): void {
  for (let value = 0; value < offsets.length - 1; value++) {
    addWordsOf(bytes, offsets[value] as number, offsets[value + 1] as number, words);
  }
}

/** Adds the words of `bytes[start … end)`. */
export function addWordsOf(bytes: Buffer, start: number, end: number, words: WordSet): void {
  let at = start;
  while (at < end) {
    let byte = bytes[at++] as number;
    if (isWordByte[byte] === 0) continue;
    const from = at - 1;
    let to = at;
    let hash = hashStart;
    while (true) {
      hash = hashStep(hash, byte);
      to = at;
      if (at === end) break;
      byte = bytes[at++] as number;
      if (isWordByte[byte] === 0) break;
    }
    if (to - from > smallDigitsMax || words.isNew(bytes, from, to)) words.add(hashEnd(hash));
  }
}

/** Numbers of so many digits are most of the words of addresses, times and codes. */
const smallDigitsMax = 3;

/** Distinct hashes, none of them 0. */
export class WordSet {
  slots = new Int32Array(4_096);
  size = 0;
  /** Which numbers of up to three digits it has: a look at a kilobyte instead of one at all the slots. */
  readonly #small = new Uint8Array(2_000);

  /** False for a number of up to three digits that was asked for before; such are to be added at once. */
  isNew(bytes: Buffer, from: number, to: number): boolean {
    // A 1 before the digits, so that 7, 07 and 007 differ.
    let place = 1;
    for (let at = from; at < to; at++) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) return true;
      place = place * 10 + digit;
    }
    if (this.#small[place] === 1) return false;
    this.#small[place] = 1;
    return true;
  }

  add(hash: number): void {
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    while (true) {
      const there = this.slots[slot] as number;
      if (there === hash) return;
      if (there === 0) break;
      slot = (slot + 1) & mask;
    }
    this.slots[slot] = hash;
    this.size++;
    if (this.size * 2 > this.slots.length) this.#grow();
  }

  #grow(): void {
    const before = this.slots;
    const slots = new Int32Array(before.length * 4);
    const mask = slots.length - 1;
    for (let i = 0; i < before.length; i++) {
      const hash = before[i] as number;
      if (hash === 0) continue;
      let slot = hash & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = hash;
    }
    this.slots = slots;
  }
}
