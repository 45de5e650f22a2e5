/** Sizes of the last, the smallest and the largest; -1 as long as there was none, as ZooKeeper shows them. */
export class BufferSizes {
  last = -1;
  min = -1;
  max = -1;

  add(bytes: number): void {
    this.last = bytes;
    if (this.min === -1 || bytes < this.min) this.min = bytes;
    if (bytes > this.max) this.max = bytes;
  }

  /** Begins anew, as if there had been none. */
  reset(): void {
    this.last = -1;
    this.min = -1;
    this.max = -1;
  }

  toString(): string {
    return `${this.last}/${this.min}/${this.max}`;
  }
}
