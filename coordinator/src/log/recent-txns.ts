import type { Proposal } from "../core/proposals.ts";
import { TxnBytes } from "../wire/txn-bytes.ts";

/**
 * The newest txns of the logs while these are read, for learners that are behind. Between any two nothing is missing:
 * a hole would become one in a learner's history.
 */
export class RecentTxns {
  /** As many as are kept at most. */
  readonly countMax: number;
  readonly #bytesMax: number;
  #zxids: number[] = [];
  #bodies: Buffer[] = [];
  /** Those before are given up. */
  #head = 0;
  /** Bodies before are the txns' own; the rest are views of a file. */
  #owned = 0;
  #bytes = 0;

  /** One more than `countMax` is kept: of the first only the zxid counts, as what the second follows on. */
  constructor(countMax: number, bytesMax: number) {
    this.countMax = countMax === 0 ? 0 : countMax + 1;
    this.#bytesMax = bytesMax;
  }

  get isWanted(): boolean {
    return this.countMax > 0;
  }

  get zxidLast(): number | undefined {
    return this.#zxids.at(-1);
  }

  /** `bytes` may be a view of a file, until `fileEnd`. */
  push(zxid: number, bytes: Buffer): void {
    if (!this.isWanted) return;
    this.#zxids.push(zxid);
    this.#bodies.push(bytes);
    this.#bytes += bytes.length;
    while (
      this.#zxids.length - this.#head > this.countMax ||
      (this.#bytes > this.#bytesMax && this.#zxids.length - this.#head > 1)
    ) {
      this.#bytes -= this.#bodies[this.#head]!.length;
      this.#bodies[this.#head++] = gone;
    }
    if (this.#head > this.countMax) this.#shift();
  }

  /** What was read so far is not followed by what comes. */
  clear(): void {
    this.#head = this.#zxids.length;
    this.#bytes = 0;
    this.#shift();
  }

  /** The file that bodies are views of is done with: they would keep all of it in memory. */
  fileEnd(): void {
    const from = Math.max(this.#head, this.#owned);
    for (let at = from; at < this.#bodies.length; at++) {
      this.#bodies[at] = Buffer.from(this.#bodies[at]!);
    }
    this.#owned = this.#bodies.length;
  }

  /** Oldest first; after `fileEnd`. */
  proposals(): readonly Proposal<TxnBytes>[] {
    const zxids = this.#zxids.slice(this.#head);
    const bodies = this.#bodies.slice(this.#head);
    return zxids.map((zxid, index) => ({ zxid, body: new TxnBytes(bodies[index]!) }));
  }

  #shift(): void {
    this.#zxids = this.#zxids.slice(this.#head);
    this.#bodies = this.#bodies.slice(this.#head);
    this.#owned = Math.max(0, this.#owned - this.#head);
    this.#head = 0;
  }
}

/** Stands where a body was given up. */
const gone = Buffer.alloc(0);
