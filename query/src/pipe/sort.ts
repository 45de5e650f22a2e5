import { collectRows } from "../table/collect.ts";
import type { RowOrder } from "../table/order.ts";
import { type PostedRows, postedByteSize, postedOf, viewOfPosted } from "../table/posted.ts";
import { TopRows } from "../table/top-rows.ts";
import { allRows, type GatherPipe, type Rows } from "./pipe.ts";

/** Partials kept as they came before their candidates are copied together. */
const viewsMax = 32;

/**
 * Rows in an order, only the first `offset + limit` of them kept: `sort by (…) limit 10`, and the
 * newest records of a query that only limits.
 */
export class SortPipe implements GatherPipe {
  readonly #order: RowOrder;
  readonly #offset: number;
  readonly #isBounded: boolean;
  readonly #top: TopRows;
  /** Bytes of the partials merged; in a worker the rows lie in blocks, whose memory is the reader's. */
  #byteSize = 0;

  constructor(order: RowOrder, offset: number, limit: number | undefined) {
    this.#order = order;
    this.#offset = offset;
    this.#isBounded = limit !== undefined;
    this.#top = new TopRows(order, limit === undefined ? undefined : offset + limit);
  }

  get byteSize(): number {
    return this.#byteSize + this.#top.byteSize;
  }

  get floorMs(): number | undefined {
    return this.#top.floorMs;
  }

  add({ view, rows }: Rows): void {
    this.#top.add(view, rows);
  }

  export(): PostedRows {
    return postedOf(collectRows(this.#top.ordered()));
  }

  merge(partial: unknown): void {
    const posted = partial as PostedRows;
    if (posted.rowCount === 0) return;
    const view = viewOfPosted(posted);
    const rows = allRows(view.rowCount);
    // Rows come in order; `newest` takes the last of equal ones first.
    this.#top.add(view, this.#order.kind === "newest" ? rows.reverse() : rows);
    this.#byteSize += postedByteSize(posted);
    if (this.#isBounded && this.#top.viewCount > viewsMax) {
      this.#byteSize = postedByteSize(postedOf(this.#top.compact()));
    }
  }

  finish(): Rows {
    const view = collectRows(this.#top.ordered());
    return { view, rows: allRows(view.rowCount).subarray(this.#offset) };
  }
}
