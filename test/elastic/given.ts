import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { recordField } from "../../adapters/src/elasticsearch/field-name.ts";
import type { Elasticsearch } from "../servers/elasticsearch.ts";
import { type Row, Service, type ServiceOptions } from "../service.ts";

/** A loaded machine may take this long for what usually takes a second. */
const patienceMs = 180_000;

/** A prefix of indices that no other test uses. */
export function freshPrefix(): string {
  return `t${randomBytes(6).toString("hex")}`;
}

export interface MirrorOptions extends ServiceOptions {
  readonly url: string;
  readonly prefix: string;
}

/** A service that seals after a second and mirrors what it sealed. */
export function startMirroring({
  url,
  prefix,
  args = [],
  ...over
}: MirrorOptions): Promise<Service> {
  const settings = [
    `elasticsearch.nodes=${url}`,
    `elasticsearch.indexPrefix=${prefix}`,
    "elasticsearch.timeoutMs=60s",
    "storage.sealAgeMs=1000",
  ];
  return Service.start({
    ...over,
    args: [...settings.flatMap((text) => ["--set", text]), ...args],
  });
}

export interface Document {
  readonly _index: string;
  readonly _id: string;
  readonly _source: Readonly<Record<string, string>>;
}

async function ask<Answer>(url: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text) as Answer;
}

/** `PUT` with a JSON body. */
export function put(es: Elasticsearch, path: string, body: object): Promise<unknown> {
  const type = { "Content-Type": "application/json" };
  return ask(es.url + path, { method: "PUT", headers: type, body: JSON.stringify(body) });
}

/** All documents of indices, at most 10,000. */
export async function documentsOf(
  es: Elasticsearch,
  pattern: string,
): Promise<readonly Document[]> {
  const base = `${es.url}/${pattern}`;
  await ask(`${base}/_refresh`, { method: "POST" });
  const params = "size=10000&sort=_doc&allow_no_indices=true";
  const { hits } = await ask<{ hits: { hits: Document[] } }>(`${base}/_search?${params}`);
  return hits.hits;
}

/** The record that a document was made of, as queries print it. */
export function recordOf({ _source }: Document): Row {
  const record: Row = { _time: _source["_time"] ?? "", _stream: _source["_stream"] ?? "" };
  for (const [name, value] of Object.entries(_source)) {
    const field = recordField(name);
    if (field !== undefined) record[field] = value;
  }
  return record;
}

/** Records as sorted lines, to be compared whatever their order is. */
export function linesOf(records: readonly Row[]): string[] {
  return records
    .map((record) => JSON.stringify(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))))
    .sort();
}

/** Not the default one, into which the service writes its own log. */
export const tenant = "shop";

const headers = { "X-Logkeep-Tenant": tenant };

export function ship(service: Service, some: readonly Row[]): Promise<unknown> {
  return service.ship(some, { headers });
}

/** Records of the tenant that match, as a query has them. */
export async function storedBy(service: Service, query = "*"): Promise<readonly Row[]> {
  const params = new URLSearchParams({ query, start: "0", limit: "0" });
  const response = await fetch(`${service.http}/api/v1/query?${params}`, { headers });
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Row);
}

/** Waits until something holds; then gives it. */
export async function eventually<T>(
  read: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const until = performance.now() + patienceMs;
  let failure: unknown;
  for (;;) {
    try {
      const found = await read();
      if (found !== undefined) return found;
      failure = undefined;
    } catch (thrown) {
      failure = thrown;
    }
    if (performance.now() > until) throw failure ?? new Error("it did not come to pass in time");
    await sleep(200);
  }
}

/** Waits until so many documents are there, and nothing is left to send. */
export async function mirrored(
  es: Elasticsearch,
  service: Service,
  pattern: string,
  count: number,
): Promise<readonly Document[]> {
  return eventually(async () => {
    const documents = await documentsOf(es, pattern);
    if (documents.length < count) throw new Error(`${documents.length} of ${count} are there`);
    if ((await metric(service, "lag_records")) > 0) throw new Error("records wait to be mirrored");
    return documents;
  });
}

/** Claims that exactly so many records are mirrored, each once and as a query prints it. */
export async function assertMirrored(
  es: Elasticsearch,
  service: Service,
  prefix: string,
  count: number,
): Promise<void> {
  const documents = await mirrored(es, service, `${prefix}-${tenant}-*`, count);
  assert.equal(documents.length, count);
  assert.deepEqual(linesOf(documents.map(recordOf)), linesOf(await storedBy(service)));
}

/** A figure of the mirror, as `/metrics` has it. */
export function metric(service: Service, name: string): Promise<number> {
  return figure(service, `mirror_${name}`);
}

/** Any figure of `/metrics`. */
export async function figure(service: Service, name: string): Promise<number> {
  const text = await (await fetch(`${service.http}/metrics`)).text();
  return Number(new RegExp(`^logkeep_${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

const dayMs = 86_400_000;

/** Records of three days, with names that Elasticsearch has for itself, and some that are equal in everything. */
export function records(count: number, batch: number): Row[] {
  return Array.from({ length: count }, (_, i) => ({
    _time: new Date(Date.now() - (i % 3) * dayMs).toISOString(),
    _msg: i % 10 === 0 ? "the same" : `batch ${batch} record ${i} took ${i % 97}ms`,
    service: `api${i % 4}`,
    host: `h${i % 3}`,
    "http.status": String(200 + (i % 5)),
    http: "1.1",
    _id: `id ${i % 7}`,
    "level.exact": "ü\n",
  }));
}
