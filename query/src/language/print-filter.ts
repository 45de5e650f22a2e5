import type { FilterNode } from "./ast.ts";
import { printQuery } from "./print.ts";
import { printFilterNode } from "./print-filter-node.ts";

/** The filter as text that reads back as the same. */
export function printFilter(filter: FilterNode): string {
  return printFilterNode(filter, printQuery);
}
