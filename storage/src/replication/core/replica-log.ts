import { assert } from "../../../../kit/src/assert.ts";
import { epochAt, type Lineage, lineageRecovered, lineageThrough, lineageWith } from "./lineage.ts";
import type { Effect, Entry, LogPoint, ReplicaState } from "./types.ts";

/**
 * The shape of this replica's log and the record beside it: what was asked of the disk, and what of it is done.
 * Writes are numbered, so that a late answer to one is never taken for another.
 */
export class ReplicaLog {
  readonly #emit: (effect: Effect) => void;
  #end: LogPoint;
  #durable: number;
  #lineage: Lineage;
  #committed: number;
  #write = 0;
  /** Asked, and not done: where the log ends with each. */
  readonly #writes: { readonly write: number; readonly position: number }[] = [];
  /** Asked to be noted on disk, and noted. */
  #promised: number;
  #promisedDurable: number;
  #record = 0;
  readonly #records: { readonly record: number; readonly promised: number }[] = [];
  #committedNoted: number;

  constructor(state: ReplicaState, emit: (effect: Effect) => void) {
    const { base, end, entryEpochs, promised } = state;
    this.#emit = emit;
    this.#end = end;
    this.#durable = end.position;
    this.#lineage = lineageThrough(
      lineageRecovered(state.lineage, entryEpochs, base),
      end.position,
    );
    this.#committedNoted = state.committed;
    this.#committed = Math.max(state.committed, state.entryCommitted, base.position);
    this.#promised = promised;
    this.#promisedDurable = promised;
  }

  get end(): LogPoint {
    return this.#end;
  }

  get lineage(): Lineage {
    return this.#lineage;
  }

  /** Everything up to here is on disk. */
  get durable(): number {
    return this.#durable;
  }

  /** Nothing is in flight. */
  get isDrained(): boolean {
    return this.#writes.length === 0;
  }

  /** The highest epoch promised, on disk or on its way there: what is refused goes by it. */
  get promised(): number {
    return this.#promised;
  }

  /** The highest one whose promise is on disk: what is said goes by it. */
  get promisedDurable(): number {
    return this.#promisedDurable;
  }

  /** Highest position known to be committed. */
  get committed(): number {
    return this.#committed;
  }

  /** The record on disk is what it would be now, but for the committed position. */
  get isNoted(): boolean {
    return this.#records.length === 0;
  }

  get hasCommittedToNote(): boolean {
    return this.#committed > this.#committedNoted;
  }

  pointAt(position: number): LogPoint {
    return { epoch: epochAt(this.#lineage, position), position };
  }

  promise(epoch: number): void {
    assert(epoch > this.#promised, "a promise is above the one before");
    this.#promised = epoch;
    this.note();
  }

  /** Entries behind the end, in order. */
  append(entries: readonly Entry[], isOwn: boolean): void {
    const before = this.#lineage;
    for (const { epoch, position, previousEpoch, previousPosition } of entries) {
      const { end } = this;
      const follows = previousPosition === end.position && previousEpoch === end.epoch;
      assert(follows && position === end.position + 1, "an entry follows the end of the log");
      this.#lineage = lineageWith(this.#lineage, epoch, position);
      this.#end = { epoch, position };
    }
    this.#emit({ kind: "append", write: this.#begin(), isOwn, entries });
    if (this.#lineage !== before) this.note();
  }

  /** `isForgotten`: false for a planted fault only. */
  truncate(after: LogPoint, isForgotten: boolean): void {
    assert(after.position < this.#end.position, "a truncation takes entries away");
    this.#end = after;
    this.#durable = Math.min(this.#durable, after.position);
    this.#lineage = lineageThrough(this.#lineage, after.position);
    this.#emit({ kind: "truncate", write: this.#begin(), after });
    if (isForgotten) this.#emit({ kind: "forget", after: after.position });
    this.note();
  }

  /** No entry is left. `committed` is the base: what lay behind it was of a log that is given up. */
  reset(base: LogPoint, lineage: Lineage, isForgotten: boolean): void {
    // What lay between was of a branch of its own, even below the base.
    const after = Math.min(this.#committed, base.position);
    this.#end = base;
    this.#durable = Math.min(this.#durable, base.position);
    this.#lineage = lineageRecovered(lineage, [], base);
    this.#committed = base.position;
    this.#committedNoted = base.position;
    this.#emit({ kind: "reset-log", write: this.#begin(), base });
    if (isForgotten) this.#emit({ kind: "forget", after });
    this.note();
  }

  /** Loss was accepted: what is committed ends with the log. */
  acceptEnd(): void {
    this.#committed = Math.min(this.#committed, this.#end.position);
    this.#committedNoted = this.#committed;
    this.note();
  }

  /** Whether that is news. */
  commit(position: number): boolean {
    if (position <= this.#committed) return false;
    this.#committed = position;
    return true;
  }

  note(): void {
    this.#record++;
    const promised = this.#promised;
    this.#records.push({ record: this.#record, promised });
    this.#committedNoted = this.#committed;
    const state = { promised, lineage: this.#lineage, committed: this.#committed };
    this.#emit({ kind: "persist", record: this.#record, state });
  }

  written(write: number): void {
    while (this.#writes.length > 0 && this.#writes[0]!.write <= write) {
      this.#durable = this.#writes.shift()!.position;
    }
  }

  persisted(record: number): void {
    while (this.#records.length > 0 && this.#records[0]!.record <= record) {
      this.#promisedDurable = this.#records.shift()!.promised;
    }
  }

  #begin(): number {
    this.#write++;
    this.#writes.push({ write: this.#write, position: this.#end.position });
    return this.#write;
  }
}
