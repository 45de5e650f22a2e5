import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { indexTemplates } from "../../adapters/src/elasticsearch/template.ts";
import { Elasticsearch, missingElasticsearch } from "../servers/elasticsearch.ts";
import type { Row, Service } from "../service.ts";
import { eventually, freshPrefix, mirrored, put, startMirroring } from "./given.ts";
import { SearchProxy } from "./search-proxy.ts";

const skip = missingElasticsearch();
const running: { es: Elasticsearch | undefined } = { es: undefined };

before(async () => {
  if (skip === false) running.es = await Elasticsearch.start();
});
after(() => running.es?.kill());

const server = (): Elasticsearch => running.es as Elasticsearch;

interface Asked {
  readonly service: Service;
  readonly proxy: SearchProxy;
  readonly prefix: string;
}

/** A service that asks the mirror through a proxy. */
async function startAsking(t: TestContext, settings: readonly string[] = []): Promise<Asked> {
  const proxy = await SearchProxy.start(server().url);
  const prefix = freshPrefix();
  const url = proxy.url;
  const all = ["query.index=elasticsearch", "query.timeoutMs=5m", ...settings];
  const args = all.flatMap((text) => ["--set", text]);
  const service = await startMirroring({ url, prefix, args });
  t.after(async () => {
    proxy.close();
    await service.kill();
  });
  return { service, proxy, prefix };
}

const nowMs = Date.now();

function someRecords(count: number, more: Row = {}): Row[] {
  return Array.from({ length: count }, (_, i) => ({
    _time: new Date(nowMs - 1000 * (count - i)).toISOString(),
    _msg: `record ${i} of some`,
    n: String(i),
    parity: i % 2 === 0 ? "even" : "odd",
    service: "s",
    ...more,
  }));
}

async function shipAs(service: Service, tenant: string, records: readonly Row[]): Promise<void> {
  await service.ship(records, { headers: { "X-Logkeep-Tenant": tenant } });
}

interface Answer {
  readonly status: number;
  readonly partial: boolean;
  readonly rows: readonly Row[];
  readonly summary: { readonly status?: string; readonly scanned?: number; missing?: string[] };
  readonly code: string | undefined;
}

async function ask(
  service: Service,
  query: string,
  { tenant = "shop", ...params }: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const all = { query, start: "now-2d", limit: "0", summary: "1", ...params };
  const response = await fetch(`${service.http}/api/v1/query?${new URLSearchParams(all)}`, {
    headers: { "X-Logkeep-Tenant": tenant },
  });
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  const parsed = lines.map((line) => JSON.parse(line) as Row & { _summary?: object });
  return {
    status: response.status,
    partial: response.headers.get("X-Logkeep-Partial") === "true",
    rows: response.status === 200 ? parsed.slice(0, -1) : [],
    summary: parsed.at(-1)?._summary ?? {},
    code: parsed[0]?.["code"],
  };
}

test("only what is asked for travels", { skip }, async (t) => {
  const { service, proxy, prefix } = await startAsking(t);
  const records = someRecords(3_000, { filler: "x".repeat(1_000) });
  // One value that is not indexed as a whole hinders nobody who does not ask for it.
  await shipAs(service, "shop", [
    { ...records[0], filler: "x".repeat(9_000) },
    ...records.slice(1),
  ]);
  await mirrored(server(), service, `${prefix}-shop-*`, 3_000);
  const bytesOf = async (query: string, rows: readonly Row[] | number): Promise<number> => {
    proxy.searchBytes = 0;
    const answer = await ask(service, query);
    assert.equal(answer.status, 200);
    if (typeof rows === "number") assert.equal(answer.rows.length, rows);
    else assert.deepEqual(answer.rows, rows);
    return proxy.searchBytes;
  };
  const few = 30_000;
  assert.ok((await bytesOf("some | stats count() c", [{ c: "3000" }])) < few);
  const counted = [{ parity: "even", c: "1500" }];
  assert.ok((await bytesOf("parity:even | stats by (parity) count() c", counted)) < few);
  assert.ok((await bytesOf("some | field_values parity", 2)) < few);
  assert.ok((await bytesOf("some | field_names", 7)) < few);
  assert.ok((await bytesOf("some | fields n | limit 10", 10)) < few);
  assert.ok((await bytesOf("some | sort by (_time) limit 10", 10)) < few);
  const names = [{ name: "filler", hits: "3000" }];
  assert.ok((await bytesOf("some | field_names | filter name:=filler", names)) < few);
  // Its bytes cannot be ordered by Elasticsearch: all records are read.
  assert.ok((await bytesOf("some | stats max(n) m", [{ m: "2999" }])) > 3_000_000);
  const { summary } = await ask(service, "some | stats max(n) m");
  assert.ok((summary.scanned ?? 0) > 3_000_000, "what was read is told");
});

test("a tenant sees nothing of another whose name begins alike", { skip }, async (t) => {
  const { service, prefix } = await startAsking(t);
  await shipAs(service, "a", someRecords(3));
  await shipAs(service, "a-b", someRecords(5));
  await mirrored(server(), service, `${prefix}-a-*`, 8);
  assert.equal((await ask(service, "*", { tenant: "a" })).rows.length, 3);
  assert.deepEqual((await ask(service, "* | stats count() c", { tenant: "a" })).rows, [{ c: "3" }]);
  assert.equal((await ask(service, "*", { tenant: "a-b" })).rows.length, 5);
  assert.deepEqual((await ask(service, "*", { tenant: "nobody" })).rows, []);
});

test("records of many megabytes come in pages that fit, within the memory of a query", {
  skip,
}, async (t) => {
  const { service, prefix } = await startAsking(t, ["query.memoryMaxBytes=16MiB"]);
  const long = someRecords(30).map((record, i) => ({
    ...record,
    long: `${"é".repeat(300_000)} ${i}`,
  }));
  for (let at = 0; at < 30; at += 10) await shipAs(service, "shop", long.slice(at, at + 10));
  await mirrored(server(), service, `${prefix}-shop-*`, 30);
  const { rows } = await ask(service, "* | fields n");
  assert.deepEqual(
    rows.map(({ n }) => n),
    Array.from({ length: 30 }, (_, i) => String(29 - i)),
  );
  const all = await ask(service, "*");
  assert.deepEqual(
    all.rows.map(({ long: text }) => text?.length),
    long.map((record) => record.long.length).reverse(),
  );
  const whole = await ask(service, '* | filter long:~" 7$"');
  assert.deepEqual(
    whole.rows.map(({ long: text }) => text?.length),
    [300_002],
  );
  const counted = await ask(service, '* | stats count_uniq(n) u, count() if (long:~"é 9$") c');
  assert.deepEqual(counted.rows, [{ u: "30", c: "1" }]);
  const tooMuch = await ask(service, "* | stats by (long) max(n) m");
  assert.equal(tooMuch.status, 422);
  assert.equal(tooMuch.code, "query.memory");
});

interface NarrowedTemplate {
  readonly settings: { readonly index: object };
}

test("fields beyond those that an index takes are found all the same", { skip }, async (t) => {
  const { service, prefix } = await startAsking(t);
  const { template } = (indexTemplates(prefix)[0]?.body ?? {}) as {
    readonly template: NarrowedTemplate;
  };
  const mapping = { total_fields: { limit: 20, ignore_dynamic_beyond_limit: true } };
  await put(server(), `/_index_template/${prefix}-narrow`, {
    index_patterns: [`${prefix}-narrow-*`],
    priority: 10_000,
    template: {
      ...template,
      settings: { ...template.settings, index: { ...template.settings.index, mapping } },
    },
  });
  const fields = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`f${i}`, `value ${i}`]));
  await shipAs(service, "narrow", someRecords(4, fields));
  await mirrored(server(), service, `${prefix}-narrow-*`, 4);
  const ignored = await fetch(`${server().url}/${prefix}-narrow-*/_count?q=_ignored:f9`);
  assert.equal(((await ignored.json()) as { count: number }).count, 4);
  const tenant = { tenant: "narrow" };
  for (let i = 0; i < 12; i++) {
    const found = await ask(service, `f${i}:value f${i}:="value ${i}" | stats count() c`, tenant);
    assert.deepEqual(found.rows, [{ c: "4" }], `f${i}`);
    const none = await ask(service, `!f${i}:value | stats count() c`, tenant);
    assert.deepEqual(none.rows, [{ c: "0" }], `f${i}`);
  }
  const groups = await ask(service, "* | stats by (f9) count() c", tenant);
  assert.deepEqual(groups.rows, [{ f9: "value 9", c: "4" }]);
});

test("a shard that fails makes the answer partial, and is named", { skip }, async (t) => {
  const { service, prefix } = await startAsking(t);
  await shipAs(service, "shop", someRecords(4));
  await mirrored(server(), service, `${prefix}-shop-*`, 4);
  const yesterday = new Date(nowMs - 86_400_000).toISOString().slice(0, 10).replaceAll("-", ".");
  const broken = `${prefix}-shop-${yesterday}`;
  const properties = { "@timestamp": { type: "text" }, _tenant: { type: "keyword" } };
  await fetch(`${server().url}/${broken}`, { method: "DELETE" });
  await put(server(), `/${broken}`, { mappings: { properties } });
  await put(server(), `/${broken}/_doc/1?refresh=true`, { _tenant: "shop", "@timestamp": "x" });
  const start = new Date(nowMs - 86_400_000).toISOString();
  const answer = await ask(service, "* | fields n", { start });
  assert.equal(answer.status, 200);
  assert.equal(answer.summary.status, "partial");
  assert.ok(answer.partial);
  assert.match(String(answer.summary.missing), /1 of \d+ shards of Elasticsearch failed/);
  const denied = await ask(service, "* | fields n", { start, partial: "deny" });
  assert.equal(denied.status, 503);
  assert.equal(denied.code, "query.partial");
});

test("Logkeep's own streams are asked of the own store", { skip }, async (t) => {
  const { service } = await startAsking(t);
  const headers = { "Content-Type": "application/x-ndjson", "X-Logkeep-Tenant": "shop" };
  const body = '{"_msg": "good"}\n{"_msg": broken\n';
  await fetch(`${service.http}/api/v1/logs`, { method: "POST", headers, body });
  assert.equal((await ask(service, '{stream="_rejected"}')).rows.length, 1);
});

test("a question waits no longer than its deadline, and leaves nothing behind", {
  skip,
}, async (t) => {
  const { service, proxy, prefix } = await startAsking(t, ["elasticsearch.timeoutMs=3s"]);
  await shipAs(service, "shop", someRecords(10));
  await mirrored(server(), service, `${prefix}-shop-*`, 10);
  proxy.fate = (request) => (request.includes("/_search") ? "silent" : "pass");
  const late = await ask(service, "*", { timeout: "500ms" });
  assert.equal(late.status, 504);
  assert.equal(late.code, "query.timeout");
  const unanswered = await ask(service, "*");
  assert.equal(unanswered.status, 503, "Elasticsearch has its own time to answer");
  assert.equal(unanswered.code, "index.unavailable");
  const abort = new AbortController();
  const url = `${service.http}/api/v1/query?query=*&start=now-2d`;
  const left = fetch(url, { headers: { "X-Logkeep-Tenant": "shop" }, signal: abort.signal });
  await eventually(() => (proxy.opened >= 3 ? true : undefined));
  abort.abort();
  await assert.rejects(left);
  await eventually(() => (proxy.closed === proxy.opened ? true : undefined));
  proxy.fate = () => "pass";
  await eventually(async () => (await ask(service, "*")).rows.length === 10 || undefined);
});

test("an answer that breaks off and a server that is gone are errors, until it is back", {
  skip,
}, async (t) => {
  const { service, proxy, prefix } = await startAsking(t);
  await shipAs(service, "shop", someRecords(2_000));
  await mirrored(server(), service, `${prefix}-shop-*`, 2_000);
  proxy.fate = (request) => (request.includes("/_search") ? "cut" : "pass");
  const cut = await ask(service, "* | stats max(n)");
  assert.equal(cut.status, 503);
  assert.equal(cut.code, "index.unavailable");
  proxy.fate = () => "pass";
  await server().kill();
  const gone = await ask(service, "*");
  assert.equal(gone.status, 503);
  assert.equal(gone.code, "index.unavailable");
  await server().restart();
  const back = await eventually(async () => {
    const answer = await ask(service, "some | stats count() c");
    return answer.summary.status === "complete" ? answer : undefined;
  });
  assert.deepEqual(back.rows, [{ c: "2000" }]);
});
