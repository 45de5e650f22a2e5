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

/** Waits; ends early, without an error, when the signal aborts. Keeps no process alive. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms).unref();
    signal.addEventListener("abort", done);
  });
}
