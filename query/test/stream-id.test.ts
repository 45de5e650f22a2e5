import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { askCompletion } from "../src/engine/completion.ts";
import { askFieldValues, collectAnswer } from "../src/engine/questions.ts";
import { parseQuery } from "../src/language/parse.ts";
import { TailMatcher } from "../src/tail/tail-matcher.ts";
import { planTail } from "../src/tail/tail-plan.ts";
import { blockOf, LocalPool, storeOf, type TestRecord } from "./engine-blocks.ts";

const allTime = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };
const api = '{service="api"}';
const web = '{service="web"}';
const rejected = '{stream="_rejected"}';
// They may never change: queries that name them are kept by those who ask.
const idOfApi = "81c0876df8e09f20ba18c8de6d3d1e00";
const idOfWeb = "dcd3f42ea1a181fc021578fa0aed6e09";

const records: readonly TestRecord[] = Array.from({ length: 40 }, (_, i) => ({
  time: { ms: 1_000 * (i + 1), ns: 0 },
  stream: i % 4 === 0 ? web : api,
  shard: 0,
  position: i,
  fields: { _msg: i === 8 ? "an error" : `m${i}`, level: i % 2 === 0 ? "info" : "warn" },
}));

async function ask(text: string): Promise<readonly Record<string, string>[]> {
  const store = storeOf(records, new Prng(5));
  const internal = records.slice(0, 2).map((record) => ({ ...record, stream: rejected }));
  store.add([blockOf(internal, new Prng(6))], 1, true);
  const pool = new LocalPool(store);
  const query = parseQuery(text);
  return (await collectAnswer({ source: store, pool, tenant: "t", query, range: allTime })).rows;
}

test("a stream's id is the same for good, and is shown where it is asked for", async () => {
  const ids = await ask("* | stats by (_stream, _stream_id) count() n | sort by (n)");
  assert.deepEqual(ids, [
    { _stream: web, _stream_id: idOfWeb, n: "10" },
    { _stream: api, _stream_id: idOfApi, n: "30" },
  ]);
  for (const row of await ask("* | limit 3")) assert.ok(!("_stream_id" in row));
  for (const row of await ask("* | fields *")) assert.ok(!("_stream_id" in row));
  const [row] = await ask("an error | fields _msg, _stream_id");
  assert.deepEqual(row, { _msg: "an error", _stream_id: idOfWeb });
  assert.deepEqual(await ask("an error | delete _stream*, _time, level"), [{ _msg: "an error" }]);
});

const finds: readonly (readonly [string, number])[] = [
  [`_stream_id:${idOfApi}`, 30],
  [`_stream_id:="${idOfWeb}"`, 10],
  [`!_stream_id:${idOfApi}`, 10],
  [`_stream_id:in(${idOfApi}, ${idOfWeb})`, 40],
  [`_stream_id:in(00000000, ${idOfWeb})`, 10],
  [`_stream_id:in(${idOfWeb.toUpperCase()})`, 10],
  [`_stream_id:${idOfApi.toUpperCase()}`, 30],
  [`_stream_id:="${idOfWeb.toUpperCase()}"`, 10],
  ["_stream_id:in(error | fields _stream_id)", 10],
  ["_stream_id:in(* | top 1 (_stream_id) | keep _stream_id)", 30],
  ["_stream_id:00000000", 0],
  [`level:warn _stream_id:${idOfApi}`, 20],
  [`* | filter _stream_id:${idOfWeb}`, 10],
  [`* | limit 40 | filter _stream_id:${idOfWeb}`, 10],
  [`* | copy _stream_id as id | filter id:=${idOfApi}`, 30],
  [`* | delete level | filter _stream_id:${idOfWeb}`, 10],
  ["* | rename _stream_id as id | filter _stream_id:*", 0],
];

for (const [text, count] of finds) {
  test(`query ${text} finds ${count} records`, async () => {
    assert.equal((await ask(text)).length, count);
  });
}

test("neighbours of what was found have the ids of their streams", async () => {
  const rows = await ask("error | stream_context before 2 | stats by (_stream_id) count() n");
  assert.deepEqual(rows, [{ _stream_id: idOfWeb, n: "3" }]);
});

test("a stream that Logkeep writes itself is found by its id", async () => {
  const [row] = await ask(`${rejected} | limit 1 | fields _stream_id`);
  const rows = await ask(`_stream_id:${row?.["_stream_id"]}`);
  assert.deepEqual(
    rows.map(({ _stream }) => _stream),
    [rejected, rejected],
  );
});

test("a tail finds by the id of a stream, and shows it", () => {
  const plan = planTail("1", parseQuery(`_stream_id:${idOfApi} | fields _stream_id, level`));
  const found = new TailMatcher().match(blockOf(records.slice(0, 6), new Prng(1)), [plan]);
  const { bytes } = found.get("1") ?? { bytes: new Uint8Array() };
  const lines = Buffer.from(bytes).toString().trimEnd().split("\n");
  assert.equal(lines.length, 4);
  assert.deepEqual(JSON.parse(lines[0] ?? ""), { _stream_id: idOfApi, level: "warn" });
});

test("an editor is offered the field and its values, and a page of fields shows these", async () => {
  const store = storeOf(records, new Prng(5));
  const question = { source: store, pool: new LocalPool(store), tenant: "t", range: allTime };
  const offered = (text: string) =>
    askCompletion(question, { text, cursor: text.length, limit: 20 });
  const texts = async (text: string) => (await offered(text)).items.map((item) => item.text);
  assert.ok((await texts("_stream_i")).includes("_stream_id:"));
  assert.ok((await texts("* | fields _str")).includes("_stream_id"));
  assert.deepEqual(await texts("_stream_id:8"), [idOfApi]);
  const query = parseQuery("level:info");
  const { values } = await askFieldValues(
    { ...question, query },
    { field: "_stream_id", limit: 5 },
  );
  assert.deepEqual(
    values.map(({ name, hits }) => [name, hits]),
    [
      [idOfApi, 10],
      [idOfWeb, 10],
    ],
  );
});
