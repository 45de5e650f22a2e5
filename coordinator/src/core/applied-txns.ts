import type { Ensemble } from "./ensemble.ts";
import type { Proposal } from "./proposals.ts";

/** How bodies of txns become bytes, which are all that is kept of those that are applied, and bodies again. */
export interface Packing<B> {
  /** They are copied. */
  bytesOf(body: B): Uint8Array;
  /** A body of bytes that nobody writes to. */
  bodyOf(bytes: Uint8Array): B;
}

/** Bodies in order, each at an index that says how many there are before it. */
interface Bodies<B> {
  push(body: B): void;
  at(index: number): B;
  /** This one is given up; its place stays. */
  release(index: number): void;
  /** The first places go. */
  shift(count: number): void;
  /** So many places are left. */
  cut(count: number): void;
}

/**
 * Applied txns that learners may still want, oldest first. An object for each would live long enough to be copied by the
 * collector twice and to be walked by it again and again: with a packing there is none, but a few large buffers.
 */
export class AppliedTxns<B> {
  readonly #sizeOf: (body: B) => number;
  readonly #bodies: Bodies<B>;
  #zxids: number[] = [];
  #sizes: number[] = [];
  /** Changes of the ensemble, which are rare. */
  readonly #ensembles = new Map<number, Ensemble>();
  /** Those before are given up. */
  #head = 0;
  #bytes = 0;

  constructor(sizeOf: (body: B) => number, packing?: Packing<B>) {
    this.#sizeOf = sizeOf;
    this.#bodies = packing === undefined ? new PlainBodies() : new PackedBodies(packing);
  }

  get length(): number {
    return this.#zxids.length - this.#head;
  }

  /** As `sizeOf` counts. */
  get bytes(): number {
    return this.#bytes;
  }

  push({ zxid, body, ensemble }: Proposal<B>): void {
    const size = this.#sizeOf(body);
    this.#zxids.push(zxid);
    this.#sizes.push(size);
    this.#bodies.push(body);
    this.#bytes += size;
    if (ensemble !== undefined) this.#ensembles.set(zxid, ensemble);
  }

  /** Gives up the oldest. Returns its zxid. */
  shift(): number {
    const zxid = this.#zxids[this.#head]!;
    this.#bytes -= this.#sizes[this.#head]!;
    this.#bodies.release(this.#head);
    this.#ensembles.delete(zxid);
    this.#head++;
    // Places that are given up go many at a time, so that one costs little.
    if (this.#head >= shiftMin && this.#head * 2 >= this.#zxids.length) this.#shift();
    return zxid;
  }

  /** Only those through this zxid are left. */
  cut(zxid: number): void {
    const end = this.#after(zxid);
    for (let index = end; index < this.#zxids.length; index++) {
      this.#bytes -= this.#sizes[index]!;
      this.#ensembles.delete(this.#zxids[index]!);
    }
    this.#zxids.length = end;
    this.#sizes.length = end;
    this.#bodies.cut(end);
  }

  clear(): void {
    this.cut(-1);
  }

  /** The newest zxid that is not above. */
  newestThrough(zxid: number): number | undefined {
    const index = this.#after(zxid) - 1;
    return index < this.#head ? undefined : this.#zxids[index];
  }

  between(after: number, through: number): readonly Proposal<B>[] {
    const proposals: Proposal<B>[] = [];
    const end = this.#after(through);
    for (let index = this.#after(after); index < end; index++) {
      const zxid = this.#zxids[index]!;
      const body = this.#bodies.at(index);
      const ensemble = this.#ensembles.get(zxid);
      proposals.push(ensemble === undefined ? { zxid, body } : { zxid, body, ensemble });
    }
    return proposals;
  }

  #shift(): void {
    this.#zxids = this.#zxids.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#bodies.shift(this.#head);
    this.#head = 0;
  }

  /** The index of the first above a zxid. */
  #after(zxid: number): number {
    let low = this.#head;
    let high = this.#zxids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#zxids[middle]! <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

class PlainBodies<B> implements Bodies<B> {
  #all: (B | undefined)[] = [];

  push(body: B): void {
    this.#all.push(body);
  }

  at(index: number): B {
    return this.#all[index] as B;
  }

  release(index: number): void {
    this.#all[index] = undefined;
  }

  shift(count: number): void {
    this.#all = this.#all.slice(count);
  }

  cut(count: number): void {
    this.#all.length = count;
  }
}

class PackedBodies<B> implements Bodies<B> {
  readonly #packing: Packing<B>;
  #chunk = gone;
  #used = 0;
  /** Of each the chunk, where in it, and how long. */
  #chunks: Uint8Array[] = [];
  #starts: number[] = [];
  #lengths: number[] = [];

  constructor(packing: Packing<B>) {
    this.#packing = packing;
  }

  push(body: B): void {
    const bytes = this.#packing.bytesOf(body);
    const { length } = bytes;
    this.#lengths.push(length);
    if (length > chunkBytes / 8) {
      this.#chunks.push(bytes.slice());
      this.#starts.push(0);
      return;
    }
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = new Uint8Array(chunkBytes);
      this.#used = 0;
    }
    this.#chunk.set(bytes, this.#used);
    this.#chunks.push(this.#chunk);
    this.#starts.push(this.#used);
    this.#used += length;
  }

  at(index: number): B {
    const start = this.#starts[index]!;
    return this.#packing.bodyOf(
      this.#chunks[index]!.subarray(start, start + this.#lengths[index]!),
    );
  }

  release(index: number): void {
    this.#chunks[index] = gone;
  }

  shift(count: number): void {
    this.#chunks = this.#chunks.slice(count);
    this.#starts = this.#starts.slice(count);
    this.#lengths = this.#lengths.slice(count);
  }

  cut(count: number): void {
    this.#chunks.length = count;
    this.#starts.length = count;
    this.#lengths.length = count;
  }
}

/** Places given up before the rest moves down. */
const shiftMin = 1024;

/** Bodies of some thousand txns; a chunk goes once all of them are given up. */
const chunkBytes = 256 * 1024;

/** Stands where a body was given up. */
const gone = new Uint8Array(0);
