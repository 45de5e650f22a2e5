import { costs, type Filter } from "./filter.ts";

/** Matches every row: `*`. */
export class AnyFilter implements Filter {
  readonly cost = costs.none;

  mayMatch(): boolean {
    return true;
  }

  narrow(): void {}

  toString(): string {
    return "*";
  }
}
