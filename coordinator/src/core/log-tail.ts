import { assert } from "../../../kit/src/assert.ts";
import { AppliedTxns, type Packing } from "./applied-txns.ts";
import type { Proposal } from "./proposals.ts";
import { zxidCounter, zxidEpoch } from "./zxid.ts";

/** How much of what is applied a log keeps for learners that are behind. */
export interface LogTailBounds<B> {
  readonly recentMax: number;
  /** As `sizeOf` counts. */
  readonly recentBytesMax: number;
  readonly sizeOf: (body: B) => number;
  /** How what is applied is kept; without it as it is. */
  readonly packing?: Packing<B> | undefined;
}

/**
 * What a peer knows of its own log: how far it reaches, is on disk and is applied, and its newest
 * txns. Txns that are not applied are all here, applied ones up to a number and a size.
 */
export class LogTail<B> {
  readonly #bounds: LogTailBounds<B>;
  readonly #recent: AppliedTxns<B>;
  /** What is not applied, in order; those before `#head` are. */
  #entries: Proposal<B>[] = [];
  #head = 0;
  #base: number;
  #last: number;
  #durable: number;
  #applied: number;
  #floor: number;
  #unappliedBytes = 0;

  /** `recent` are the last txns of the log, ending with `last`; `floor` is the zxid of the newest snapshot. */
  constructor(
    last: number,
    history: { readonly recent: readonly Proposal<B>[]; readonly floor: number },
    bounds: LogTailBounds<B>,
  ) {
    this.#bounds = bounds;
    const { recent, floor } = history;
    const kept = bounds.recentMax === 0 ? [] : recent.slice(-bounds.recentMax - 1);
    // Of the first only the zxid is used: what lies before a txn is known by name only.
    this.#base = kept[0]?.zxid ?? last;
    assert((kept.at(-1)?.zxid ?? last) === last, "recent txns end with the last");
    this.#recent = new AppliedTxns(bounds.sizeOf, bounds.packing);
    for (const proposal of kept.slice(1)) this.#recent.push(proposal);
    this.#last = last;
    this.#durable = last;
    this.#applied = last;
    this.#floor = floor;
    this.#trim();
  }

  get last(): number {
    return this.#last;
  }

  /** The log is on disk through this zxid. */
  get durable(): number {
    return this.#durable;
  }

  get applied(): number {
    return this.#applied;
  }

  /** The size of what is not applied. */
  get unappliedBytes(): number {
    return this.#unappliedBytes;
  }

  /** Txns at or below are in a snapshot: the log cannot be cut there. */
  get floor(): number {
    return this.#floor;
  }

  /** The oldest zxid that is known to be in the history. */
  get base(): number {
    return this.#base;
  }

  /** Whether a txn may stand next: nothing is missing before it, as far as zxids can tell. */
  isNext(zxid: number): boolean {
    if (zxid === this.#last + 1) return zxidCounter(zxid) > 0;
    return zxidEpoch(zxid) > zxidEpoch(this.#last) && zxidCounter(zxid) === 1;
  }

  append(proposal: Proposal<B>): void {
    assert(this.isNext(proposal.zxid), "a log skips no txn");
    this.#entries.push(proposal);
    this.#last = proposal.zxid;
    this.#unappliedBytes += this.#bounds.sizeOf(proposal.body);
  }

  written(zxid: number): void {
    if (zxid > this.#durable) this.#durable = Math.min(zxid, this.#last);
  }

  /** Takes what is not applied through this zxid, in order; it counts as applied. */
  take(through: number): readonly Proposal<B>[] {
    if (through <= this.#applied) return none;
    assert(through <= this.#last, "what is not in the log cannot be applied");
    const end = through === this.#last ? this.#entries.length : this.#after(through);
    const taken = this.#entries.slice(this.#head, end);
    this.#head = end;
    this.#compact();
    this.#applied = through;
    if (this.#bounds.recentMax === 0) {
      this.#unappliedBytes -= this.#sizeOf(taken);
      this.#base = taken.at(-1)?.zxid ?? this.#base;
      return taken;
    }
    const before = this.#recent.bytes;
    for (const proposal of taken) this.#recent.push(proposal);
    this.#unappliedBytes -= this.#recent.bytes - before;
    this.#trim();
    return taken;
  }

  has(zxid: number): boolean {
    return zxid === this.#base || this.#newestThrough(zxid) === zxid;
  }

  /** The newest zxid known to be in the history that is not above; undefined when all known are. */
  newestThrough(zxid: number): number | undefined {
    if (zxid < this.#base) return undefined;
    return this.#newestThrough(zxid) ?? this.#base;
  }

  between(after: number, through: number): readonly Proposal<B>[] {
    const entries = this.#entries.slice(this.#after(after), this.#after(through));
    if (after >= this.#applied) return entries;
    return [...this.#recent.between(after, through), ...entries];
  }

  /** A snapshot of all through this zxid is on disk: a log is not cut below it. */
  snapshotTaken(zxid: number): void {
    const isEpochStart = zxidCounter(zxid) === 0;
    assert(zxid <= this.#applied || isEpochStart, "a snapshot holds what is applied");
    this.#floor = Math.max(this.#floor, zxid);
  }

  /** The log was cut on disk: nothing after this zxid is left. */
  truncate(zxid: number): void {
    assert(zxid >= this.#floor, "a log is not cut below its snapshot");
    const from = this.#after(zxid);
    this.#unappliedBytes -= this.#sizeOf(this.#entries.slice(from));
    this.#entries.length = from;
    this.#recent.cut(zxid);
    this.#base = Math.min(this.#base, zxid);
    this.#last = zxid;
    this.#durable = zxid;
    this.#applied = Math.min(this.#applied, zxid);
  }

  /** A snapshot took the place of everything. */
  reset(zxid: number): void {
    this.#entries = [];
    this.#head = 0;
    this.#recent.clear();
    this.#unappliedBytes = 0;
    this.#base = zxid;
    this.#last = zxid;
    this.#durable = zxid;
    this.#applied = zxid;
    this.#floor = zxid;
  }

  #sizeOf(entries: readonly Proposal<B>[]): number {
    let bytes = 0;
    for (const { body } of entries) bytes += this.#bounds.sizeOf(body);
    return bytes;
  }

  #newestThrough(zxid: number): number | undefined {
    const index = this.#after(zxid) - 1;
    return index < this.#head ? this.#recent.newestThrough(zxid) : this.#entries[index]!.zxid;
  }

  /** The index of the first above a zxid. */
  #after(zxid: number): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle]!.zxid <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Gives up the oldest of what is applied, as far as that is too much. */
  #trim(): void {
    const { recentMax, recentBytesMax } = this.#bounds;
    const recent = this.#recent;
    while (recent.length > recentMax || (recent.bytes > recentBytesMax && recent.length > 0)) {
      this.#base = recent.shift();
    }
  }

  /** Those before `#head` go, many at a time. */
  #compact(): void {
    if (this.#head < this.#entries.length && this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}

const none: readonly never[] = [];
