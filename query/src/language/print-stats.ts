import type { Bucket, GroupKey, StatsFunction, StatsPipe } from "./ast.ts";
import { printDuration } from "./duration.ts";
import { printFilter } from "./print-filter.ts";
import { printName } from "./print-name.ts";

export function printStats({ by, functions }: StatsPipe): string {
  const keys = by.length === 0 ? "" : ` by (${by.map(printKey).join(", ")})`;
  return `stats${keys} ${functions.map(printFunction).join(", ")}`;
}

/** The function's own text, which is its result's name unless one is given: `sum(bytes)`, `count(*)`. */
export function statsFunctionText(unnamed: Omit<StatsFunction, "as">): string {
  const { name, args, phi, limit, filter } = unnamed;
  const fields = args.length === 0 ? ["*"] : args.map(printName);
  const inner = phi === undefined ? fields : [String(phi), ...fields];
  const parts = [`${name}(${inner.join(", ")})`];
  if (limit !== undefined) parts.push(`limit ${limit}`);
  if (filter !== undefined) parts.push(`if (${printFilter(filter)})`);
  return parts.join(" ");
}

function printFunction(each: StatsFunction): string {
  return `${statsFunctionText(each)} as ${printName(each.as)}`;
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
    case "number":
      return `${bucket.step}${bucket.offset === 0 ? "" : ` offset ${bucket.offset}`}`;
  }
}
