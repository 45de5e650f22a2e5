import type { Bucket, FilterNode, GroupKey, StatsFunction, StatsPipe } from "./ast.ts";
import { printDuration } from "./duration.ts";
import { printName } from "./print-name.ts";

/** Prints the filter of an `if (…)`. */
export type PrintFilter = (filter: FilterNode) => string;

export function printStats({ by, functions }: StatsPipe, printFilter: PrintFilter): string {
  const keys = by.length === 0 ? "" : ` by (${by.map(printKey).join(", ")})`;
  const printed = functions.map(
    (each) => `${statsFunctionText(each, printFilter)} as ${printName(each.as)}`,
  );
  return `stats${keys} ${printed.join(", ")}`;
}

/** The function's own text, which is its result's name unless one is given: `sum(bytes)`, `count(*)`. */
export function statsFunctionText(
  unnamed: Omit<StatsFunction, "as">,
  printFilter: PrintFilter,
): string {
  const { name, args, prefixes = [], phi, limit, filter } = unnamed;
  const named = [...args.map(printName), ...prefixes.map((each) => `${printName(each)}*`)];
  const fields = named.length === 0 ? ["*"] : named;
  const inner = phi === undefined ? fields : [String(phi), ...fields];
  const parts = [`${name}(${inner.join(", ")})`];
  if (limit !== undefined) parts.push(`limit ${limit}`);
  if (filter !== undefined) parts.push(`if (${printFilter(filter)})`);
  return parts.join(" ");
}

function printKey({ field, bucket }: GroupKey): string {
  return bucket === undefined ? printName(field) : `${printName(field)}:${printBucket(bucket)}`;
}

function printBucket(bucket: Bucket): string {
  switch (bucket.kind) {
    case "calendar":
      return bucket.unit;
    case "time": {
      const { step, offset } = bucket;
      const shift = offset.ms === 0 && offset.ns === 0 ? "" : ` offset ${printDuration(offset)}`;
      return `${printDuration(step)}${shift}`;
    }
    case "ipv4":
      return `/${bucket.bits}`;
    case "number":
      return `${bucket.step}${bucket.offset === 0 ? "" : ` offset ${bucket.offset}`}`;
  }
}
