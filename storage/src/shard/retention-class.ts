import { assert } from "../../../kit/src/assert.ts";

const dayMs = 24 * 60 * 60 * 1000;
const pattern = /^(\d{1,5}(?:\.\d{1,6})?)d$/;

/**
 * The retention class of records that a rule keeps for so many days: `30d`. The class names its own days, so that
 * what is stored keeps its promise when rules change, and rules of the same days share files.
 */
export function retentionClassOf(days: number): string {
  assert(days > 0 && days < 100_000, "days of a rule are bounded");
  return `${Number(days.toFixed(6))}d`;
}

/** How long a class of a rule is kept, in milliseconds; undefined for any other class. */
export function retentionMsOf(retentionClass: string): number | undefined {
  const days = pattern.exec(retentionClass)?.[1];
  return days === undefined ? undefined : Number(days) * dayMs;
}
