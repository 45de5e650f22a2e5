import { digestLogEvery, digestLogMax } from "./limits.ts";
import { type DigestSum, isSumEqual } from "./tree-digest.ts";
import { digestVersion } from "./znode-digest.ts";

/** The digest after one txn. */
export interface ZxidDigest extends DigestSum {
  readonly zxid: number;
}

/** A digest with the version it was counted by, as a txn brings it. */
export interface DigestGiven extends DigestSum {
  readonly version: number;
}

export interface DigestMismatch {
  readonly zxid: number;
  readonly expected: DigestSum;
  readonly actual: DigestSum;
}

/**
 * Compares the tree's digest with those that txns and snapshots bring, and keeps one of every 128 txns, so that members
 * can be compared. A mismatch is counted and told, as in ZooKeeper, and changes nothing else.
 */
export class DigestLog {
  #mismatches = 0;
  #mismatch: DigestMismatch | undefined;
  #told = 0;
  #expected: (ZxidDigest & DigestGiven) | undefined;
  readonly #entries: ZxidDigest[] = [];
  #oldest = 0;

  /** Digests so far that were not what a txn or snapshot said. */
  get mismatches(): number {
    return this.#mismatches;
  }

  /** The last of them. */
  get mismatch(): DigestMismatch | undefined {
    return this.#mismatch;
  }

  /** The last mismatch when it is to be told: the first, and whenever there are twice as many as were told of. */
  untold(): DigestMismatch | undefined {
    if (this.#mismatches === this.#told || this.#mismatches < this.#told * 2) return undefined;
    this.#told = this.#mismatches;
    return this.#mismatch;
  }

  /** Of the last 1,024 zxids that 128 divides; the oldest first. */
  entries(): readonly ZxidDigest[] {
    return [...this.#entries.slice(this.#oldest), ...this.#entries.slice(0, this.#oldest)];
  }

  /**
   * What a snapshot says of the tree after this zxid. Until the tree is there it is a mixture of moments
   * (ZooKeeper's own snapshots are), and digests of txns say nothing.
   */
  expect(expected: ZxidDigest & DigestGiven): void {
    this.#expected = expected;
  }

  /** To be called after each txn, and for the snapshot's own zxid once its znodes are there. */
  applied(zxid: number, actual: DigestSum, given: DigestGiven | undefined): void {
    if (this.#expected !== undefined && zxid < this.#expected.zxid) return;
    if (zxid === this.#expected?.zxid) this.#compare(zxid, actual, this.#expected);
    else if (given !== undefined) this.#compare(zxid, actual, given);
    this.#expected = undefined;
    if (zxid % digestLogEvery === 0) this.#keep({ zxid, high: actual.high, low: actual.low });
  }

  #compare(zxid: number, actual: DigestSum, given: DigestGiven): void {
    if (given.version !== digestVersion || isSumEqual(actual, given)) return;
    this.#mismatches++;
    const { high, low } = actual;
    this.#mismatch = { zxid, expected: given, actual: { high, low } };
  }

  #keep(entry: ZxidDigest): void {
    if (this.#entries.length < digestLogMax) {
      this.#entries.push(entry);
      return;
    }
    this.#entries[this.#oldest] = entry;
    this.#oldest = (this.#oldest + 1) % digestLogMax;
  }
}
