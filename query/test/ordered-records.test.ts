// Goal: records come in order, each once, however a part is cut into pieces of work, and no more is read or kept than need be.
import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { FragmentHost } from "../src/engine/fragment-host.ts";
import { KeptRecords } from "../src/engine/kept-records.ts";
import { OrderedRecords } from "../src/engine/ordered-records.ts";
import { collectAnswer } from "../src/engine/questions.ts";
import { parseQuery } from "../src/language/parse.ts";
import { type RecordLimits, recordLimits } from "../src/limits.ts";
import { allRows } from "../src/pipe/pipe.ts";
import type { PlanMessage } from "../src/plan/plan.ts";
import { splitQuery } from "../src/plan/split.ts";
import type { Part } from "../src/source.ts";
import { View } from "../src/table/view.ts";
import { blockOf, drawLimits, LocalPool, MemoryStore, type TestRecord } from "./engine-blocks.ts";
import { evaluate } from "./engine-naive.ts";

const rounds = Number(process.env["LOGKEEP_TEST_ROUNDS"] ?? 60);
const range = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };

/** Many records of few times, as where the time is that of a shipper's request. */
function tied(prng: Prng, count: number): TestRecord[] {
  const times = 1 + prng.below(6);
  const long = "x".repeat(prng.below(60));
  return Array.from({ length: count }, (_, i) => ({
    time: { ms: 1_000 + Math.floor((i * times) / count), ns: prng.chance(0.1) ? prng.below(3) : 0 },
    stream: `{s="${prng.below(5)}"}`,
    shard: 0,
    position: i,
    fields: { _msg: `${i} ${long}`, ...(prng.chance(0.2) ? { level: "error" } : {}) },
  }));
}

function storeIn(records: readonly TestRecord[], blockRows: number, prng: Prng): MemoryStore {
  const store = new MemoryStore();
  const blocks = Math.ceil(records.length / blockRows);
  store.add(
    Array.from({ length: blocks }, (_, i) =>
      blockOf(records.slice(i * blockRows, (i + 1) * blockRows), prng),
    ),
  );
  return store;
}

test("records of equal times come in order and each once, however small the pieces of work are", async () => {
  for (let seed = 1; seed <= rounds; seed++) {
    const prng = new Prng(seed);
    const records = tied(prng, 20 + prng.below(300));
    const store = storeIn(records, 1 + prng.below(50), prng);
    const query = parseQuery(prng.chance(0.3) ? "level:=error" : "*");
    const limits = drawLimits(prng);
    const oldestFirst = prng.chance(0.5);
    const limit = prng.chance(0.3) ? prng.below(records.length) : undefined;
    const pool = new LocalPool(store, limits);
    const asked = { source: store, pool, tenant: "t", query, range, oldestFirst, limit };
    const { rows } = await collectAnswer(asked);
    const newest = evaluate(query, records);
    const expected = (oldestFirst ? newest.toReversed() : newest).slice(0, limit);
    assert.deepEqual(rows, expected, `SEED=${seed} ${JSON.stringify({ limits, limit })}`);
  }
});

interface Asked {
  readonly host: FragmentHost;
  readonly part: Part;
  readonly plan: PlanMessage;
}

async function asked(store: MemoryStore, limits: Partial<RecordLimits>): Promise<Asked> {
  const { worker } = splitQuery(parseQuery("*"), { range, limit: undefined });
  const cancelled = new SharedArrayBuffer(4);
  const [part] = (await store.open()).parts;
  assert.ok(part !== undefined);
  return {
    host: new FragmentHost(store, { ...recordLimits, ...limits }),
    part,
    plan: { ...worker, id: "q", memoryBytesMax: 1e9, cancelled },
  };
}

test("a part is read once for all chunks of what a turn brings into order", async () => {
  const prng = new Prng(2);
  const store = storeIn(tied(prng, 5_000), 1_000, prng);
  const pool = { size: 1 };
  const { host } = await asked(store, { chunkRows: 100 });
  const run = (plan: PlanMessage, task: Parameters<FragmentHost["run"]>[1]) =>
    Promise.resolve(host.run(plan, task));
  const { rows } = await collectAnswer({
    source: store,
    pool: { ...pool, run },
    tenant: "t",
    query: parseQuery("*"),
    range,
  });
  assert.equal(rows.length, 5_000);
  assert.equal(store.counts.read, 1);
});

test("what is looked at for one answer is bounded by its bytes, and the rest of the part is told of", async () => {
  const prng = new Prng(3);
  const records = tied(prng, 2_000).map((record, i) => ({
    ...record,
    time: { ms: 1_000 + i, ns: 0 },
  }));
  const store = storeIn(records, 100, prng);
  // A block of 100 rows says that it has 10,000 bytes.
  const { host, part, plan } = await asked(store, { orderedBytes: 25_000, fewRows: 10 });
  const message = host.run(plan, { part, after: undefined, floorMs: undefined });
  assert.ok(message.kind === "done" && message.answer.kind === "records");
  assert.equal(message.scanned.blocks, 3);
  // Of the last block none is certain to come before the next one's until that has been looked at, but for its time.
  assert.equal(message.answer.chunk.ms.length, 300);
  assert.equal(message.answer.chunk.more, true);
});

test("rows kept between two chunks stay within their bytes, and go with their query", () => {
  const prng = new Prng(4);
  const view = View.records(blockOf(tied(prng, 100), prng));
  const rows = { views: [view], viewOf: new Uint32Array(100), rows: allRows(100) };
  const recordsOf = () =>
    new OrderedRecords(
      { rows, from: 0, end: 100, more: false },
      { ...recordLimits, chunkRows: 10 },
    );
  const { byteSize } = recordsOf();
  const kept = new KeptRecords(byteSize * 2);
  const flags = [new Int32Array(1), new Int32Array(1), new Int32Array(1)] as const;
  const chunks = flags.map((flag) => kept.next(recordsOf(), flag));
  assert.equal(kept.bytes, byteSize * 2);
  const [first, second, third] = chunks.map(({ rest }) => rest ?? "");
  assert.equal(kept.take(first ?? ""), undefined);
  flags[1][0] = 1;
  kept.dropEnded();
  assert.equal(kept.take(second ?? ""), undefined);
  assert.equal(kept.bytes, byteSize);
  const left = kept.take(third ?? "");
  assert.ok(left !== undefined);
  assert.equal(kept.bytes, 0);
  assert.deepEqual(kept.take(third ?? ""), undefined);
  assert.equal(kept.next(left, flags[2]).ms.length, 10);
});
