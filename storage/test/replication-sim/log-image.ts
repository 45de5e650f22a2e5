import assert from "node:assert/strict";

import type { Entry, LineageStep, LogPoint } from "../../src/replication/core/types.ts";

/** A shard's log as it is on a disk, or as a process knows it with what it has not synced yet. */
export class LogImage {
  /** The log starts after this. */
  base: LogPoint = { epoch: 0, position: 0 };
  /** Behind `base`, without a hole. */
  entries: Entry[] = [];
  /** Positions of entries in which a bit flipped. */
  readonly rotten = new Set<number>();

  get end(): LogPoint {
    const last = this.entries.at(-1);
    return last === undefined ? this.base : { epoch: last.epoch, position: last.position };
  }

  /** Epochs of the entries, each with its first position that is there. */
  get epochs(): readonly LineageStep[] {
    const steps: LineageStep[] = [];
    for (const { epoch, position } of this.entries) {
      if (steps.at(-1)?.epoch !== epoch) steps.push({ epoch, firstPosition: position });
    }
    return steps;
  }

  copy(): LogImage {
    const copy = new LogImage();
    copy.base = this.base;
    copy.entries = [...this.entries];
    for (const position of this.rotten) copy.rotten.add(position);
    return copy;
  }

  at(position: number): Entry | undefined {
    return this.entries[position - this.base.position - 1];
  }

  /** What is behind a position, which the log must reach back to. */
  behind(position: number): readonly Entry[] {
    assert(position >= this.base.position, "the log reaches back that far");
    return this.entries.slice(position - this.base.position);
  }

  append(entry: Entry): void {
    const { epoch, position } = this.end;
    assert.equal(entry.position, position + 1, "an entry follows the last");
    assert.equal(entry.previousPosition, position, "an entry names the one before");
    assert.equal(entry.previousEpoch, epoch, "an entry names the epoch of the one before");
    assert(entry.epoch >= epoch, "epochs of a log ascend");
    this.entries.push(entry);
  }

  truncate(after: LogPoint): void {
    const { base } = this;
    assert(after.position >= base.position, "nothing that was let go is cut off");
    if (after.position >= this.end.position) return;
    this.entries.length = after.position - base.position;
    assert.equal(this.end.epoch, after.epoch, "the log is cut where both are equal");
    this.#healed((position) => position > after.position);
  }

  reset(base: LogPoint): void {
    this.base = base;
    this.entries = [];
    this.rotten.clear();
  }

  /** Lets go of what lies at or before a position. */
  free(through: number): void {
    const last = this.at(Math.min(through, this.end.position));
    if (last === undefined) return;
    this.entries = this.entries.slice(last.position - this.base.position);
    this.base = { epoch: last.epoch, position: last.position };
    this.#healed((position) => position <= last.position);
  }

  /** What is not there any more cannot be rotten. */
  #healed(isGone: (position: number) => boolean): void {
    for (const position of this.rotten) if (isGone(position)) this.rotten.delete(position);
  }
}
