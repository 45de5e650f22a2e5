import { type Client, errors } from "@elastic/elasticsearch";
import { messageOf } from "../../../kit/src/errors.ts";
import { reasonLengthMax } from "./limits.ts";

/** Items of a request: item i is `body[offsets[i] … offsets[i + 1]]`, two lines each. */
export interface BulkItems {
  readonly body: Uint8Array;
  readonly offsets: Uint32Array;
}

/** What became of each item; numbers are items. */
export interface BulkAnswer {
  readonly created: number;
  /** Were there already. */
  readonly repeated: number;
  /** To be sent again: there was no room, or the cluster is not ready. */
  readonly again: readonly number[];
  /** Will never be taken. */
  readonly refused: readonly { readonly item: number; readonly reason: string }[];
  /** Why the first of `again` is there. */
  readonly reason: string | undefined;
}

interface AnsweredItem {
  readonly create?: {
    readonly status: number;
    readonly error?: { readonly type?: string; readonly reason?: string };
  };
}

/** Sends items once. Rejects as the client does, when there is no answer for each of them. */
export async function sendBulk(
  client: Client,
  items: BulkItems,
  signal: AbortSignal,
): Promise<BulkAnswer> {
  const { body, offsets } = items;
  const answer = await client.transport.request<{ readonly items?: readonly AnsweredItem[] }>(
    {
      method: "POST",
      path: "/_bulk",
      querystring: {
        filter_path: "items.*.status,items.*.error.type,items.*.error.reason",
      },
      bulkBody: Buffer.from(body.buffer, body.byteOffset, offsets.at(-1)),
    },
    { signal },
  );
  return judged(answer.items ?? [], offsets.length - 1);
}

function judged(answered: readonly AnsweredItem[], count: number): BulkAnswer {
  if (answered.length !== count) throw new Error(`${answered.length} of ${count} items answered`);
  const refused: { item: number; reason: string }[] = [];
  const again: number[] = [];
  let created = 0;
  let repeated = 0;
  let reason: string | undefined;
  for (const [item, { create }] of answered.entries()) {
    const status = create?.status ?? 500;
    const { type = "", reason: text = "" } = create?.error ?? {};
    if (status < 300) created++;
    else if (status === 409) repeated++;
    else if (isRefusal(status, type, text)) refused.push({ item, reason: reasonOf(type, text) });
    else {
      again.push(item);
      reason ??= reasonOf(type, text);
    }
  }
  return { created, repeated, again, refused, reason };
}

/**
 * Whether an item would be answered so for ever. An index that somebody has closed or made read-only is one: records
 * that come late for it must not hold up all others. Too many shards are none: the cluster has no room for new days.
 */
function isRefusal(status: number, type: string, reason: string): boolean {
  if (status === 400) return type !== "validation_exception";
  return type === "cluster_block_exception" && /FORBIDDEN\/(?:4|5|8)\/index/.test(reason);
}

function reasonOf(type: string, reason: string): string {
  return `${type}: ${reason}`.slice(0, reasonLengthMax);
}

/**
 * Why Elasticsearch did not take a request for what is in it; undefined when it was not the request's fault. One that is
 * too large for a proxy on the way counts: it is halved. What else a proxy says is about itself.
 */
export function requestRefusal(thrown: unknown): string | undefined {
  if (!(thrown instanceof errors.ResponseError)) return undefined;
  const status = thrown.statusCode;
  if (status !== 413 && !(status === 400 && isOfElasticsearch(thrown.body))) return undefined;
  return reasonOf(`status ${status}`, messageOf(thrown));
}

/** Its errors are JSON, and have a type. */
function isOfElasticsearch(body: unknown): boolean {
  const { error } = (body ?? {}) as { readonly error?: { readonly type?: unknown } | null };
  return typeof error?.type === "string";
}

/** Whether the cluster itself said that it has no room now. */
export function isBusy(thrown: unknown): boolean {
  return thrown instanceof errors.ResponseError && thrown.statusCode === 429;
}

/** Some items of a request as one of their own. */
export function pickItems({ body, offsets }: BulkItems, items: readonly number[]): BulkItems {
  const parts = items.map((item) => body.subarray(offsets[item], offsets[item + 1]));
  const picked = new Uint32Array(items.length + 1);
  for (const [i, part] of parts.entries()) picked[i + 1] = (picked[i] as number) + part.length;
  return { body: Buffer.concat(parts), offsets: picked };
}

/** The two halves of a request. */
export function halvesOf({ body, offsets }: BulkItems): readonly [BulkItems, BulkItems] {
  const middle = Math.floor(offsets.length / 2);
  const at = offsets[middle] as number;
  return [
    { body: body.subarray(0, at), offsets: offsets.slice(0, middle + 1) },
    { body: body.subarray(at), offsets: offsets.slice(middle).map((offset) => offset - at) },
  ];
}

/** Where an item is to go, and what: its two lines. */
export function linesOf(
  { body, offsets }: BulkItems,
  item: number,
): { readonly index: string; readonly id: string; readonly document: string } {
  const text = Buffer.from(body.subarray(offsets[item], offsets[item + 1])).toString();
  const end = text.indexOf("\n");
  // What we wrote ourselves.
  const action = JSON.parse(text.slice(0, end)) as { create: { _index: string; _id: string } };
  const { _index: index, _id: id } = action.create;
  return { index, id, document: text.slice(end + 1).trimEnd() };
}
