// Goal: a cursor goes on exactly where a page ended, in both orders, and only with its own question.
import assert from "node:assert/strict";
import test from "node:test";
import { type ErrorCode, ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import { decodeCursor } from "../src/engine/cursor.ts";
import { recordsOf } from "../src/engine/encode.ts";
import { collectAnswer } from "../src/engine/questions.ts";
import { type QueryRequest, runQuery } from "../src/engine/run.ts";
import { parseQuery } from "../src/language/parse.ts";
import { blockOf, LocalPool, MemoryStore, storeOf, type TestRecord } from "./engine-blocks.ts";
import { drawRecords } from "./engine-draw.ts";

const range = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };
const rounds = Number(process.env["LOGKEEP_TEST_ROUNDS"] ?? 20);

function requestOf(
  store: MemoryStore,
  text: string,
  more: Partial<QueryRequest> = {},
): QueryRequest {
  const pool = new LocalPool(store);
  return { source: store, pool, tenant: "t", query: parseQuery(text), range, ...more };
}

async function pagesOf(request: QueryRequest, limitOf: () => number) {
  const pages: unknown[] = [];
  let cursor: string | undefined;
  do {
    const page = await collectAnswer({ ...request, limit: limitOf(), cursor });
    pages.push(...page.rows);
    cursor = page.summary.cursor;
    assert.ok(pages.length < 100_000, "pages end");
  } while (cursor !== undefined);
  return pages;
}

function failsWith(code: ErrorCode) {
  return (thrown: unknown) => thrown instanceof ServiceError && thrown.code === code;
}

test("the oldest first is the very reverse of the newest first, whole and in pages", async () => {
  for (let seed = 1; seed <= rounds; seed++) {
    const prng = new Prng(seed);
    const store = storeOf(drawRecords(prng, 80), prng);
    const newest = await collectAnswer(requestOf(store, "*"));
    const request = requestOf(store, "*", { oldestFirst: true });
    const oldest = await collectAnswer(request);
    const times = (rows: readonly Record<string, string>[]) => rows.map((row) => row["_time"]);
    assert.deepEqual(times(oldest.rows), times(newest.rows).reverse(), `SEED=${seed}`);
    const paged = await pagesOf(request, () => 1 + prng.below(9));
    assert.deepEqual(paged, oldest.rows, `SEED=${seed}`);
  }
});

/** Records of few times and streams, several an entry, numbered in the order in which they were stored. */
function tiedRecords(count: number): TestRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    time: { ms: 1_000 + Math.floor(i / 700), ns: 0 },
    stream: `{s="${i % 3}"}`,
    shard: 0,
    position: Math.floor(i / 50),
    fields: { _msg: String(i), level: i % 2 === 0 ? "a" : "b" },
  }));
}

function storeIn(records: readonly TestRecord[], blockRows: number, partBlocks: number) {
  const store = new MemoryStore();
  const step = blockRows * partBlocks;
  for (let at = 0; at < records.length; at += step) {
    const part = records.slice(at, at + step);
    const blocks = Math.ceil(part.length / blockRows);
    store.add(
      Array.from({ length: blocks }, (_, i) =>
        blockOf(part.slice(i * blockRows, (i + 1) * blockRows), new Prng(i)),
      ),
    );
  }
  return store;
}

for (const oldestFirst of [false, true]) {
  const name = oldestFirst ? "oldest" : "newest";
  test(`pages of 7 of equal times give each record once, the ${name} first, while what holds them is merged`, async () => {
    const records = tiedRecords(2_100);
    // One entry never lies in two parts, so parts are whole entries.
    const layouts = [storeIn(records, 50, 1), storeIn(records, 50, 7), storeIn(records, 400, 99)];
    const whole = await collectAnswer(requestOf(layouts[0] as MemoryStore, "*", { oldestFirst }));
    assert.equal(new Set(whole.rows.map((row) => row["_msg"])).size, records.length);
    const paged: Record<string, string>[] = [];
    let cursor: string | undefined;
    for (let page = 0; page === 0 || cursor !== undefined; page++) {
      const store = layouts[page % layouts.length] as MemoryStore;
      const answer = await collectAnswer(requestOf(store, "*", { oldestFirst, limit: 7, cursor }));
      paged.push(...answer.rows);
      cursor = answer.summary.cursor;
    }
    assert.deepEqual(
      paged.map((row) => row["_msg"]),
      whole.rows.map((row) => row["_msg"]),
    );
  });
}

for (const text of [
  "* | stats by (_msg) count() n",
  "* | stats by (_msg) count() n | sort by (n)",
  "* | uniq by (_msg, level)",
  "* | field_values _msg",
  "* | sort by (_msg desc)",
  "* | top 500 by (_msg)",
]) {
  test(`pages of ${text} together are its answer`, async () => {
    const store = storeIn(tiedRecords(300), 50, 1);
    const whole = await collectAnswer(requestOf(store, text));
    const paged = await pagesOf(requestOf(store, text), () => 7);
    const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
    assert.deepEqual(sorted(paged), sorted(whole.rows));
    assert.deepEqual(paged, await pagesOf(requestOf(store, text), () => 70));
  });
}

test("an answer left in the middle goes on after the rows that it gave out", async () => {
  const records = tiedRecords(2_000).map((record) => ({
    ...record,
    fields: { ...record.fields, text: "x".repeat(500) },
  }));
  const store = storeIn(records, 400, 1);
  const seen: (string | undefined)[] = [];
  let cursor: string | undefined;
  let isWhole = false;
  while (!isWhole) {
    const answer = await runQuery(requestOf(store, "*", { oldestFirst: true, cursor }));
    isWhole = true;
    for await (const batch of answer.rows) {
      seen.push(...recordsOf(batch).map((row) => row["_msg"]));
      cursor = answer.cursor();
      isWhole = seen.length >= records.length;
      break;
    }
  }
  const whole = await collectAnswer(requestOf(store, "*", { oldestFirst: true }));
  assert.deepEqual(
    seen,
    whole.rows.map((row) => row["_msg"]),
  );
});

test("a cursor that is damaged, cut or of another question is refused", async () => {
  const store = storeIn(tiedRecords(100), 50, 1);
  const { summary } = await collectAnswer(requestOf(store, "*", { limit: 7, asOfMs: 5 }));
  const cursor = summary.cursor as string;
  assert.equal(decodeCursor(cursor).asOfMs, 5);
  const refused = (request: QueryRequest) =>
    assert.rejects(runQuery(request), failsWith("query.cursor"));
  for (let at = 0; at < cursor.length; at++) {
    const other = cursor[at] === "A" ? "B" : "A";
    const damaged = cursor.slice(0, at) + other + cursor.slice(at + 1);
    await refused(requestOf(store, "*", { cursor: damaged }));
  }
  for (const text of ["", "x", cursor.slice(0, -1), `${cursor}A`, "bm9uc2Vuc2U"])
    await refused(requestOf(store, "*", { cursor: text }));
  await refused(requestOf(store, "level:a", { cursor }));
  await refused(requestOf(store, "* | limit 50", { cursor }));
  await refused(requestOf(store, "*", { cursor, tenant: "u" }));
  await refused(requestOf(store, "*", { cursor, oldestFirst: true }));
});

test("what is sorted or aggregated has no oldest record", async () => {
  const store = storeIn(tiedRecords(10), 50, 1);
  for (const text of ["* | count()", "* | sort by (level)", "* | sort by (_time desc)"]) {
    const request = requestOf(store, text, { oldestFirst: true });
    await assert.rejects(runQuery(request), failsWith("query.invalid"));
  }
});
