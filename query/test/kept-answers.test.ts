import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { FragmentHost } from "../src/engine/fragment-host.ts";
import { KeptAnswers } from "../src/engine/kept-answers.ts";
import { collectAnswer } from "../src/engine/questions.ts";
import type { Query } from "../src/language/ast.ts";
import { parseQuery } from "../src/language/parse.ts";
import { createGatherPipe } from "../src/pipe/create.ts";
import { splitQuery } from "../src/plan/split.ts";
import type { TimeRange } from "../src/source.ts";
import { encodeNdjson } from "../src/table/ndjson.ts";
import { LocalPool, type MemoryStore, storeOf } from "./engine-blocks.ts";
import { drawRecords } from "./engine-draw.ts";

const allTime: TimeRange = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };
const counted = parseQuery("* | stats by (level) count() n, max(took) m | sort by (level)");

function drawnStore(seed: number): MemoryStore {
  const prng = new Prng(seed);
  return storeOf(drawRecords(prng, 200), prng);
}

async function ask(store: MemoryStore, pool: KeptAnswers, query: Query, range = allTime) {
  const asked = await collectAnswer({ source: store, pool, tenant: "t", query, range });
  return asked.rows;
}

test("a question that comes again reads no part that never changes", async () => {
  const store = drawnStore(1);
  const pool = new KeptAnswers(new LocalPool(store), 1 << 20);
  const first = await ask(store, pool, counted);
  const { read } = store.counts;
  assert.ok(read > 0);
  assert.deepEqual(await ask(store, pool, counted), first);
  assert.equal(store.counts.read, read);
  await ask(store, pool, parseQuery("error | stats count() n"));
  assert.ok(store.counts.read > read, "another question reads");
});

test("a range that moves reads only the parts at its ends again", async () => {
  const store = drawnStore(2);
  const pool = new KeptAnswers(new LocalPool(store), 1 << 20);
  await ask(store, pool, counted);
  const { read } = store.counts;
  const all = (await store.open()).parts;
  const from = { ms: 1_700_000_000_000 + 20 * 61_000, ns: 0 };
  const range = { from, to: allTime.to };
  const plain = new LocalPool(store);
  const expected = await collectAnswer({
    source: store,
    pool: plain,
    tenant: "t",
    query: counted,
    range,
  });
  const before = store.counts.read;
  assert.deepEqual(await ask(store, pool, counted, range), expected.rows);
  const cut = all.filter(({ timeMin }) => timeMin.ms < from.ms).length;
  assert.equal(store.counts.read - before, cut);
  assert.ok(read >= cut);
});

test("numbers drawn anew in each question are not kept", async () => {
  const store = drawnStore(3);
  const pool = new KeptAnswers(new LocalPool(store), 1 << 20);
  const query: Query = {
    filter: { kind: "any" },
    pipes: [
      { kind: "copy", pairs: [{ from: "app", to: "rand" }] },
      { kind: "uniq", by: ["rand"], hitsAs: "n", limit: undefined },
    ],
  };
  await ask(store, pool, query);
  const { read } = store.counts;
  await ask(store, pool, query);
  assert.equal(store.counts.read, 2 * read);
});

test("what is kept stays within its bytes", async () => {
  const store = drawnStore(4);
  const pool = new KeptAnswers(new LocalPool(store), 8_192);
  for (let i = 0; i < 40; i++)
    await ask(store, pool, parseQuery(`took:>${i} | stats by (level) count() n`));
  assert.ok(pool.bytes > 0 && pool.bytes <= 8_192, `${pool.bytes}`);
});

test("the slices of a part together are the part", async () => {
  const store = drawnStore(5);
  const host = new FragmentHost(store);
  const { worker } = splitQuery(counted, { range: allTime, limit: undefined });
  assert.ok(worker.sink.kind === "gather");
  const plan = {
    ...{ ...worker, id: "1", memoryBytesMax: 1e9 },
    cancelled: new SharedArrayBuffer(4),
  };
  const tasksOf: Record<string, (number | undefined)[]> = { whole: [undefined], sliced: [0, 1, 2] };
  const answers = [];
  for (const indices of Object.values(tasksOf)) {
    const gather = createGatherPipe(worker.sink.pipe);
    for (const part of (await store.open()).parts) {
      for (const index of indices) {
        const slice = index === undefined ? undefined : { index, of: indices.length };
        const message = host.run(plan, { part, after: undefined, floorMs: undefined, slice });
        assert.ok(message.kind === "done" && message.answer.kind === "gather");
        gather.merge(message.answer.partial);
      }
    }
    const { view, rows } = gather.finish();
    answers.push(encodeNdjson(view, rows).bytes.toString().split("\n").sort());
  }
  assert.deepEqual(answers[0], answers[1]);
});
