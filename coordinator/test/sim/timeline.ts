import { Prng } from "../../../kit/src/prng.ts";

/** What a member's host takes for a tick; its clock may be fast or slow. */
export const tickMs = 100;

/** Virtual time in milliseconds: what is to happen, in order; what is due at once in order of asking. */
export class Timeline {
  readonly prng: Prng;
  #now = 0;
  #steps = 0;
  #asked = 0;
  readonly #heap: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];

  constructor(seed: number) {
    this.prng = new Prng(seed);
  }

  get now(): number {
    return this.#now;
  }

  get steps(): number {
    return this.#steps;
  }

  after(delay: number, run: () => void): void {
    this.at(this.#now + delay, run);
  }

  at(at: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ at, order: this.#asked++, run });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#isBefore(i, parent)) break;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  step(): void {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined) throw new Error("nothing is to happen");
    if (heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    this.#now = first.at;
    this.#steps++;
    first.run();
  }

  #sink(): void {
    const heap = this.#heap;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && this.#isBefore(child, least)) least = child;
      }
      if (least === i) return;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a]!, this.#heap[b]!];
    return x.at === y.at ? x.order < y.order : x.at < y.at;
  }
}
