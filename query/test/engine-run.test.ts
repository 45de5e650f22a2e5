import assert from "node:assert/strict";
import test from "node:test";
import type { Block } from "../../kit/src/block.ts";
import { type ErrorCode, ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import { csvBody, jsonBody, ndjsonBody, recordsOf } from "../src/engine/encode.ts";
import { collectAnswer } from "../src/engine/questions.ts";
import { type QueryRequest, runQuery } from "../src/engine/run.ts";
import type { FilterNode, PipeNode } from "../src/language/ast.ts";
import { blockOf, LocalPool, MemoryStore, storeOf, type TestRecord } from "./engine-blocks.ts";
import { drawRecords } from "./engine-draw.ts";
import { evaluate } from "./engine-naive.ts";

const any: FilterNode = { kind: "any" };
const allTime = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };
const countAll: PipeNode = {
  kind: "stats",
  by: [],
  functions: [
    { name: "count", args: [], phi: undefined, limit: undefined, filter: undefined, as: "n" },
  ],
};

function requestOf(
  store: MemoryStore,
  pipes: readonly PipeNode[],
  more: Partial<QueryRequest> = {},
) {
  const pool = new LocalPool(store);
  const query = { filter: any, pipes };
  return { source: store, tenant: "t", query, range: allTime, ...more, pool };
}

/** Records a second apart, a part of ten each. */
function tidyStore(parts: number): { store: MemoryStore; records: TestRecord[] } {
  const prng = new Prng(7);
  const store = new MemoryStore();
  const records: TestRecord[] = [];
  for (let part = 0; part < parts; part++) {
    const own = Array.from({ length: 10 }, (_, i) => ({
      time: { ms: (part * 10 + i) * 1000, ns: 0 },
      stream: "{}",
      shard: 0,
      position: part,
      fields: { _msg: `m${part * 10 + i}` },
    }));
    records.push(...own);
    store.add([blockOf(own, prng)]);
  }
  return { store, records };
}

async function drained<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function failsWith(code: ErrorCode) {
  return (thrown: unknown) => thrown instanceof ServiceError && thrown.code === code;
}

test("a limit reads the newest parts only", async () => {
  const { store } = tidyStore(50);
  const { rows, summary } = await collectAnswer(requestOf(store, [], { limit: 15 }));
  assert.deepEqual(
    rows.map((row) => row["_msg"]),
    Array.from({ length: 15 }, (_, i) => `m${499 - i}`),
  );
  assert.ok(store.counts.read <= 4, `${store.counts.read} parts were read`);
  assert.equal(summary.limited, true);
});

test("a limit looks at the newest blocks of a part only", async () => {
  const { records } = tidyStore(20);
  const store = new MemoryStore();
  const blocks = Array.from({ length: 20 }, (_, i) =>
    blockOf(records.slice(i * 10, i * 10 + 10), new Prng(i)),
  );
  store.add(blocks);
  const { rows, summary } = await collectAnswer(requestOf(store, [], { limit: 15 }));
  assert.equal(rows.length, 15);
  assert.equal(summary.scanned.blocks, 2);
});

test("streams of our own are seen only by who asks for them", async () => {
  const { store, records } = tidyStore(1);
  const own = records.map((record) => ({ ...record, stream: '{stream="_rejected"}' }));
  store.add([blockOf(own, new Prng(1))], 0, true);
  assert.deepEqual((await collectAnswer(requestOf(store, [countAll]))).rows, [{ n: "10" }]);
  const filter: FilterNode = { kind: "exact", field: "_stream", value: '{stream="_rejected"}' };
  const request = { ...requestOf(store, []), query: { filter, pipes: [countAll] } };
  assert.deepEqual((await collectAnswer(request)).rows, [{ n: "10" }]);
});

test("a limit that is just met is not told as cut", async () => {
  const { store } = tidyStore(2);
  assert.equal((await collectAnswer(requestOf(store, [], { limit: 20 }))).summary.limited, false);
  assert.equal((await collectAnswer(requestOf(store, [], { limit: 19 }))).summary.limited, true);
});

test("pages by cursor together are the whole answer, equal times and offsets included", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const prng = new Prng(seed);
    const store = storeOf(drawRecords(prng, 80), prng);
    const pipes: PipeNode[] = [
      { kind: "offset", count: 3 },
      { kind: "limit", count: 60 },
    ];
    const whole = await collectAnswer(requestOf(store, pipes));
    const paged: unknown[] = [];
    let cursor: string | undefined;
    do {
      const limit = 1 + prng.below(9);
      const page = await collectAnswer(requestOf(store, pipes, { limit, cursor }));
      paged.push(...page.rows);
      cursor = page.summary.cursor;
    } while (cursor !== undefined);
    assert.deepEqual(paged, whole.rows, `SEED=${seed}`);
  }
});

test("a long part is answered chunk by chunk in order", async () => {
  const prng = new Prng(3);
  const records = Array.from({ length: 40_000 }, (_, i) => ({
    time: { ms: prng.below(1000), ns: 0 },
    stream: "{}",
    shard: 0,
    position: i,
    fields: { _msg: `m${i}` },
  }));
  const store = new MemoryStore();
  store.add([blockOf(records, prng)]);
  const { rows } = await collectAnswer(requestOf(store, []));
  assert.deepEqual(rows, evaluate({ filter: any, pipes: [] }, records));
});

test("the range's start is in it and its end is not", async () => {
  const { store } = tidyStore(3);
  const range = { from: { ms: 5000, ns: 0 }, to: { ms: 25_000, ns: 0 } };
  const { rows } = await collectAnswer(requestOf(store, [countAll], { range }));
  assert.deepEqual(rows, [{ n: "20" }]);
});

test("a state beyond the memory bound ends the query with its own code", async () => {
  const prng = new Prng(5);
  const store = storeOf(drawRecords(prng, 3000), prng);
  const by = [{ field: "trace", bucket: undefined }];
  const request = requestOf(store, [{ ...countAll, by }], { memoryBytesMax: 10_000 });
  const answer = await runQuery(request);
  await assert.rejects(drained(answer.rows), failsWith("query.memory"));
  assert.equal(answer.summary().status, "error");
  assert.equal(answer.summary().code, "query.memory");
  assert.equal(store.counts.released, 1);
});

test("a query that was cancelled stops handing out parts and releases its cut", async () => {
  const { store } = tidyStore(50);
  const controller = new AbortController();
  const request = requestOf(store, [countAll], { signal: controller.signal });
  request.pool.onRun = () => {
    if (store.counts.read === 4) controller.abort();
  };
  const answer = await runQuery(request);
  await assert.rejects(drained(answer.rows), failsWith("query.cancelled"));
  assert.ok(store.counts.read < 8, `${store.counts.read} parts were read`);
  assert.equal(store.counts.released, 1);
});

test("a caller that leaves early releases the cut", async () => {
  const { store } = tidyStore(50);
  const answer = await runQuery(requestOf(store, []));
  for await (const batch of answer.rows) {
    assert.ok(batch.rows > 0);
    break;
  }
  assert.equal(store.counts.released, 1);
});

test("a query whose rows nobody asks for lets its cut go when its caller is gone", async () => {
  const { store } = tidyStore(2);
  const controller = new AbortController();
  await runQuery(requestOf(store, [], { signal: controller.signal }));
  controller.abort();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(store.counts.released, 1);
});

test("a query that takes too long reaches its deadline", async () => {
  const { store } = tidyStore(5);
  const request = requestOf(store, [countAll], { timeoutMs: 20 });
  request.pool.run = () =>
    new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 60));
  const answer = await runQuery(request);
  await assert.rejects(drained(answer.rows), failsWith("query.timeout"));
});

test("shards without an owner make an answer partial, or an error where that is denied", async () => {
  const { store } = tidyStore(2);
  store.missing = ["shard-3"];
  const { summary } = await collectAnswer(requestOf(store, [countAll]));
  assert.equal(summary.status, "partial");
  assert.deepEqual(summary.missing, ["shard-3"]);
  const denied = runQuery(requestOf(store, [countAll], { partial: "deny" }));
  await assert.rejects(denied, failsWith("query.partial"));
  assert.equal(store.counts.released, store.counts.opened);
});

/** A block whose column `_msg` is damaged. */
function damagedBlock(block: Block): Block {
  return new Proxy(block, {
    get(target, name) {
      if (name === "column") {
        return (field: string) => {
          if (field !== "_msg") return target.column(field);
          throw new ServiceError("storage.damaged", "a block is damaged", { segment: "s1" });
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("a damaged block is named and the rest of its part is counted once", async () => {
  const { store, records } = tidyStore(2);
  const prng = new Prng(1);
  const blocks = [records.slice(0, 4), records.slice(4, 7), records.slice(7, 10)].map((each) =>
    blockOf(each, prng),
  );
  store.add([blocks[0] as Block, damagedBlock(blocks[1] as Block), blocks[2] as Block]);
  const functions = [countAll.kind === "stats" ? countAll.functions : []].flat();
  const uniq = {
    ...functions[0],
    name: "count_uniq",
    args: ["_msg"],
    as: "u",
  } as (typeof functions)[0];
  const pipe: PipeNode = { kind: "stats", by: [], functions: [...functions, uniq] };
  const { rows, summary } = await collectAnswer(requestOf(store, [pipe]));
  assert.deepEqual(rows, [{ n: "27", u: "20" }]);
  assert.equal(summary.status, "partial");
  assert.deepEqual(summary.missing, ["a block is damaged segment=s1"]);
  const denied = await runQuery(requestOf(store, [pipe], { partial: "deny" }));
  await assert.rejects(drained(denied.rows), failsWith("query.partial"));
});

test("a damaged block among records is named and the others are answered", async () => {
  const { store, records } = tidyStore(2);
  store.add([damagedBlock(blockOf(records.slice(0, 4), new Prng(1)))]);
  const { rows, summary } = await collectAnswer(requestOf(store, []));
  assert.equal(rows.length, 20);
  assert.equal(summary.status, "partial");
});

test("what cannot be run is told before anything is read", async () => {
  const { store } = tidyStore(1);
  const step = { kind: "time", step: { ms: 1, ns: 5 }, offset: { ms: 0, ns: 0 } } as const;
  const pipe = { ...countAll, by: [{ field: "_time", bucket: step }] } as PipeNode;
  await assert.rejects(runQuery(requestOf(store, [pipe])), failsWith("query.invalid"));
  const cursor = "bm9uc2Vuc2U";
  await assert.rejects(runQuery(requestOf(store, [], { cursor })), failsWith("query.cursor"));
  assert.equal(store.counts.opened, 0);
});

test("answers are encoded as lines, as one document and as CSV", async () => {
  const { store } = tidyStore(1);
  const fields = { kind: "fields", fields: [{ name: "_msg", prefix: false }] } as const;
  const request = requestOf(store, [fields, { kind: "limit", count: 2 }]);
  const bodyOf = async (body: AsyncIterable<Uint8Array>) =>
    Buffer.concat(await drained(body)).toString();
  const lines = await runQuery(request);
  assert.equal(
    await bodyOf(ndjsonBody(lines.rows, () => ({ _summary: lines.summary().status }))),
    '{"_msg":"m9"}\n{"_msg":"m8"}\n{"_summary":"complete"}\n',
  );
  const document = await runQuery(request);
  assert.deepEqual(JSON.parse(await bodyOf(jsonBody(document.rows, () => ({ a: 1 })))), {
    records: [{ _msg: "m9" }, { _msg: "m8" }],
    summary: { a: 1 },
  });
  const none = await runQuery(requestOf(store, [], { limit: 0 }));
  assert.equal(await bodyOf(jsonBody(none.rows, () => ({}))), '{"records":[],"summary":{}}\n');
  const csv = await runQuery(request);
  assert.equal(await bodyOf(csvBody(csv.rows, ["_msg", "x"])), "_msg,x\r\nm9,\r\nm8,\r\n");
  const wide = await runQuery(request);
  assert.equal(await bodyOf(csvBody(wide.rows, undefined)), "_msg\r\nm9\r\nm8\r\n");
});

test("CSV quotes what needs quotes", async () => {
  const bytes = Buffer.from(`${JSON.stringify({ a: 'x,"y"\n', constructor: "c" })}\n{}\n`);
  assert.equal(recordsOf({ rows: 2, bytes }).length, 2);
  const rows = (async function* () {
    yield { rows: 2, bytes };
  })();
  const body = Buffer.concat(await drained(csvBody(rows, undefined))).toString();
  assert.equal(body, 'a,constructor\r\n"x,""y""\n",c\r\n,\r\n');
});
