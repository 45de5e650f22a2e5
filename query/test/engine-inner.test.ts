import assert from "node:assert/strict";
import test from "node:test";
import { type ErrorCode, ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import { collectAnswer } from "../src/engine/questions.ts";
import type { QueryRequest } from "../src/engine/run.ts";
import { parseQuery } from "../src/language/parse.ts";
import { innerValuesMax } from "../src/limits.ts";
import { planTail } from "../src/tail/tail-plan.ts";
import { LocalPool, MemoryStore, storeOf, type TestRecord } from "./engine-blocks.ts";

const secondMs = 1_000;
const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 0, 5);

/** Records of two streams by turns, two seconds apart within each; `n` numbers them. */
const records: readonly TestRecord[] = Array.from({ length: 40 }, (_, i) => ({
  time: { ms: startMs + i * secondMs, ns: 0 },
  stream: i % 2 === 0 ? '{app="a"}' : '{app="b"}',
  shard: 0,
  position: i,
  fields: { n: String(i), user: `u${i % 5}`, ...(i % 10 === 4 && { level: "error" }) },
}));

function ask(
  text: string,
  more: Partial<QueryRequest> = {},
  store = storeOf(records, new Prng(1)),
) {
  const range = { from: { ms: startMs, ns: 0 }, to: { ms: startMs + dayMs, ns: 0 } };
  const query = parseQuery(text);
  const pool = new LocalPool(store);
  return collectAnswer({ source: store, pool, tenant: "t", query, range, ...more });
}

function failsWith(code: ErrorCode) {
  return (thrown: unknown) => thrown instanceof ServiceError && thrown.code === code;
}

test("values of another query are looked for, also of a query within that one", async () => {
  const { rows } = await ask("user:in(n:in(level:error | fields n) | uniq by (user)) | count() n");
  assert.deepEqual(rows, [{ n: "8" }]);
  const none = await ask("user:in(level:nosuch | fields user) | count() n");
  assert.deepEqual(none.rows, [{ n: "0" }]);
  const phrases = await ask("user:contains_any(level:error n:4 | fields user) | count() n");
  assert.deepEqual(phrases.rows, [{ n: "8" }]);
});

test("an inner query looks at the range of the outer one unless it is told not to", async () => {
  const late = { from: { ms: startMs + 30 * secondMs, ns: 0 }, to: { ms: startMs + dayMs, ns: 0 } };
  const own = await ask("user:in(n:1 | fields user) | count() n", { range: late });
  assert.deepEqual(own.rows, [{ n: "0" }]);
  const text = "user:in(options(ignore_global_time_filter=true) n:1 | fields user) | count() n";
  assert.deepEqual((await ask(text, { range: late })).rows, [{ n: "2" }]);
});

test("neighbours of records of too many streams are refused", async () => {
  const many = Array.from({ length: 101 }, (_, i) => ({
    ...(records[0] as TestRecord),
    stream: `{app="${i}"}`,
    position: i,
  }));
  const store = storeOf(many, new Prng(1));
  await assert.rejects(ask("* | stream_context before 1", {}, store), failsWith("query.memory"));
});

test("neighbours of records of many streams are found: they are no queries that somebody wrote", async () => {
  const many = Array.from({ length: 40 }, (_, i) => ({
    ...(records[0] as TestRecord),
    stream: `{app="${i}"}`,
    position: i,
  }));
  const { rows } = await ask("* | stream_context before 1", {}, storeOf(many, new Prng(3)));
  assert.equal(rows.filter((row) => row["_msg"] !== "---").length, many.length);
});

test("neighbours come with each record found, once, apart where others lie between", async () => {
  const { rows } = await ask("n:in(4, 6, 20) | stream_context before 1 after 1 | fields n, _msg");
  const shown = rows.map((row) => row["n"] ?? row["_msg"]);
  assert.deepEqual(shown, ["2", "4", "6", "8", "---", "18", "20", "22"]);
});

test("neighbours lie within the window, also outside the range that was asked", async () => {
  const late = { from: { ms: startMs + 20 * secondMs, ns: 0 }, to: { ms: startMs + dayMs, ns: 0 } };
  const text = "n:20 | stream_context before 9 time_window 4s | fields n";
  assert.deepEqual(
    (await ask(text, { range: late })).rows.map((row) => row["n"]),
    ["16", "18", "20"],
  );
  await assert.rejects(ask("* | limit 5 | stream_context before 1"), failsWith("query.invalid"));
});

test("an inner answer that is too large is refused, as are too many inner queries", async () => {
  const many = Array.from({ length: innerValuesMax + 1 }, (_, i) => ({
    time: { ms: startMs, ns: 0 },
    stream: "{}",
    shard: 0,
    position: i,
    fields: { id: `${i}` },
  }));
  const store = storeOf(many, new Prng(2));
  await assert.rejects(ask("id:in(* | fields id)", {}, store), failsWith("query.memory"));
  const unions = Array.from({ length: 17 }, () => "| union (n:1)").join(" ");
  await assert.rejects(ask(`n:1 ${unions}`), failsWith("query.invalid"));
});

test("an inner query shares the outer one's deadline, its signal and what it misses", async () => {
  await assert.rejects(
    ask("n:in(* | fields n)", { signal: AbortSignal.abort() }),
    failsWith("query.cancelled"),
  );
  const store = new MemoryStore();
  store.missing = ["shard 3"];
  const { summary } = await ask("n:1 | union (n:2)", {}, store);
  assert.deepEqual([summary.status, summary.missing], ["partial", ["shard 3"]]);
  await assert.rejects(
    ask("n:in(n:1 | fields n)", { partial: "deny" }, store),
    failsWith("query.partial"),
  );
  assert.equal(store.counts.opened, store.counts.released);
});

test("a rate is by second of the range, or of the step that groups", async () => {
  const { rows } = await ask("* | stats rate() r, rate_sum(n) s");
  assert.deepEqual(rows, [{ r: String(40 / 86_400), s: String(780 / 86_400) }]);
  const steps = await ask("* | stats by (_time:10s) rate() r | fields r");
  assert.deepEqual(
    steps.rows.map((row) => row["r"]),
    ["1", "1", "1", "1"],
  );
});

test("a tail takes no queries within it", () => {
  for (const text of ["n:in(x | fields n)", "* | filter n:in(x | fields n)", "* | union (x)"]) {
    assert.throws(() => planTail("t", parseQuery(text)), failsWith("query.invalid"));
  }
});

test("fewer pieces of work at a time give the same answer", async () => {
  assert.deepEqual((await ask("options(concurrency=1) level:error | count() n")).rows, [
    { n: "4" },
  ]);
});
