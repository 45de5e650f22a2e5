/** How long to wait before each try after the first. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Milliseconds before try `attempt` (the first repeat is 1): doubled each time, and a random part taken
 * off, so that many clients of a service that comes back do not come back as one.
 */
export function backoffMs(attempt: number, { firstMs, maxMs }: BackoffOptions): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return full * (0.5 + Math.random() / 2);
}

/** A `Retry-After` header as milliseconds: seconds or an HTTP date. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,6}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
