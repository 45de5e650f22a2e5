import { retryAfterMsMax } from "./limits.ts";

/**
 * The milliseconds for which a `Retry-After` header asks: whole seconds, or an HTTP date. Undefined without one
 * or when it is neither; never below 0 nor above the bound.
 */
export function retryAfterMsOf(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? "";
  if (text === "") return undefined;
  const isSeconds = /^\d+$/.test(text);
  // `Date.parse` takes much that is no HTTP date; each of those begins with the day of the week.
  if (!isSeconds && !/^[A-Z][a-z]{2,8}, /.test(text)) return undefined;
  const ms = isSeconds ? Number(text) * 1000 : Date.parse(text) - nowMs;
  if (Number.isNaN(ms)) return undefined;
  return Math.min(Math.max(0, ms), retryAfterMsMax);
}
