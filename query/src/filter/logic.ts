import type { Block } from "../source.ts";
import type { Filter } from "./filter.ts";
import { costs } from "./filter.ts";
import type { RowSet } from "./row-set.ts";

export const anyFilter: Filter = { cost: costs.any, narrow: () => undefined };

/** Rows that every part matches. */
export class AndFilter implements Filter {
  readonly cost: number;
  readonly #parts: readonly Filter[];

  constructor(parts: readonly Filter[]) {
    this.#parts = [...parts].sort((a, b) => a.cost - b.cost);
    this.cost = parts.reduce((sum, { cost }) => sum + cost, 0);
  }

  narrow(block: Block, rows: RowSet): void {
    for (const part of this.#parts) {
      part.narrow(block, rows);
      // The cheap parts stand first, so an empty set spares the dear ones.
      if (rows.isEmpty) return;
    }
  }
}

/** Rows that any part matches. */
export class OrFilter implements Filter {
  readonly cost: number;
  readonly #parts: readonly Filter[];

  constructor(parts: readonly Filter[]) {
    this.#parts = [...parts].sort((a, b) => a.cost - b.cost);
    this.cost = parts.reduce((sum, { cost }) => sum + cost, 0);
  }

  narrow(block: Block, rows: RowSet): void {
    const missing = rows.copy();
    for (const part of this.#parts) {
      const found = missing.copy();
      part.narrow(block, found);
      missing.subtract(found);
      if (missing.isEmpty) return;
    }
    rows.subtract(missing);
  }
}

/** Rows that the part does not match. */
export class NotFilter implements Filter {
  readonly cost: number;
  readonly #part: Filter;

  constructor(part: Filter) {
    this.#part = part;
    this.cost = part.cost;
  }

  narrow(block: Block, rows: RowSet): void {
    const found = rows.copy();
    this.#part.narrow(block, found);
    rows.subtract(found);
  }
}
