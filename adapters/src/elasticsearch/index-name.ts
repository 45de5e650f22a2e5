import type { Moment } from "../../../kit/src/time.ts";

const dayMs = 86_400_000;

/** The last moment that a `date_nanos` of Elasticsearch holds, 2^63 − 1 nanoseconds after 1970 began. */
const latest: Moment = { ms: 9_223_372_036_854, ns: 775_807 };

const earliest: Moment = { ms: 0, ns: 0 };

/** A record's time as far as `date_nanos` can say it: 1970-01-01 to 2262-04-11, others at the nearer end. */
export function indexedTime(ms: number, ns: number): Moment {
  if (ms < 0) return earliest;
  if (ms > latest.ms || (ms === latest.ms && ns > latest.ns)) return latest;
  return { ms, ns };
}

/** The day of an index, in days since 1970 began. */
export function indexDay(ms: number): number {
  return Math.floor(indexedTime(ms, 0).ms / dayMs);
}

/** `PREFIX-TENANT-YYYY.MM.DD`: where the records of a tenant's day (in UTC) are. */
export function indexName(prefix: string, tenant: string, day: number): string {
  const date = new Date(day * dayMs).toISOString().slice(0, 10).replaceAll("-", ".");
  return `${prefix}-${tenantInName(tenant)}-${date}`;
}

/**
 * What all indices of a tenant match. Those of others may, too (`a-b` begins as `a` does): a search also asks for
 * the tenant, by `_tenant`.
 */
export function indexPattern(prefix: string, tenant: string): string {
  return `${prefix}-${tenantInName(tenant)}-*`;
}

/** The day of an index that holds records of the tenant; undefined for any other name. */
export function dayOfIndex(prefix: string, tenant: string, name: string): number | undefined {
  const start = `${prefix}-${tenantInName(tenant)}-`;
  if (!name.startsWith(start)) return undefined;
  const match = /^(\d{4})\.(\d\d)\.(\d\d)$/.exec(name.slice(start.length));
  if (match === null) return undefined;
  return Date.parse(`${match[1]}-${match[2]}-${match[3]}T00:00:00Z`) / dayMs;
}

/** What Elasticsearch refused for good, of all tenants. No tenant's index: their names end in a date. */
export function deadLetterIndex(prefix: string): string {
  return `${prefix}-dead-letters`;
}

/** Names of indices are lower-case: each other byte of a tenant's name is written as `+` and its two hex digits. */
function tenantInName(tenant: string): string {
  return tenant.replaceAll(/[^a-z0-9._-]/gu, (char) =>
    [...Buffer.from(char)].map((byte) => `+${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}
