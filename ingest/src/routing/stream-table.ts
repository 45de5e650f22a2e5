import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import { printStream } from "../../../storage/src/format/stream-labels.ts";
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
  /** The values of each stream, each followed by a byte that no UTF-8 has. */
  #keys: Buffer[] = [];
  #key = Buffer.allocUnsafeSlow(1_024);
  readonly #byText = new Map<string, StreamEntry>();

  constructor(options: StreamTableOptions, fields: readonly string[]) {
    this.#options = options;
    this.#fields = fields;
  }

  /** The stream whose field i has the value `bytes[starts[i] … ends[i])`, an empty one being absent. */
  entryOf(bytes: Buffer, starts: Uint32Array, ends: Uint32Array): StreamEntry {
    const length = this.#compose(bytes, starts, ends);
    const key = this.#key;
    let hash = 0x811c9dc5 | 0;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (key[i] as number), 0x01000193);
    hash ^= hash >>> 15;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] as number;
      if (found < 0) break;
      if (this.#hashes[found] !== hash || !sameKey(this.#keys[found] as Buffer, key, length))
        continue;
      return this.#entries[found] as StreamEntry;
    }
    const pairs = this.#fields.map((name, i): [string, string] => [
      name,
      bytes.toString("utf8", starts[i] as number, ends[i] as number),
    ]);
    return this.#add(Buffer.from(key.subarray(0, length)), hash, this.#make(pairs));
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

  #compose(bytes: Buffer, starts: Uint32Array, ends: Uint32Array): number {
    let length = this.#fields.length;
    for (let i = 0; i < this.#fields.length; i++) {
      length += (ends[i] as number) - (starts[i] as number);
    }
    if (length > this.#key.length) this.#key = Buffer.allocUnsafeSlow(length * 2);
    const key = this.#key;
    let to = 0;
    for (let i = 0; i < this.#fields.length; i++) {
      const end = ends[i] as number;
      for (let at = starts[i] as number; at < end; at++) key[to++] = bytes[at] as number;
      key[to++] = 0xff;
    }
    return length;
  }

  #add(key: Buffer, hash: number, entry: StreamEntry): StreamEntry {
    if (this.#entries.length >= streamsKept) {
      this.#slots = new Int32Array(1_024).fill(-1);
      this.#hashes = [];
      this.#entries = [];
      this.#keys = [];
    }
    this.#hashes.push(hash);
    this.#keys.push(key);
    this.#entries.push(entry);
    if (this.#entries.length * 2 > this.#slots.length) {
      this.#slots = new Int32Array(this.#slots.length * 2).fill(-1);
      for (const [at, each] of this.#hashes.entries()) this.#link(at, each);
    } else {
      this.#link(this.#entries.length - 1, hash);
    }
    return entry;
  }

  #link(at: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = at;
  }
}

function sameKey(key: Buffer, other: Buffer, length: number): boolean {
  if (key.length !== length) return false;
  for (let i = 0; i < length; i++) if (key[i] !== other[i]) return false;
  return true;
}
