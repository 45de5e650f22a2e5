import { assert } from "../../../kit/src/assert.ts";
import { arenaRequestShareMax, batchAlign, slabBytes } from "./limits.ts";

/**
 * Where batches lie from their decoding until they are sealed: one shared buffer cut into slabs.
 * Workers claim free slabs without asking; only the main thread frees them, once a slab is filled
 * and nothing in it is referenced any more. Plain data: posted to each worker as it is.
 */
export interface ArenaBuffers {
  readonly bytes: SharedArrayBuffer;
  /** One word a slab: 0 is free, otherwise 1 + the number of the writer that claimed it. */
  readonly control: SharedArrayBuffer;
}

/** Room for a batch. `offset` is into the whole arena and a multiple of 8. */
export interface Reservation {
  readonly offset: number;
  readonly view: Uint8Array;
}

export function arenaCreate(bytes: number): ArenaBuffers {
  assert(bytes > 0 && bytes % slabBytes === 0, "an arena is a whole number of slabs");
  return {
    bytes: new SharedArrayBuffer(bytes),
    control: new SharedArrayBuffer((bytes / slabBytes) * Int32Array.BYTES_PER_ELEMENT),
  };
}

/** A slab that a writer is filling. */
interface OpenSlab {
  readonly slab: number;
  used: number;
}

/** The filling side: one for each thread that decodes, each with a number of its own. */
export class ArenaWriter {
  readonly #bytes: SharedArrayBuffer;
  readonly #control: Int32Array;
  readonly #writer: number;
  /** The slab of each lane that has one. */
  readonly #open: (OpenSlab | undefined)[];
  #current: OpenSlab | undefined;
  #reserved = 0;
  #closed: number[] = [];

  /**
   * `writer`: 0 and up, unique among the writers of an arena. Batches that are let go together, as those of a shard
   * are, belong in one of `lanes`: a slab with batches of other shards is not free until those are sealed, too.
   */
  constructor(buffers: ArenaBuffers, writer: number, lanes = 1) {
    this.#bytes = buffers.bytes;
    this.#control = new Int32Array(buffers.control);
    this.#writer = writer;
    this.#open = Array.from({ length: lanes });
  }

  /**
   * Room for up to `bytes`, kept until the next call of `reserve` or `commit`. Undefined: the
   * arena is full. Asking for more than a slab holds is a fault of the caller.
   */
  reserve(bytes: number, shard = 0): Reservation | undefined {
    assert(bytes > 0 && bytes <= slabBytes, "a batch fits a slab");
    const current = this.#slabFor(bytes, shard % this.#open.length);
    if (current === undefined) return undefined;
    this.#current = current;
    this.#reserved = bytes;
    const offset = current.slab * slabBytes + current.used;
    return { offset, view: new Uint8Array(this.#bytes, offset, bytes) };
  }

  /** Keeps the first `bytesUsed` of the last reservation; the rest is free for the next. */
  commit(bytesUsed: number): void {
    const current = this.#current;
    assert(
      current !== undefined && bytesUsed <= this.#reserved,
      "only what was reserved is committed",
    );
    current.used = Math.ceil((current.used + bytesUsed) / batchAlign) * batchAlign;
    this.#reserved = 0;
  }

  /** Ends the slabs being filled: for a thread that will write no more for a while. */
  close(): void {
    for (let lane = 0; lane < this.#open.length; lane++) this.#closeLane(lane);
  }

  /**
   * Slabs filled since the last call. They must reach the main thread together with, or after, the
   * batches that lie in them: it frees a closed slab as soon as nothing in it is retained.
   */
  takeClosed(): number[] {
    const closed = this.#closed;
    this.#closed = [];
    return closed;
  }

  #slabFor(bytes: number, lane: number): OpenSlab | undefined {
    const open = this.#open[lane];
    if (open !== undefined && hasRoom(open, bytes)) return open;
    const slab = this.#claim();
    // In a full arena, better next to others than not at all.
    if (slab === undefined) return this.#open.find((other) => other && hasRoom(other, bytes));
    this.#closeLane(lane);
    const opened = { slab, used: 0 };
    this.#open[lane] = opened;
    return opened;
  }

  #closeLane(lane: number): void {
    const open = this.#open[lane];
    if (open !== undefined) this.#closed.push(open.slab);
    this.#open[lane] = undefined;
  }

  /** The lowest free slab: pages that were touched before are used again first. */
  #claim(): number | undefined {
    for (let slab = 0; slab < this.#control.length; slab++) {
      if (Atomics.compareExchange(this.#control, slab, 0, this.#writer + 1) === 0) return slab;
    }
    return undefined;
  }
}

function hasRoom({ used }: OpenSlab, bytes: number): boolean {
  return used + bytes <= slabBytes;
}

/** Writers beside those of the workers, with a lane each: the store's own and the journal's. */
const ownWriters = 2;

/**
 * Lanes of each of so many workers: one for each shard, as far as what a large request waits for can still be free. Slabs
 * that are being filled never are.
 */
export function arenaLanes(bytes: number, workers: number, shards: number): number {
  const open = Math.floor((bytes / slabBytes) * (1 - arenaRequestShareMax)) - ownWriters;
  return Math.max(1, Math.min(shards, Math.floor(open / workers)));
}

/** The freeing side, on the main thread. */
export class ArenaOwner {
  readonly buffers: ArenaBuffers;
  readonly #control: Int32Array;
  readonly #references: Uint32Array;
  readonly #isClosed: Uint8Array;
  #liveBytes = 0;
  readonly #waiters = new Set<() => void>();

  constructor(bytes: number) {
    this.buffers = arenaCreate(bytes);
    this.#control = new Int32Array(this.buffers.control);
    this.#references = new Uint32Array(this.#control.length);
    this.#isClosed = new Uint8Array(this.#control.length);
  }

  get totalBytes(): number {
    return this.buffers.bytes.byteLength;
  }

  /** Bytes of all claimed slabs: what cannot be claimed now. */
  get usedBytes(): number {
    let slabs = 0;
    for (let slab = 0; slab < this.#control.length; slab++) {
      if (Atomics.load(this.#control, slab) !== 0) slabs++;
    }
    return slabs * slabBytes;
  }

  /** Bytes of what is retained, each batch counted once for every time it is. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  get freeBytes(): number {
    return this.totalBytes - this.usedBytes;
  }

  /** Waits until a slab is freed, at most for a time. */
  async whenFreed(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#waiters.add(wake);
    });
  }

  /** Keeps the slab of a batch until it is released as often as it was retained. */
  retain(offset: number, length: number): void {
    const slab = this.#slabOf(offset, length);
    this.#references[slab]!++;
    this.#liveBytes += length;
  }

  release(offset: number, length: number): void {
    const slab = this.#slabOf(offset, length);
    assert(this.#references[slab]! > 0, "a batch is released no more often than retained");
    this.#references[slab]!--;
    this.#liveBytes -= length;
    this.#freeIfUnused(slab);
  }

  /** Slabs that their writer has finished, after the batches in them were retained. */
  closed(slabs: readonly number[]): void {
    for (const slab of slabs) {
      assert(Atomics.load(this.#control, slab) !== 0, "only a claimed slab is closed");
      this.#isClosed[slab] = 1;
      this.#freeIfUnused(slab);
    }
  }

  /** Closes every slab of a writer whose thread has died. */
  writerGone(writer: number): void {
    for (let slab = 0; slab < this.#control.length; slab++) {
      if (Atomics.load(this.#control, slab) === writer + 1) this.closed([slab]);
    }
  }

  /** The bytes of a batch in place; valid while it is retained. */
  view(offset: number, length: number): Buffer {
    this.#slabOf(offset, length);
    return Buffer.from(this.buffers.bytes, offset, length);
  }

  #slabOf(offset: number, length: number): number {
    const slab = Math.floor(offset / slabBytes);
    assert(
      offset >= 0 && length > 0 && offset + length <= (slab + 1) * slabBytes,
      "a batch lies in one slab",
    );
    assert(slab < this.#control.length, "a batch lies in the arena");
    return slab;
  }

  #freeIfUnused(slab: number): void {
    if (this.#isClosed[slab] === 0 || this.#references[slab]! > 0) return;
    this.#isClosed[slab] = 0;
    Atomics.store(this.#control, slab, 0);
    for (const wake of this.#waiters) wake();
  }
}
