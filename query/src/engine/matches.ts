import type { Rows } from "../pipe/pipe.ts";
import { SortPipe } from "../pipe/sort.ts";
import type { View } from "../table/view.ts";

/** What a part has of matches: how many, and the newest of them. */
interface MatchesPartial {
  readonly count: number;
  readonly newest: unknown;
}

/** Counts matches and keeps the newest; a worker's and, over the parts, the main thread's. */
export class Matches {
  readonly #newest: SortPipe;
  readonly #keep: number;
  #count = 0;

  constructor(keep: number) {
    this.#keep = keep;
    this.#newest = new SortPipe({ kind: "newest" }, 0, keep);
  }

  get count(): number {
    return this.#count;
  }

  get byteSize(): number {
    return this.#newest.byteSize;
  }

  add({ view, rows }: Rows): void {
    this.#count += rows.length;
    if (this.#keep > 0 && rows.length > 0) this.#newest.add({ view, rows });
  }

  export(): MatchesPartial {
    return { count: this.#count, newest: this.#newest.export() };
  }

  merge(partial: unknown): void {
    const { count, newest } = partial as MatchesPartial;
    this.#count += count;
    if (this.#keep > 0) this.#newest.merge(newest);
  }

  /** The newest, the newest first. */
  newest(): View {
    return this.#newest.finish().view;
  }
}
