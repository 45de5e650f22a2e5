import { assert } from "../../../kit/src/assert.ts";
import type { Proposal } from "./proposals.ts";

export type EpochFile = "acceptedEpoch" | "currentEpoch";

/** What a peer knows from its disk when it starts. */
export interface History<B = never> {
  /** The highest epoch it has promised not to go below. */
  readonly acceptedEpoch: number;
  /** The epoch of the leader whose history it last had whole. */
  readonly currentEpoch: number;
  readonly zxidLast: number;
  /** The zxid of the newest snapshot; 0 without one. */
  readonly snapshotZxid?: number;
  /** The newest txns of the log, none missing, through `zxidLast`; for learners that are behind. */
  readonly recent?: readonly Proposal<B>[];
}

/** A peer's two epoch files: what is on disk, and what was asked to be written. */
export class Epochs {
  #accepted: number;
  #current: number;
  #promised: number;

  constructor({ acceptedEpoch, currentEpoch }: Pick<History, EpochFile>) {
    assert(acceptedEpoch >= currentEpoch, "an epoch is promised before it is current");
    this.#accepted = acceptedEpoch;
    this.#current = currentEpoch;
    this.#promised = acceptedEpoch;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get current(): number {
    return this.#current;
  }

  /** The highest epoch that may be in the file: nothing below it is promised any more. */
  get promised(): number {
    return this.#promised;
  }

  promise(epoch: number): { readonly file: EpochFile; readonly epoch: number } {
    assert(epoch > this.#promised, "an epoch is promised once");
    this.#promised = epoch;
    return { file: "acceptedEpoch", epoch };
  }

  written(file: EpochFile, epoch: number): void {
    if (file === "acceptedEpoch") this.#accepted = Math.max(this.#accepted, epoch);
    else this.#current = Math.max(this.#current, epoch);
  }
}
