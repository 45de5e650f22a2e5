import type { Block } from "../../../kit/src/block.ts";
import type { Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

/** Matches rows that its part does not: `!a:x`. */
export class NotFilter implements Filter {
  readonly #part: Filter;

  constructor(part: Filter) {
    this.#part = part;
  }

  get cost(): number {
    return this.#part.cost;
  }

  mayMatch(): boolean {
    return true;
  }

  narrow(block: Block, rows: RowSet): void {
    if (!this.#part.mayMatch(block)) return;
    const matched = rows.clone();
    this.#part.narrow(block, matched);
    rows.subtract(matched);
  }

  toString(): string {
    return `!(${this.#part})`;
  }
}
