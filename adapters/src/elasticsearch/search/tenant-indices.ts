import type { TimeRange } from "../../../../query/src/time-range.ts";
import { exactSuffix, recordField } from "../field-name.ts";
import { dayOfIndex, indexDay, indexPattern } from "../index-name.ts";
import { pathNamesBytesMax } from "./limits.ts";
import type { SearchServer } from "./server.ts";

export interface TenantDays {
  readonly prefix: string;
  readonly tenant: string;
  readonly range: TimeRange;
}

interface Resolved {
  readonly indices: readonly { readonly name: string }[];
}

/**
 * The indices that hold a tenant's records of a range, as a path takes them; undefined when there are none. A path that would
 * be too long is a pattern of more indices: a search asks for tenant and time as well.
 */
export async function tenantIndices(
  server: SearchServer,
  { prefix, tenant, range }: TenantDays,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const pattern = indexPattern(prefix, tenant);
  const { indices } = await server.json<Resolved>({
    method: "GET",
    path: `/_resolve/index/${encodeURIComponent(pattern)}`,
    signal,
  });
  const [first, last] = [indexDay(range.from.ms), indexDay(range.to.ms)];
  const names = indices
    .map(({ name }) => name)
    .filter((name) => {
      const day = dayOfIndex(prefix, tenant, name);
      return day !== undefined && day >= first && day <= last;
    });
  if (names.length === 0) return undefined;
  const path = names.map(encodeURIComponent).join(",");
  return path.length <= pathNamesBytesMax ? path : encodeURIComponent(pattern);
}

/** The fields that some record of the indices has, by the names that records have for them. */
export async function fieldsOfIndices(
  server: SearchServer,
  names: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { fields } = await server.json<{ readonly fields: Readonly<Record<string, unknown>> }>({
    method: "GET",
    path: `/${names}/_field_caps`,
    params: { fields: `*${exactSuffix}`, ignore_unavailable: "true" },
    signal,
  });
  return Object.keys(fields)
    .map((name) => recordField(name.slice(0, -exactSuffix.length)))
    .filter((field) => field !== undefined);
}
