import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AlertRecord, MatchBatch } from "../../alerts/src/ports.ts";
import { until } from "../../cluster/test/given.ts";
import { QueryEvaluator } from "../src/alerts/evaluator.ts";
import { TailMatchSource } from "../src/alerts/match-source.ts";
import { openGiven, openStoreGiven, type StoreGiven, ship } from "./store-given.ts";

let base: Awaited<ReturnType<typeof openGiven>>;
let node: StoreGiven;

before(async () => {
  base = await openGiven();
  node = await openStoreGiven(base.given, base.folder);
});

after(async () => {
  await node.close();
  await base.close();
});

/** Somebody who follows, and what was brought so far. */
class Follower {
  count = 0;
  progress: string | undefined;
  lines: readonly AlertRecord[] = [];
  readonly batches: MatchBatch[] = [];
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;

  constructor(tenant: string, query: string, after?: string) {
    const { signal } = this.#abort;
    const options = { tenant, query, after, linesMax: 3, signal };
    this.#ended = new TailMatchSource(node.tails).follow(options, async (batch) => {
      await sleep(1);
      this.batches.push(batch);
      this.count += batch.count;
      this.progress = batch.progress;
      if (batch.count > 0) this.lines = batch.lines;
    });
  }

  async begun(): Promise<this> {
    await until(() => this.progress !== undefined);
    return this;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#ended;
  }
}

const records = (service: string, from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    _time: Date.now() + i,
    service,
    n: String(from + i),
    level: (from + i) % 2 === 0 ? "error" : "info",
    _msg: `record ${from + i}`,
  }));

test("what is stored is counted once each, live and from a progress on, with the newest lines", async () => {
  const first = await new Follower("a", "level:error").begun();
  for (let i = 0; i < 20; i++) await ship(node, "a", records(`s${i % 5}`, i * 10, 10));
  await until(() => first.count === 100);
  assert.equal(first.lines.length, 3);
  assert.equal(first.lines[0]?.["level"], "error");
  await first.stop();
  // While nobody follows; some of it is sealed, some is in memory.
  await ship(node, "a", records("s1", 200, 100));
  await node.stored.store.seal();
  await ship(node, "a", records("s2", 300, 10));
  const second = new Follower("a", "level:error", first.progress);
  await ship(node, "a", records("s3", 310, 10));
  await until(() => second.count === 60);
  assert.equal(second.batches[0]?.lines[0]?.["n"] !== undefined, true);
  await second.stop();
  const third = await new Follower("a", "level:error", first.progress).begun();
  assert.equal(third.count, 60, "a progress may be used again");
  await third.stop();
  const last = new Follower("a", "level:error", second.progress);
  await ship(node, "a", records("s3", 320, 2));
  await until(() => last.count === 1);
  await last.stop();
});

test("a hundred thousand matches are counted exactly, many rules side by side", async (context) => {
  const followers = await Promise.all(
    Array.from({ length: 5 }, (_, i) => new Follower("b", i === 0 ? "*" : `level:error`).begun()),
  );
  const started = performance.now();
  const batches = Array.from({ length: 20 }, (_, i) => records(`s${i}`, i * 5000, 5000));
  await Promise.all(batches.map((batch) => ship(node, "b", batch)));
  const stored = performance.now();
  await until(() => followers.every(({ count }, i) => count === (i === 0 ? 100_000 : 50_000)));
  const told = performance.now();
  context.diagnostic(`stored in ${stored - started} ms, told ${told - stored} ms after`);
  for (const follower of followers) await follower.stop();
});

test("rules do not count among the tails that clients may have open", async () => {
  const followers = await Promise.all([1, 2, 3].map(() => new Follower("c", "x").begun()));
  const query = { filter: { kind: "any" }, pipes: [] } as const;
  const tails = await Promise.all([1, 2].map(() => node.tails.subscribe("c", query, undefined)));
  await assert.rejects(node.tails.subscribe("c", query, undefined), { code: "query.busy" });
  for (const tail of tails) node.tails.unsubscribe(tail);
  for (const follower of followers) await follower.stop();
});

test("other tenants' records do not match", async () => {
  const follower = await new Follower("d", "*").begun();
  await ship(node, "e", records("s", 0, 10));
  await ship(node, "d", records("s", 0, 3));
  await until(() => follower.count > 0);
  assert.equal(follower.count, 3);
  await follower.stop();
});

test("a query that cannot be followed rejects", async () => {
  const source = new TailMatchSource(node.tails);
  const follow = (query: string, after?: string): Promise<void> =>
    source.follow(
      { tenant: "a", query, after, linesMax: 1, signal: AbortSignal.timeout(5000) },
      () => Promise.resolve(),
    );
  await assert.rejects(follow("* | stats count() n"), { code: "query.invalid" });
  await assert.rejects(follow("* | nonsense"), { code: "query.syntax" });
  await assert.rejects(follow("*", "not an id"), { code: "query.invalid" });
});

test("an evaluation has the rows of its range, relative times count from its end", async () => {
  const evaluator = new QueryEvaluator(node);
  const atMs = Date.UTC(2026, 10, 20, 12);
  const at = (ms: number, n: string) => ({ _time: atMs + ms, service: "s", n, _msg: "x" });
  await ship(node, "f", [
    at(-60_001, "old"),
    at(-60_000, "first"),
    at(-30_000, "mid"),
    at(-1, "last"),
    at(0, "next"),
  ]);
  const { signal } = new AbortController();
  const range = { fromMs: atMs - 60_000, toMs: atMs };
  const [row] = await evaluator.rows("f", "* | stats count() n", range, signal);
  assert.equal(row?.["n"], "3");
  const wide = { fromMs: atMs - 3_600_000, toMs: atMs };
  const [minute] = await evaluator.rows("f", "_time:1m | stats count() n", wide, signal);
  assert.equal(minute?.["n"], "2");
  const lines = await evaluator.lines("f", "*", range, 1, signal);
  assert.deepEqual(
    lines.map(({ n }) => n),
    ["last"],
  );
  assert.deepEqual(await evaluator.lines("f", "*", range, 0, signal), []);
});

test("an evaluation with too many rows, a wrong query or an aborted signal rejects", async () => {
  const evaluator = new QueryEvaluator(node);
  await ship(node, "g", records("s", 0, 12_000));
  const range = { fromMs: 0, toMs: Date.now() + 86_400_000 };
  const { signal } = new AbortController();
  const many = evaluator.rows("g", "* | stats by (n) count() c", range, signal);
  await assert.rejects(many, { code: "query.invalid" });
  await assert.rejects(evaluator.rows("g", "|", range, signal), { code: "query.syntax" });
  const reason = new Error("over");
  await assert.rejects(evaluator.rows("g", "*", range, AbortSignal.abort(reason)), reason);
  const abort = new AbortController();
  const under = evaluator.rows("g", "* | stats by (n) count() c", range, abort.signal);
  abort.abort(reason);
  await assert.rejects(under, reason);
});
