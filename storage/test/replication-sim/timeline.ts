import { Prng } from "../../../kit/src/prng.ts";

interface Due {
  readonly at: number;
  /** What is due at once happens in the order in which it was asked for. */
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time in milliseconds, and the one source of chance: a seed decides all that happens, and when. */
export class Timeline {
  readonly prng: Prng;
  readonly #heap: Due[] = [];
  #now = 0;
  #steps = 0;
  #asked = 0;

  constructor(seed: number) {
    this.prng = new Prng(seed);
  }

  get now(): number {
    return this.#now;
  }

  /** How much has happened so far. */
  get steps(): number {
    return this.#steps;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#now + delayMs, run);
  }

  at(at: number, run: () => void): void {
    const due = { at: Math.max(at, this.#now), order: this.#asked++, run };
    const heap = this.#heap;
    let place = heap.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent] as Due;
      if (isBefore(above, due)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = due;
  }

  /** Lets the next thing happen. */
  step(): void {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) throw new Error("nothing is to happen");
    if (heap.length > 0) this.#sink(last);
    this.#now = first.at;
    this.#steps++;
    first.run();
  }

  #sink(due: Due): void {
    const heap = this.#heap;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Due)) child++;
      const least = heap[child] as Due;
      if (isBefore(due, least)) break;
      heap[place] = least;
      place = child;
    }
    heap[place] = due;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at;
}

/** What is wrong with a run: a promise of the shard is broken. */
export class Violation extends Error {
  override readonly name = "Violation";
}
