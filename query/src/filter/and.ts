import type { Block } from "../../../kit/src/block.ts";
import type { Filter } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

/** Matches rows that every part matches: `a:x b:y`. */
export class AndFilter implements Filter {
  readonly cost: number;
  readonly #parts: readonly Filter[];

  constructor(parts: readonly Filter[]) {
    this.#parts = parts.toSorted((a, b) => a.cost - b.cost);
    this.cost = parts.reduce((sum, { cost }) => sum + cost, 0);
  }

  mayMatch(block: Block): boolean {
    return this.#parts.every((part) => part.mayMatch(block));
  }

  narrow(block: Block, rows: RowSet): void {
    // A dear part that rules the block out spares the cheap ones too.
    if (!this.mayMatch(block)) {
      rows.clear();
      return;
    }
    for (const part of this.#parts) {
      part.narrow(block, rows);
      if (rows.isEmpty) return;
    }
  }

  toString(): string {
    return this.#parts.map((part) => `(${part})`).join(" ");
  }
}
