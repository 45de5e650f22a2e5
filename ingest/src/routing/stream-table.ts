import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import { printStream } from "../../../storage/src/format/stream-labels.ts";
import { copyBytes, hashOf, isSame, viewOf } from "../../../storage/src/format/words.ts";
import { streamsKept, streamTextMaxBytes } from "../limits.ts";
import { shardOf } from "./shard-of.ts";

/** A stream of a tenant, as records are appended to it. */
export interface StreamEntry {
  /** Its id among the texts a worker has interned; its canonical text when those are full. */
  readonly stream: string | number;
  readonly text: string;
  readonly shard: number;
}

export interface StreamTableOptions {
  readonly tenant: string;
  readonly shardCount: number;
  readonly texts: FieldNames;
}

/**
 * The streams of one tenant, found by the values of the fields that form them without making strings.
 * Bounded: a full table starts anew. Entries stay valid until the interned texts are cleared.
 */
export class StreamTable {
  readonly #options: StreamTableOptions;
  readonly #fields: readonly string[];
  #slots = new Int32Array(1_024).fill(-1);
  #hashes: number[] = [];
  #entries: StreamEntry[] = [];
  /** The values of all streams, one behind the other, and where each ends. */
  #bytes = Buffer.allocUnsafeSlow(1_024);
  #view = viewOf(this.#bytes);
  #ends: number[] = [];
  readonly #byText = new Map<string, StreamEntry>();

  constructor(options: StreamTableOptions, fields: readonly string[]) {
    this.#options = options;
    this.#fields = fields;
  }

  /**
   * The stream whose field i has the value `bytes[starts[i] … ends[i])`, an empty one being absent. `view` is over
   * the memory of `bytes`.
   */
  entryOf(bytes: Buffer, view: DataView, starts: Uint32Array, ends: Uint32Array): StreamEntry {
    let hash = 0;
    for (let i = 0; i < this.#fields.length; i++) {
      const each = hashOf(view, starts[i] as number, ends[i] as number);
      hash = Math.imul(hash ^ each, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] as number;
      if (found < 0) break;
      if (this.#hashes[found] !== hash || !this.#isOf(found, view, starts, ends)) continue;
      return this.#entries[found] as StreamEntry;
    }
    const pairs = this.#fields.map((name, i): [string, string] => [
      name,
      bytes.toString("utf8", starts[i] as number, ends[i] as number),
    ]);
    const entry = this.#make(pairs);
    this.#add(hash, entry);
    for (let i = 0; i < this.#fields.length; i++) {
      this.#keep(bytes, view, starts[i] as number, ends[i] as number);
    }
    return entry;
  }

  /** The stream of labels that are not the table's fields. */
  entryOfPairs(pairs: Iterable<readonly [string, string]>): StreamEntry {
    return this.#make(pairs);
  }

  #make(pairs: Iterable<readonly [string, string]>): StreamEntry {
    const whole = printStream(pairs);
    // So long a text tells nothing about what belongs together.
    const text = Buffer.byteLength(whole) > streamTextMaxBytes ? "{}" : whole;
    let entry = this.#byText.get(text);
    if (entry === undefined) {
      const { tenant, shardCount, texts } = this.#options;
      const id = texts.idOfText(text);
      entry = { stream: id < 0 ? text : id, text, shard: shardOf(tenant, text, shardCount) };
      if (this.#byText.size >= streamsKept) this.#byText.clear();
      this.#byText.set(text, entry);
    }
    return entry;
  }

  #isOf(found: number, view: DataView, starts: Uint32Array, ends: Uint32Array): boolean {
    const first = found * this.#fields.length;
    let at = first === 0 ? 0 : (this.#ends[first - 1] as number);
    for (let i = 0; i < this.#fields.length; i++) {
      const start = starts[i] as number;
      const length = (ends[i] as number) - start;
      const end = this.#ends[first + i] as number;
      if (end - at !== length || !isSame(view, start, length, this.#view, at)) return false;
      at = end;
    }
    return true;
  }

  #keep(bytes: Buffer, view: DataView, start: number, end: number): void {
    const at = this.#ends.at(-1) ?? 0;
    const after = at + end - start;
    if (after > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(after * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    copyBytes(view, bytes, start, end, this.#view, this.#bytes, at);
    this.#ends.push(after);
  }

  #add(hash: number, entry: StreamEntry): void {
    if (this.#entries.length >= streamsKept) {
      this.#slots = new Int32Array(1_024).fill(-1);
      this.#hashes = [];
      this.#entries = [];
      this.#ends = [];
    }
    this.#hashes.push(hash);
    this.#entries.push(entry);
    if (this.#entries.length * 2 > this.#slots.length) {
      this.#slots = new Int32Array(this.#slots.length * 2).fill(-1);
      for (const [at, each] of this.#hashes.entries()) this.#link(at, each);
    } else {
      this.#link(this.#entries.length - 1, hash);
    }
  }

  #link(at: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = at;
  }
}
