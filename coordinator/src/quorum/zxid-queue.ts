/** Zxids that went over a link and wait for their commit, or for the disk; ascending. */
export class ZxidQueue {
  #zxids: number[] = [];
  #head = 0;

  get size(): number {
    return this.#zxids.length - this.#head;
  }

  add(zxid: number): void {
    this.#zxids.push(zxid);
  }

  /** Hands out, in order, and forgets what is not above `through`. */
  take(through: number, each: (zxid: number) => void): void {
    while (this.#head < this.#zxids.length) {
      const zxid = this.#zxids[this.#head] as number;
      if (zxid > through) break;
      this.#head++;
      each(zxid);
    }
    if (this.#head === this.#zxids.length || this.#head > compactAbove) {
      this.#zxids = this.#zxids.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** Entries that were handed out are dropped so many at a time. */
const compactAbove = 4096;
