import { assert } from "../../../kit/src/assert.ts";
import type { Proposal } from "./proposals.ts";
import { zxidCounter, zxidEpoch } from "./zxid.ts";

/**
 * What a peer knows of its own log: how far it reaches, is on disk and is applied, and its newest
 * txns. Txns that are not applied are all here, applied ones up to a number.
 */
export class LogTail<B> {
  readonly #recentMax: number;
  #entries: Proposal<B>[] = [];
  #base: number;
  #last: number;
  #durable: number;
  #applied: number;
  #floor: number;

  /** `recent` are the last txns of the log, ending with `last`; `floor` is the zxid of the newest snapshot. */
  constructor(
    last: number,
    {
      recent,
      floor,
      recentMax,
    }: {
      readonly recent: readonly Proposal<B>[];
      readonly floor: number;
      readonly recentMax: number;
    },
  ) {
    this.#recentMax = recentMax;
    const kept = recentMax === 0 ? [] : recent.slice(-recentMax - 1);
    // Of the first only the zxid is used: what lies before a txn is known by name only.
    this.#base = kept[0]?.zxid ?? last;
    this.#entries = kept.slice(1);
    assert((this.#entries.at(-1)?.zxid ?? this.#base) === last, "recent txns end with the last");
    this.#last = last;
    this.#durable = last;
    this.#applied = last;
    this.#floor = floor;
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
    if (zxidEpoch(zxid) === zxidEpoch(this.#last)) return zxid === this.#last + 1;
    return zxidEpoch(zxid) > zxidEpoch(this.#last) && zxidCounter(zxid) === 1;
  }

  append(proposal: Proposal<B>): void {
    assert(this.isNext(proposal.zxid), "a log skips no txn");
    this.#entries.push(proposal);
    this.#last = proposal.zxid;
  }

  written(zxid: number): void {
    if (zxid > this.#durable) this.#durable = Math.min(zxid, this.#last);
  }

  /** Takes what is not applied through this zxid, in order; it counts as applied. */
  take(through: number): readonly Proposal<B>[] {
    if (through <= this.#applied) return none;
    assert(through <= this.#last, "what is not in the log cannot be applied");
    const taken = this.#entries.slice(this.#after(this.#applied), this.#after(through));
    this.#applied = through;
    this.#trim();
    return taken;
  }

  has(zxid: number): boolean {
    return zxid === this.#base || this.#entries[this.#after(zxid) - 1]?.zxid === zxid;
  }

  /** The newest zxid known to be in the history that is not above; undefined when all known are. */
  newestThrough(zxid: number): number | undefined {
    if (zxid < this.#base) return undefined;
    return this.#entries[this.#after(zxid) - 1]?.zxid ?? this.#base;
  }

  between(after: number, through: number): readonly Proposal<B>[] {
    return this.#entries.slice(this.#after(after), this.#after(through));
  }

  /** The log was cut on disk: nothing after this zxid is left. */
  truncate(zxid: number): void {
    assert(zxid >= this.#floor, "a log is not cut below its snapshot");
    this.#entries.length = this.#after(zxid);
    this.#base = Math.min(this.#base, zxid);
    this.#last = zxid;
    this.#durable = zxid;
    this.#applied = Math.min(this.#applied, zxid);
  }

  /** A snapshot took the place of everything. */
  reset(zxid: number): void {
    this.#entries = [];
    this.#base = zxid;
    this.#last = zxid;
    this.#durable = zxid;
    this.#applied = zxid;
    this.#floor = zxid;
  }

  /** The index of the first entry above a zxid. */
  #after(zxid: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle]!.zxid <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Entries are dropped many at a time, so that a drop costs little for each. */
  #trim(): void {
    const spare = this.#after(this.#applied) - this.#recentMax;
    if (spare <= 0 || (spare < this.#recentMax && spare < this.#entries.length)) return;
    this.#base = this.#entries[spare - 1]!.zxid;
    this.#entries = this.#entries.slice(spare);
  }
}

const none: readonly never[] = [];
