import type { SortPipe as SortNode } from "../language/ast.ts";
import { collectRows } from "../table/collect.ts";
import { ValuesColumn, valuesOf } from "../table/column.ts";
import { Grouper } from "../table/grouper.ts";
import { type PostedRows, postedByteSize, postedOf, viewOfPosted } from "../table/posted.ts";
import { TopRows } from "../table/top-rows.ts";
import type { View } from "../table/view.ts";
import { allRows, type GatherPipe, type Rows } from "./pipe.ts";

/** Partials kept as they came before their rows are cut together. */
const viewsMax = 32;

/**
 * `sort by (a) partition by (b) offset 1 limit 3 rank as n`: the first rows of each group in the order, all of them with
 * their place if asked. Groups come by the first of their rows.
 */
export class PartitionSortPipe implements GatherPipe {
  readonly #node: SortNode;
  #top: TopRows;
  #byteSize = 0;

  constructor(node: SortNode) {
    this.#node = node;
    this.#top = this.#empty();
  }

  get byteSize(): number {
    return this.#byteSize + this.#top.byteSize;
  }

  add({ view, rows }: Rows): void {
    this.#top.add(view, rows);
  }

  export(): PostedRows {
    return postedOf(this.#cut());
  }

  merge(partial: unknown): void {
    const posted = partial as PostedRows;
    if (posted.rowCount === 0) return;
    const view = viewOfPosted(posted);
    this.#top.add(view, allRows(view.rowCount));
    this.#byteSize += postedByteSize(posted);
    if (this.#top.viewCount > viewsMax) {
      const cut = this.#cut();
      this.#top = this.#empty();
      this.#top.add(cut, allRows(cut.rowCount));
      this.#byteSize = postedByteSize(postedOf(cut));
    }
  }

  finish(): Rows {
    const { offset, rankAs } = this.#node;
    const view = collectRows(this.#top.ordered());
    const { order, ranks } = this.#ranked(view);
    const { limit = Number.POSITIVE_INFINITY } = this.#node;
    const kept = order.filter((_, i) => {
      const rank = ranks[i] as number;
      return rank > offset && rank <= offset + limit;
    });
    // Rows of a view ascend wherever they are handed on.
    const viewOf = new Uint32Array(kept.length);
    const sorted = collectRows({ views: [view], viewOf, rows: kept }, true);
    const rows = allRows(kept.length);
    if (rankAs === undefined) return { view: sorted, rows };
    const rankOf = new Map(Array.from(order, (row, i) => [row, ranks[i] as number]));
    const texts = Array.from(kept, (row) => String(rankOf.get(row)));
    return { view: sorted.with(rankAs, new ValuesColumn("rows", valuesOf(texts))), rows };
  }

  #empty(): TopRows {
    return new TopRows({ kind: "keys", by: this.#node.by }, undefined);
  }

  /** The rows that may be wanted, in order. */
  #cut(): View {
    const ordered = this.#top.ordered();
    const { offset, limit, partitionBy = [] } = this.#node;
    if (limit === undefined) return collectRows(ordered);
    const groups = new PartitionCounts(partitionBy);
    const view = collectRows(ordered);
    const wanted = groups.ranksOf(view).map((rank) => (rank <= offset + limit ? 1 : 0));
    const rows = allRows(view.rowCount).filter((row) => wanted[row] === 1);
    return collectRows({ views: [view], viewOf: new Uint32Array(rows.length), rows });
  }

  /** Rows of one group next to each other, with each one's place in its group. */
  #ranked(view: View): { readonly order: Uint32Array; readonly ranks: Uint32Array } {
    const counts = new PartitionCounts(this.#node.partitionBy ?? []);
    const ranks = counts.ranksOf(view);
    const groups = counts.groups ?? new Uint32Array(view.rowCount);
    const order = allRows(view.rowCount).sort(
      (a, b) => (groups[a] as number) - (groups[b] as number) || a - b,
    );
    return { order, ranks: order.map((row) => ranks[row] as number) };
  }
}

class PartitionCounts {
  readonly #grouper: Grouper;
  groups: Uint32Array | undefined;

  constructor(by: readonly string[]) {
    this.#grouper = new Grouper(by.map((field) => ({ field, bucket: undefined })));
  }

  /** The place of each row, from 1, among the rows of its group. */
  ranksOf(view: View): Uint32Array {
    this.groups = this.#grouper.groupsOf(view, allRows(view.rowCount));
    const counts = new Uint32Array(this.#grouper.size);
    const ranks = new Uint32Array(view.rowCount);
    for (let row = 0; row < ranks.length; row++) {
      const group = this.groups?.[row] ?? 0;
      ranks[row] = counts[group] = (counts[group] as number) + 1;
    }
    return ranks;
  }
}
