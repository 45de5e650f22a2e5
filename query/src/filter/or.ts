import type { Block } from "../../../kit/src/block.ts";
import type { Filter } from "./filter.ts";
import { RowSet } from "./row-set.ts";

/** Matches rows that some part matches: `a:x or b:y`. Without parts, none. */
export class OrFilter implements Filter {
  readonly cost: number;
  readonly #parts: readonly Filter[];

  constructor(parts: readonly Filter[]) {
    this.#parts = parts.toSorted((a, b) => a.cost - b.cost);
    this.cost = parts.reduce((sum, { cost }) => sum + cost, 0);
  }

  mayMatch(block: Block): boolean {
    return this.#parts.some((part) => part.mayMatch(block));
  }

  narrow(block: Block, rows: RowSet): void {
    const matched = RowSet.empty(block.rowCount);
    for (const part of this.#parts) {
      if (!part.mayMatch(block)) continue;
      // Rows that an earlier part has matched are not asked again.
      const asked = rows.clone();
      part.narrow(block, asked);
      matched.or(asked);
      rows.subtract(asked);
      if (rows.isEmpty) break;
    }
    rows.assign(matched);
  }

  toString(): string {
    return this.#parts.map((part) => `(${part})`).join(" or ");
  }
}
