import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AlertEntry } from "../../alerts/src/entry.ts";
import { until } from "../../cluster/test/given.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { collectAnswer } from "../../query/src/engine/questions.ts";
import { journalTenant, StoreJournal } from "../src/alerts/journal.ts";
import { storeSource, workerFragments } from "../src/asking.ts";
import { parseQuestion } from "../src/question.ts";
import { openGiven, openStoreGiven, type StoreGiven, ship } from "./store-given.ts";

let base: Awaited<ReturnType<typeof openGiven>>;
let node: StoreGiven;
let journal: StoreJournal;
const clock = { ...systemClock, offsetMs: 0, now: () => Date.now() + clock.offsetMs };

async function open(): Promise<void> {
  // Records go sooner than the journal may.
  node = await openStoreGiven(base.given, base.folder, { clock, retention: { days: 0.5 } });
  journal = openJournal();
}

function openJournal(): StoreJournal {
  const { store, arena } = node.stored;
  const { reading, shardCount } = node;
  return new StoreJournal({ store, arena, reading, shardCount, clock, logger: silentLogger });
}

async function reopen(): Promise<void> {
  await journal.close();
  await node.close();
  await open();
}

before(async () => {
  base = await openGiven();
  await open();
});

after(async () => {
  await journal.close();
  await node.close();
  await base.close();
});

function entryOf(number: number, text = ""): AlertEntry {
  return {
    kind: "done",
    epoch: 1,
    atMs: number,
    tenant: "default",
    outboxId: `o${number}`,
    outcome: "refused",
    attempts: 1,
    reason: text,
  };
}

async function numbers(): Promise<number[]> {
  const found: number[] = [];
  for await (const entry of journal.read()) found.push(entry.atMs);
  return found;
}

async function ask(tenant: string, query: string): Promise<number> {
  const { store, pool } = node.stored;
  const { rows } = await collectAnswer({
    source: storeSource(store),
    pool: workerFragments(pool, store),
    tenant,
    query: parseQuestion(`${query} | stats count() n`, Date.now()),
    range: { from: { ms: 0, ns: 0 }, to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 } },
  });
  return Number(rows[0]?.["n"]);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test("a new journal has no entries", async () => {
  assert.deepEqual(await numbers(), []);
});

test("entries come back whole in the order of their appends, over restarts, seals and a clock that goes back", async () => {
  const appends = upTo(50).map((i) => journal.append([entryOf(2 * i), entryOf(2 * i + 1, "ü\n€")]));
  await Promise.all(appends);
  assert.deepEqual(await numbers(), upTo(100));
  await node.stored.store.seal();
  // Into an earlier span, where the next entries must not come to lie.
  clock.offsetMs = -3 * 60 * 60 * 1000;
  await journal.append(upTo(20).map((i) => entryOf(100 + i)));
  assert.deepEqual(await numbers(), upTo(120));
  await reopen();
  await journal.append([entryOf(120)]);
  assert.deepEqual(await numbers(), upTo(121));
  clock.offsetMs = 2 * 60 * 60 * 1000;
  await journal.append([entryOf(121)]);
  await node.stored.store.seal();
  await journal.append([entryOf(122)]);
  await reopen();
  assert.deepEqual(await numbers(), upTo(123));
  clock.offsetMs = 0;
});

test("an append that is long is kept whole, many entries too", async () => {
  const lines = JSON.stringify(upTo(2000).map((i) => ({ _msg: `request ${i} failed`, n: `${i}` })));
  const long = lines.repeat(60);
  assert.ok(long.length > 4 * 1024 * 1024);
  await journal.append([entryOf(123, long), entryOf(124)]);
  await journal.append(upTo(9000).map((i) => entryOf(125 + i)));
  await journal.append([entryOf(9125)]);
  const found: AlertEntry[] = [];
  for await (const entry of journal.read()) found.push(entry);
  assert.deepEqual(found.slice(123, 125), [entryOf(123, long), entryOf(124)]);
  assert.deepEqual(
    found.map(({ atMs }) => atMs),
    upTo(9126),
  );
});

test("an append that is too long is refused with its size, and harms none beside it", async () => {
  const beside = journal.append([entryOf(9126)]);
  const tooLong = journal.append([entryOf(0, "x".repeat(33 * 1024 * 1024))]);
  const behind = journal.append([entryOf(9127)]);
  await assert.rejects(tooLong, { code: "alerts.invalid-rule" });
  await Promise.all([beside, behind]);
  assert.deepEqual((await numbers()).slice(-2), [9126, 9127]);
});

test("no tenant's question shows what the journal holds, and its own tenant's only by the stream's name", async () => {
  assert.equal(await ask("default", '{stream="_alerts"}'), 0);
  assert.equal(await ask("default", "*"), 0);
  assert.equal(await ask(journalTenant, "*"), 0);
  assert.ok((await ask(journalTenant, '{stream="_alerts"}')) > 100);
});

test("the journal is kept for a fortnight, however soon records go, and none of them for its sake", async () => {
  const { store } = node.stored;
  // Into the journal's own shard among others.
  await ship(
    node,
    "default",
    upTo(64).map((i) => ({ service: `s${i}`, _msg: "x" })),
  );
  await journal.append([entryOf(9128)]);
  await store.seal();
  assert.equal(await ask("default", "*"), 64);
  const dayMs = 24 * 60 * 60 * 1000;
  // What a merge has just replaced goes the next time.
  clock.offsetMs = 13 * dayMs;
  await until(async () => {
    await store.retain();
    return (await ask("default", "*")) === 0;
  });
  assert.deepEqual((await numbers()).slice(-2), [9127, 9128]);
  clock.offsetMs = 15 * dayMs;
  await until(async () => {
    await store.retain();
    return (await numbers()).length === 0;
  });
  clock.offsetMs = 0;
});
