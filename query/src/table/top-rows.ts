import { assert } from "../../../kit/src/assert.ts";
import { collectRows, type ScatteredRows } from "./collect.ts";
import { firstKeys, orderedRows, type RowOrder } from "./order.ts";
import { TableBlock } from "./table-block.ts";
import type { View } from "./view.ts";

/** Candidates kept beyond what is wanted before the rest is cut: sorting fewer at a time costs more. */
const slackRows = 4096;

/** Views kept although none of their rows may be a candidate any more. */
const viewsMax = 8;

/** The first `wanted` rows in an order, of all that are added. Holds on to their views. */
export class TopRows {
  readonly #order: RowOrder;
  readonly #wanted: number;
  #views: View[] = [];
  #viewOf: Uint32Array = new Uint32Array(0);
  #rows: Uint32Array = new Uint32Array(0);
  #count = 0;
  /** The first key of the last row that is wanted, once there are enough; what is greater is not. */
  #threshold = Number.POSITIVE_INFINITY;

  constructor(order: RowOrder, wanted: number | undefined) {
    this.#order = order;
    this.#wanted = wanted ?? Number.POSITIVE_INFINITY;
  }

  /** Bytes of the candidates' numbers; their views' memory is counted by whoever made them. */
  get byteSize(): number {
    return 8 * this.#rows.length;
  }

  get viewCount(): number {
    return this.#views.length;
  }

  /** Records older than this are not wanted any more, in milliseconds; only of the order `newest`. */
  get floorMs(): number | undefined {
    const isKnown = this.#order.kind === "newest" && Number.isFinite(this.#threshold);
    return isKnown ? -this.#threshold : undefined;
  }

  /** Records newer than this are not wanted any more, in milliseconds; only of the order `oldest`. */
  get ceilingMs(): number | undefined {
    const isKnown = this.#order.kind === "oldest" && Number.isFinite(this.#threshold);
    return isKnown ? this.#threshold : undefined;
  }

  add(view: View, rows: Uint32Array): void {
    const isBounded = Number.isFinite(this.#wanted);
    const keys = isBounded ? firstKeys(view, rows, this.#order) : undefined;
    let number = this.#views.push(view) - 1;
    const before = this.#count;
    const isNewest = this.#order.kind === "newest" && !repeatsRows(view);
    for (let n = 0; n < rows.length; n++) {
      // Of records with one time the later one is the newer, and blocks mostly ascend in time, so
      // that their last rows are the likeliest to be wanted.
      const i = isNewest ? rows.length - 1 - n : n;
      if (keys !== undefined && (keys[i] as number) > this.#threshold) continue;
      this.#append(number, rows[i] as number);
      if (this.#count >= 2 * this.#wanted + slackRows) {
        this.#prune();
        number = this.#views.length - 1;
      }
    }
    // Knowing what is enough as early as possible spares the blocks that follow.
    if (this.#count >= this.#wanted && this.#count > before) this.#prune();
  }

  /** The rows wanted, in order. */
  ordered(): ScatteredRows {
    this.#prune();
    return {
      views: this.#views,
      viewOf: this.#viewOf.subarray(0, this.#count),
      rows: this.#rows.subarray(0, this.#count),
    };
  }

  /** Copies the candidates out of their views, so that these go; gives the one view that is left. */
  compact(): View {
    const view = collectRows(this.ordered());
    this.#views = [view];
    this.#viewOf = new Uint32Array(view.rowCount);
    this.#rows = Uint32Array.from({ length: view.rowCount }, (_, i) => i);
    return view;
  }

  #append(view: number, row: number): void {
    if (this.#count === this.#rows.length) {
      const length = Math.max(256, this.#count * 2);
      this.#rows = grown(this.#rows, length);
      this.#viewOf = grown(this.#viewOf, length);
    }
    this.#viewOf[this.#count] = view;
    this.#rows[this.#count++] = row;
  }

  /** Brings the candidates into order and cuts off what is not wanted. */
  #prune(): void {
    const viewOf = this.#viewOf.subarray(0, this.#count);
    const rows = this.#rows.subarray(0, this.#count);
    const order = orderedRows({ views: this.#views, viewOf, rows }, this.#order);
    const kept = order.subarray(0, Math.min(this.#wanted, order.length));
    this.#viewOf = kept.map((i) => viewOf[i] as number);
    this.#rows = kept.map((i) => rows[i] as number);
    this.#count = kept.length;
    if (this.#count === this.#wanted && this.#count > 0) this.#raiseThreshold();
    if (this.#views.length > viewsMax) this.#dropViews();
  }

  /** Views without a candidate go, and with them the blocks that they hold; the last one is being added. */
  #dropViews(): void {
    const used = new Set(this.#viewOf).add(this.#views.length - 1);
    const numbers = new Map([...used].sort((a, b) => a - b).map((old, i) => [old, i]));
    this.#views = [...numbers.keys()].map((old) => this.#views[old] as View);
    this.#viewOf = this.#viewOf.map((old) => numbers.get(old) as number);
  }

  #raiseThreshold(): void {
    const last = this.#count - 1;
    const view = this.#views[this.#viewOf[last] as number];
    assert(view !== undefined, "a candidate's view is there");
    const keys = firstKeys(view, this.#rows.subarray(last, last + 1), this.#order);
    if (keys !== undefined) this.#threshold = keys[0] as number;
  }
}

/** Rows made of one record, as by `unroll`, are equal in the order and keep their own. */
function repeatsRows({ block }: View): boolean {
  return block instanceof TableBlock && block.repeats;
}

function grown(from: Uint32Array, length: number): Uint32Array {
  const larger = new Uint32Array(length);
  larger.set(from);
  return larger;
}
