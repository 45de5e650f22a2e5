import { backoffMsFirst, backoffMsMost } from "./limits.ts";

/**
 * How long to wait after so many failures in a row (from 1), in milliseconds: doubled each time up to a bound, and
 * shortened by up to a half at random, so that what failed together does not come back together.
 */
export function backoffMs(
  failures: number,
  random: number = Math.random(),
  { firstMs = backoffMsFirst, mostMs = backoffMsMost } = {},
): number {
  // Beyond 2^30 the bound holds anyway.
  const full = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), mostMs);
  return Math.round(full * (1 - random / 2));
}
