import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Elasticsearch, missingElasticsearch } from "../servers/elasticsearch.ts";
import {
  assertMirrored,
  documentsOf,
  eventually,
  freshPrefix,
  metric,
  mirrored,
  put,
  recordOf,
  records,
  ship,
  startMirroring,
  storedBy,
  tenant,
} from "./given.ts";

const skip = missingElasticsearch();
const running: { es: Elasticsearch | undefined } = { es: undefined };

before(async () => {
  if (skip === false) running.es = await Elasticsearch.start();
});
after(() => running.es?.kill());

const server = (): Elasticsearch => running.es as Elasticsearch;

test("every sealed record is there once, with its fields, by tenant and day", {
  skip,
}, async (t) => {
  const prefix = freshPrefix();
  const service = await startMirroring({ url: server().url, prefix });
  t.after(() => service.kill());
  // Sealed apart and merged meanwhile.
  for (let batch = 0; batch < 6; batch++) {
    const other = { headers: { "X-Logkeep-Tenant": "shop.b" } };
    await ship(service, records(200, batch));
    await service.ship(records(50, batch), other);
    await eventually(
      async () => (await metric(service, "documents_total")) >= 250 * (batch + 1) || undefined,
    );
  }
  await assertMirrored(server(), service, prefix, 1200);
  const theirs = await documentsOf(server(), `${prefix}-shop.b-*`);
  assert.equal(theirs.length, 300);
  for (const { _index, _source } of theirs) {
    const day = _source["_time"]?.slice(0, 10).replaceAll("-", ".");
    assert.equal(_index, `${prefix}-shop.b-${day}`);
    assert.equal(_source["_tenant"], "shop.b");
  }
  assert.equal(await metric(service, "dead_letters_total"), 0);
  assert.equal(await metric(service, "connected"), 1);
});

test("rejected records and other records of our own are not mirrored", { skip }, async (t) => {
  const prefix = freshPrefix();
  const service = await startMirroring({ url: server().url, prefix });
  t.after(() => service.kill());
  const body = `${JSON.stringify({ _msg: "good" })}\n{"_msg": broken\n`;
  const headers = { "Content-Type": "application/x-ndjson", "X-Logkeep-Tenant": tenant };
  const response = await fetch(`${service.http}/api/v1/logs`, { method: "POST", headers, body });
  assert.deepEqual(
    await response.json().then((answer) => {
      const { accepted, rejected } = answer as { accepted: number; rejected: number };
      return [accepted, rejected];
    }),
    [1, 1],
  );
  await mirrored(server(), service, `${prefix}-${tenant}-*`, 1);
  assert.equal((await storedBy(service, '{stream="_rejected"}')).length, 1);
  // Sealed behind the rejected one.
  await ship(service, [{ _time: new Date().toISOString(), _msg: "later" }]);
  const documents = await mirrored(server(), service, `${prefix}-*`, 2);
  const ours = documents.filter(({ _source }) => _source["_tenant"] === tenant);
  assert.deepEqual(ours.map((document) => recordOf(document)["_msg"]).sort(), ["good", "later"]);
});

test("Elasticsearch may be away at the start, and be killed in between", { skip }, async (t) => {
  const prefix = freshPrefix();
  await server().kill();
  const args = ["--set", "elasticsearch.bulkMaxBytes=64KiB"];
  const service = await startMirroring({ url: server().url, prefix, args });
  t.after(() => service.kill());
  await ship(service, records(1000, 1));
  await eventually(async () => (await metric(service, "lag_records")) >= 1000 || undefined);
  assert.equal((await storedBy(service)).length, 1000);
  assert.equal(await metric(service, "connected"), 0);
  await server().restart();
  await eventually(async () => (await metric(service, "documents_total")) > 0 || undefined);
  await server().kill();
  await ship(service, records(1000, 2));
  await server().restart();
  await assertMirrored(server(), service, prefix, 2000);
  const told = service.log.split("\n").filter((line) => line.includes("takes no documents"));
  assert.ok(told.length <= 6, `told once a change, and not at each try: ${told.length}`);
});

test("an Elasticsearch that lost its data, or another one, gets everything anew", {
  skip,
}, async (t) => {
  const prefix = freshPrefix();
  const service = await startMirroring({ url: server().url, prefix });
  t.after(() => service.kill());
  await ship(service, records(300, 1));
  await assertMirrored(server(), service, prefix, 300);
  await server().kill();
  rmSync(path.join(server().home, "data"), { recursive: true });
  await server().restart();
  await ship(service, records(300, 2));
  await assertMirrored(server(), service, prefix, 600);
});

test("what two clusters or an emptied one send into the same indices stays apart", {
  skip,
}, async (t) => {
  const prefix = freshPrefix();
  const same = records(100, 1);
  for (const count of [100, 200]) {
    const service = await startMirroring({ url: server().url, prefix });
    t.after(() => service.kill());
    await ship(service, same);
    await mirrored(server(), service, `${prefix}-${tenant}-*`, count);
    await service.stop();
  }
  assert.equal((await documentsOf(server(), `${prefix}-${tenant}-*`)).length, 200);
});

test("a document that is refused is kept as a dead letter, its neighbours are stored", {
  skip,
}, async (t) => {
  const prefix = freshPrefix();
  const now = new Date();
  const day = now.toISOString().slice(0, 10).replaceAll("-", ".");
  const index = `${prefix}-${tenant}-${day}`;
  // Somebody made the day's index with a mapping of their own.
  await put(server(), `/${index}`, {
    settings: { index: { mapping: { ignore_malformed: false } } },
    mappings: { properties: { duration: { type: "long" } } },
  });
  const service = await startMirroring({ url: server().url, prefix });
  t.after(() => service.kill());
  const _time = now.toISOString();
  await ship(service, [
    { _time, _msg: "one", duration: "17" },
    { _time, _msg: "two", duration: "slow" },
    { _time, _msg: "three", duration: "19" },
  ]);
  const letters = await mirrored(server(), service, `${prefix}-dead-letters`, 1);
  const documents = await mirrored(server(), service, index, 2);
  assert.deepEqual(documents.map((document) => recordOf(document)["_msg"]).sort(), [
    "one",
    "three",
  ]);
  const [letter] = letters;
  assert.equal(letter?._source["target"], index);
  assert.match(letter._source["reason"] ?? "", /document_parsing_exception.*duration/);
  assert.equal(JSON.parse(letter._source["document"] ?? "")._msg, "two");
  assert.equal(await metric(service, "dead_letters_total"), 1);
  assert.equal(await metric(service, "lost_dead_letters_total"), 0);
});

test("an index that somebody made read-only gets none, and holds up no other", {
  skip,
}, async (t) => {
  const prefix = freshPrefix();
  const [today, before] = [0, 1].map((days) => {
    const _time = new Date(Date.now() - days * 86_400_000).toISOString();
    const index = `${prefix}-${tenant}-${_time.slice(0, 10).replaceAll("-", ".")}`;
    return { _time, index };
  }) as [{ _time: string; index: string }, { _time: string; index: string }];
  await put(server(), `/${before.index}`, { settings: { index: { blocks: { write: true } } } });
  const service = await startMirroring({ url: server().url, prefix });
  t.after(() => service.kill());
  await ship(service, [
    { _time: before._time, _msg: "late" },
    { _time: today._time, _msg: "in time" },
  ]);
  const [letter] = await mirrored(server(), service, `${prefix}-dead-letters`, 1);
  assert.equal(letter?._source["target"], before.index);
  assert.match(letter._source["reason"] ?? "", /cluster_block_exception/);
  const [document] = await mirrored(server(), service, today.index, 1);
  assert.equal(document?._source["_msg"], "in time");
});
