import { assert } from "../../../kit/src/assert.ts";
import type { Ensemble } from "./ensemble.ts";
import type { Proposal } from "./proposals.ts";
import { zxidEpoch } from "./zxid.ts";

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
  /** The change of the ensemble that an `ensembles` effect last showed as seen, if it is not in force. */
  readonly ensembleSeen?: Ensemble;
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

/**
 * The change of the ensemble that a peer still has to do with after a restart. One that never came into its log is none
 * of its business: it has acknowledged nothing of it. But a leader of a later epoch may have told of it. What was seen
 * with a snapshot that is not on disk leaves the change that the log ends with.
 */
export function seenOf<B>({
  ensembleSeen,
  zxidLast,
  currentEpoch,
  recent = [],
}: History<B>): Ensemble | undefined {
  if (ensembleSeen === undefined) return undefined;
  const { version } = ensembleSeen;
  if (version <= zxidLast || zxidEpoch(version) < currentEpoch) return ensembleSeen;
  return recent.findLast(({ ensemble }) => ensemble !== undefined)?.ensemble;
}

/**
 * Whether a member's promise of this epoch counts. Who remembers neither an epoch nor a txn may have had its disk
 * emptied, and have acknowledged what now only others hold: no quorum counts it before it has a leader's history.
 * At a first start nobody remembers anything. That is so in the first epoch, which a leader chooses when none of a
 * quorum has promised any, and when every voter has said that it has no history. ZooKeeper has no such rule, and none
 * of its messages changes by it: a follower whose promise does not count says that it made none.
 */
export function mayPromise(
  { promised }: Epochs,
  zxidLast: number,
  epoch: number,
  isFirstStart: boolean,
): boolean {
  const remembers = promised > 0 || zxidLast > 0;
  return remembers || epoch === 1 || isFirstStart;
}
