import { assert } from "../../../kit/src/assert.ts";
import type { LogPoint } from "./entry.ts";

/** Where an entry lies. */
export interface EntryPlace {
  readonly epoch: number;
  /** Sequence of its file. */
  readonly file: number;
  /** Of its header in the file. */
  readonly offset: number;
}

const capacityFirst = 64;

/**
 * Where the entries of one shard lie in a log, by position: those behind `base` up to `end`, without a gap. Twelve
 * bytes an entry, since a log of small ones holds millions.
 */
export class ShardIndex {
  #base: LogPoint;
  #head = 0;
  #count = 0;
  #epochs = new Uint32Array(capacityFirst);
  #files = new Uint32Array(capacityFirst);
  #offsets = new Uint32Array(capacityFirst);

  constructor(base: LogPoint) {
    this.#base = base;
  }

  /** The last entry that is not in it: what its first one follows. */
  get base(): LogPoint {
    return this.#base;
  }

  get end(): LogPoint {
    const position = this.#base.position + this.#count;
    const epoch = this.#count === 0 ? this.#base.epoch : this.#epochs[this.#slotOf(position)]!;
    return { epoch, position };
  }

  find(position: number): EntryPlace | undefined {
    if (position <= this.#base.position || position > this.end.position) return undefined;
    const slot = this.#slotOf(position);
    const file = this.#files[slot]!;
    return { epoch: this.#epochs[slot]!, file, offset: this.#offsets[slot]! };
  }

  /** Of the entry at a position, or of the base; undefined when the log does not say. */
  epochAt(position: number): number | undefined {
    return position === this.#base.position ? this.#base.epoch : this.find(position)?.epoch;
  }

  /** Whether it is the entry behind `end`, or one that it has. */
  takes(position: number, epoch: number): boolean {
    return this.#isNext(position) || this.find(position)?.epoch === epoch;
  }

  /** The entry behind `end`, or one that lies at another place from now on. */
  place(position: number, { epoch, file, offset }: EntryPlace): void {
    assert(this.takes(position, epoch), "entries of a shard follow each other");
    if (this.#isNext(position)) {
      if (this.#head + this.#count === this.#epochs.length) this.#makeRoom();
      this.#count++;
    }
    const slot = this.#slotOf(position);
    this.#epochs[slot] = epoch;
    this.#files[slot] = file;
    this.#offsets[slot] = offset;
  }

  /** Forgets the entries behind a position, which it has or is its base. */
  truncate(position: number): void {
    assert(position >= this.#base.position, "a log is truncated to what it has");
    this.#count = Math.min(this.#count, position - this.#base.position);
  }

  /** Forgets all: the next entry follows the point. */
  reset(base: LogPoint): void {
    this.#base = base;
    this.#count = 0;
  }

  /** Forgets where the entries up to a position lie. */
  trim(through: number): void {
    const epoch = this.find(through)?.epoch;
    if (epoch === undefined) return;
    const trimmed = through - this.#base.position;
    this.#head += trimmed;
    this.#count -= trimmed;
    this.#base = { epoch, position: through };
  }

  /** Where the epochs of its entries begin. */
  epochSteps(): { readonly epoch: number; readonly firstPosition: number }[] {
    const steps: { readonly epoch: number; readonly firstPosition: number }[] = [];
    for (let at = 0; at < this.#count; at++) {
      const epoch = this.#epochs[this.#head + at]!;
      if (epoch !== steps.at(-1)?.epoch) {
        steps.push({ epoch, firstPosition: this.#base.position + 1 + at });
      }
    }
    return steps;
  }

  /** Positions behind `after` that lie in a file, ascending. */
  *inFile(file: number, after: number): Iterable<number> {
    const end = this.#base.position + this.#count;
    for (let at = Math.max(after, this.#base.position) + 1; at <= end; at++) {
      if (this.#files[this.#slotOf(at)] === file) yield at;
    }
  }

  #isNext(position: number): boolean {
    return position === this.#base.position + this.#count + 1;
  }

  #slotOf(position: number): number {
    return this.#head + position - this.#base.position - 1;
  }

  #makeRoom(): void {
    const length = Math.max(capacityFirst, this.#count * 2);
    const moved = (of: Uint32Array): Uint32Array<ArrayBuffer> => {
      const made = new Uint32Array(length);
      made.set(of.subarray(this.#head, this.#head + this.#count));
      return made;
    };
    this.#epochs = moved(this.#epochs);
    this.#files = moved(this.#files);
    this.#offsets = moved(this.#offsets);
    this.#head = 0;
  }
}
