const word = 2 ** 32;

/** A tree's digest: a sum of 64 bits, as two halves without sign. */
export interface DigestSum {
  readonly high: number;
  readonly low: number;
}

/**
 * The sum of the digests of all znodes, modulo 2^64 (ZooKeeper's AdHash, after Bellare and Micciancio's incremental
 * hashing): equal for equal trees whatever order they were built in.
 */
export class TreeDigest implements DigestSum {
  #high = 0;
  #low = 0;

  get high(): number {
    return this.#high;
  }

  get low(): number {
    return this.#low;
  }

  /** Adds the difference of two digests, or one digest or its negative: more than -2^32 and less than 2^32. */
  add(difference: number): void {
    const low = this.#low + difference;
    if (low < 0) {
      this.#low = low + word;
      this.#high = (this.#high - 1) >>> 0;
    } else if (low >= word) {
      this.#low = low - word;
      this.#high = (this.#high + 1) >>> 0;
    } else {
      this.#low = low;
    }
  }

  /** Becomes equal to another. */
  set({ high, low }: DigestSum): void {
    this.#high = high;
    this.#low = low;
  }
}

export function isSumEqual(one: DigestSum, other: DigestSum): boolean {
  return one.low === other.low && one.high === other.high;
}

/** As ZooKeeper prints it: a signed decimal number. */
export function sumText({ high, low }: DigestSum): string {
  return String(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)));
}
