import type { Prng } from "../../../kit/src/prng.ts";
import type { EnsembleChange } from "../../src/core/ensemble.ts";
import type { EpochFile } from "../../src/core/epochs.ts";
import { zxidEpoch } from "../../src/core/zxid.ts";
import { emptyImage, type Image, State, type Txn, Violation } from "./state.ts";

export type LogWrite =
  | { readonly kind: "append"; readonly txn: Txn }
  | { readonly kind: "truncate"; readonly zxid: number }
  /** A snapshot that came from a leader: everything else goes. */
  | { readonly kind: "install"; readonly image: Image }
  /** A snapshot of the own tree: txns up to it may go. */
  | { readonly kind: "snapshot"; readonly image: Image };

export interface EpochWrite {
  readonly file: EpochFile;
  readonly epoch: number;
}

/** What is on a disk is not what was written: nothing must start from it. */
export class Damaged extends Error {
  override readonly name = "Damaged";
}

/**
 * What survives a crash. Log and epoch files are written by two lanes that know nothing of each other; of what
 * is asked for and not done, a crash keeps any prefix a lane.
 */
export class Disk {
  snapshot: Image = emptyImage;
  log: Txn[] = [];
  acceptedEpoch = 0;
  currentEpoch = 0;
  /** Written at once, before anything else is done. */
  ensembles: EnsembleChange | undefined;
  /** What it held when it was last emptied: whoever counted it did so rightly. */
  #lost: Pick<Disk, "acceptedEpoch" | "currentEpoch"> & { readonly txns: readonly Txn[] } = {
    acceptedEpoch: 0,
    currentEpoch: 0,
    txns: [],
  };
  #rotten: Txn | undefined;
  readonly logLane: LogWrite[] = [];
  readonly epochLane: EpochWrite[] = [];

  get zxidLast(): number {
    return this.log.at(-1)?.zxid ?? this.snapshot.zxid;
  }

  /** Everything it holds, in order. */
  history(): readonly Txn[] {
    return [...this.snapshot.txns, ...this.log];
  }

  /** Holds it, or did when it was emptied. */
  has(txn: Txn): boolean {
    const holds = (each: Txn) => each.zxid === txn.zxid && each.body.id === txn.body.id;
    // From the end: mostly it is among the last.
    const held = [this.log, this.snapshot.txns, this.#lost.txns];
    return held.some((txns) => txns.findLastIndex(holds) >= 0);
  }

  /** Whether an epoch is in its file, or was when the disk was emptied. */
  hasEpoch(file: EpochFile, epoch: number): boolean {
    return Math.max(this[file], this.#lost[file]) >= epoch;
  }

  /**
   * A bit of a record of its log flips: never of the last, which cannot be told from a write that a crash cut off.
   * False when there is no other.
   */
  rot(prng: Prng): boolean {
    if (this.log.length < 2) return false;
    this.#rotten = this.log[prng.below(this.log.length - 1)];
    return true;
  }

  /** It remembers neither an epoch nor a txn. */
  get isEmpty(): boolean {
    return this.acceptedEpoch === 0 && this.zxidLast === 0;
  }

  /** Another disk takes its place; what is known of the ensemble is on none that is lost, as an operator's files are not. */
  wipe(): void {
    const { acceptedEpoch, currentEpoch } = this;
    this.#lost = { acceptedEpoch, currentEpoch, txns: this.history() };
    this.snapshot = emptyImage;
    this.log = [];
    this.acceptedEpoch = 0;
    this.currentEpoch = 0;
  }

  /** The next write is over; `isLost`: nothing of it is on disk. */
  logWritten(isLost = false): LogWrite {
    const write = this.logLane.shift();
    if (write === undefined) throw new Violation("a log write ended that was not asked for");
    if (isLost) return write;
    switch (write.kind) {
      case "append":
        this.log.push(write.txn);
        break;
      case "truncate":
        if (write.zxid < this.snapshot.zxid) throw new Violation("a log is cut below its snapshot");
        this.log = this.log.filter(({ zxid }) => zxid <= write.zxid);
        break;
      case "install":
        this.snapshot = write.image;
        this.log = [];
        break;
      case "snapshot":
        this.snapshot = write.image;
        this.log = this.log.filter(({ zxid }) => zxid > write.image.zxid);
    }
    return write;
  }

  epochWritten(): EpochWrite {
    const write = this.epochLane.shift();
    if (write === undefined) throw new Violation("an epoch write ended that was not asked for");
    if (write.epoch < this[write.file]) throw new Violation(`${write.file} goes back`);
    this[write.file] = write.epoch;
    if (this.currentEpoch > this.acceptedEpoch) {
      throw new Violation("acceptedEpoch is below currentEpoch");
    }
    return write;
  }

  crash(prng: Prng): void {
    for (let left = prng.below(this.logLane.length + 1); left > 0; left--) this.logWritten();
    for (let left = prng.below(this.epochLane.length + 1); left > 0; left--) this.epochWritten();
    this.logLane.length = 0;
    this.epochLane.length = 0;
  }

  /** As recovery of a data directory does it. Throws `Damaged`; a host with a bug passes over what is (`isBlind`). */
  recover(isBlind = false): State {
    if (this.#rotten !== undefined && this.log.includes(this.#rotten)) {
      if (!isBlind) throw new Damaged();
      this.log = this.log.filter((txn) => txn !== this.#rotten);
    }
    // A log of an epoch shows that its history is whole. The files are set right first: the log may be cut again.
    this.currentEpoch = Math.max(this.currentEpoch, zxidEpoch(this.zxidLast));
    this.acceptedEpoch = Math.max(this.acceptedEpoch, this.currentEpoch);
    return this.state();
  }

  /** The tree as the log and its snapshot have it. */
  state(): State {
    const state = State.of(this.snapshot);
    for (const txn of this.log) state.apply(txn);
    return state;
  }
}
