import type { Block } from "../../../kit/src/block.ts";
import { compileFilter } from "../filter/compile.ts";
import type { Filter } from "../filter/filter.ts";
import { RowSet } from "../filter/row-set.ts";
import { tailMatchersKept } from "../limits.ts";
import { createRowPipe } from "../pipe/create.ts";
import type { RowPipe, Rows } from "../pipe/pipe.ts";
import { collectRows } from "../table/collect.ts";
import { encodeNdjson } from "../table/ndjson.ts";
import { TopRows } from "../table/top-rows.ts";
import { View } from "../table/view.ts";
import type { TailChunk, TailPlan } from "./tail-plan.ts";

interface Matcher {
  readonly filter: Filter;
  readonly pipes: readonly RowPipe[];
}

/** A worker's side of all tails: matches committed batches, compiling each tail once. */
export class TailMatcher {
  readonly #matchers = new Map<string, Matcher>();

  /** A chunk for each plan that has a match in the block, by the plan's id. */
  match(block: Block, plans: readonly TailPlan[]): ReadonlyMap<string, TailChunk> {
    const found = new Map<string, TailChunk>();
    for (const plan of plans) {
      const matched = matchedRows(block, this.#matcher(plan));
      if (matched.rows.length > 0) found.set(plan.id, chunkOf(matched, plan.keep));
    }
    return found;
  }

  #matcher(plan: TailPlan): Matcher {
    let matcher = this.#matchers.get(plan.id);
    if (matcher === undefined) {
      matcher = { filter: compileFilter(plan.filter), pipes: plan.pipes.map(createRowPipe) };
      this.#matchers.set(plan.id, matcher);
      this.#forget();
    }
    return matcher;
  }

  /** Tails that have ended are not told of; the oldest matchers go when there are many, and are made again if need be. */
  #forget(): void {
    for (const id of this.#matchers.keys()) {
      if (this.#matchers.size <= tailMatchersKept) return;
      this.#matchers.delete(id);
    }
  }
}

function matchedRows(block: Block, { filter, pipes }: Matcher): Rows {
  const view = View.records(block);
  const set = new RowSet(block.rowCount);
  filter.narrow(view, set);
  let rows: Rows = { view, rows: set.rows() };
  for (const pipe of pipes) rows = pipe.apply(rows);
  return rows;
}

/**
 * The rows in the order of delivery, which a replay from sealed blocks finds again; or all counted, and so many of the
 * newest.
 */
function chunkOf({ view, rows }: Rows, keep: number | undefined): TailChunk {
  const top = new TopRows({ kind: keep === undefined ? "position" : "newest" }, keep);
  top.add(view, keep === 0 ? rows.subarray(0, 0) : rows);
  return { ...deliveryOf(collectRows(top.ordered())), count: rows.length };
}

/** All rows of a view that is in the order of delivery. */
export function deliveryOf(view: View, from = 0): TailChunk {
  const count = view.rowCount - from;
  const rows = Uint32Array.from({ length: count }, (_, i) => from + i);
  const { bytes, offsets } = encodeNdjson(view, rows);
  return { count, bytes, offsets, positions: view.positions().slice(from) };
}
