// Goal: matches are counted once each, whatever breaks off between commit and count.
// Method: a seed draws commits, seals, breaks and entries that could not be matched; what is taken by a progress that was kept
// adds up to what was stored; SEED=<n> replays.
import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import type { FilterNode, Query } from "../src/language/ast.ts";
import { replayMatches } from "../src/tail/match-replay.ts";
import type { MatchSubscription } from "../src/tail/match-subscription.ts";
import { TailHub } from "../src/tail/tail-hub.ts";
import { TailMatcher } from "../src/tail/tail-matcher.ts";
import { blockOf, LocalPool, MemoryStore, type TestRecord } from "./engine-blocks.ts";

const firstSeed = Number(process.env["SEED"] ?? 1);
const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 60);
const lastSeed = process.env["SEED"] === undefined ? seeds : firstSeed;
const wanted: FilterNode = { kind: "exact", field: "level", value: "error" };
const query: Query = { filter: wanted, pipes: [] };
const shards = [0, 1, 5];

/** A node in small, whose entries may be matched live or not. */
class Node {
  readonly hub = new TailHub();
  readonly records: TestRecord[] = [];
  readonly #matcher = new TailMatcher();
  readonly #prng: Prng;
  readonly #positions = new Map(shards.map((shard) => [shard, -1]));
  #number = 0;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  get expected(): number {
    return this.records.filter(({ fields }) => fields["level"] === "error").length;
  }

  commit(isMatched = true): void {
    const prng = this.#prng;
    const shard = prng.pick(shards);
    const position = (this.#positions.get(shard) as number) + 1 + prng.below(3);
    const entry = Array.from({ length: 1 + prng.below(5) }, () => ({
      time: { ms: 1000 + this.#number, ns: 0 },
      stream: `{s="${shard}-${prng.below(2)}"}`,
      shard,
      position,
      fields: { level: prng.pick(["error", "info"]), n: String(this.#number++) },
    }));
    this.records.push(...entry);
    this.#positions.set(shard, position);
    const at = { tenant: "t", shard, position };
    if (!isMatched) this.hub.missed(at);
    else {
      const found = this.#matcher.match(blockOf(entry, prng), this.hub.plansOf("t")?.plans ?? []);
      this.hub.offer(at, structuredClone(found));
    }
  }

  async watch(progress: string | undefined, keep: number): Promise<MatchSubscription> {
    const positions = new Map(this.#positions);
    const subscription = this.hub.watch({
      ...{ tenant: "t", query, positions, progress, keep, linesBytesMax: 10_000 },
    });
    // Commits go on while the gaps are read.
    for (let i = this.#prng.below(3); i > 0; i--) this.commit();
    const store = new MemoryStore();
    for (const shard of shards) {
      const own = this.records.filter((record) => record.shard === shard);
      if (own.length > 0) store.add([blockOf(own, this.#prng)], shard);
    }
    await replayMatches(subscription, {
      source: store,
      pool: new LocalPool(store),
      range: { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } },
      signal: new AbortController().signal,
      onMissing: () => assert.fail("nothing is missing"),
      timeoutMs: 10_000,
      keep,
    });
    return subscription;
  }
}

const numberOf = (line: Uint8Array): number =>
  Number((JSON.parse(Buffer.from(line).toString()) as { n: string }).n);

test("each match is counted once, over breaks and entries that could not be matched", async () => {
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const prng = new Prng(seed);
    const node = new Node(prng);
    const keep = prng.below(4);
    let counted = 0;
    let progress: string | undefined;
    let subscription = await node.watch(undefined, keep);
    // What came before the first progress was taken is nobody's: it begins there.
    const again = async (): Promise<void> => {
      node.hub.unwatch(subscription);
      for (let i = prng.below(4); i > 0; i--) node.commit();
      subscription = await node.watch(progress, keep);
    };
    const take = (): void => {
      const batch = subscription.take();
      if (batch === undefined) return;
      progress = batch.progress;
      counted += batch.count;
      assert.ok(batch.lines.length <= Math.min(keep, batch.count), `SEED=${seed}`);
      if (keep > 0 && batch.count > 0) assert.ok(batch.lines.length > 0, `SEED=${seed}`);
    };
    take();
    const before = node.expected - counted;
    for (let turn = 0; turn < 60; turn++) {
      const deed = prng.below(10);
      if (deed < 6) node.commit();
      else if (deed === 6) node.commit(false);
      else if (deed === 7) await again();
      else take();
      if (subscription.isBroken) await again();
    }
    if (subscription.isBroken) await again();
    take();
    assert.equal(counted + before, node.expected, `SEED=${seed}`);
  }
});

test("the lines of a batch are the newest that came, the newest first", async () => {
  const node = new Node(new Prng(5));
  const subscription = await node.watch(undefined, 3);
  subscription.take();
  for (let i = 0; i < 40; i++) node.commit();
  const errors = node.records.filter(({ fields }) => fields["level"] === "error");
  const batch = subscription.take();
  const newest = errors.slice(-3).map(({ fields }) => Number(fields["n"]));
  assert.deepEqual(batch?.lines.map(numberOf), newest.reverse());
});

test("a watch begun from now has a progress at once, and then none until something moves", async () => {
  const node = new Node(new Prng(6));
  const hub = node.hub;
  const positions = new Map([[0, 7]]);
  const subscription = hub.watch({
    ...{ tenant: "t", query, positions, progress: undefined, keep: 1, linesBytesMax: 1 },
  });
  assert.equal(subscription.take()?.count, 0);
  assert.equal(subscription.take(), undefined);
  hub.offer({ tenant: "t", shard: 0, position: 8 }, new Map());
  assert.equal(subscription.hasMatches, false);
  assert.equal(subscription.take()?.count, 0);
  hub.offer({ tenant: "other", shard: 0, position: 9 }, new Map());
  assert.equal(subscription.take(), undefined);
});

test("lines that are too long together are left out, the newest is kept", async () => {
  const hub = new TailHub();
  const subscription = hub.watch({
    ...{ tenant: "t", query, positions: new Map(), progress: undefined },
    ...{ keep: 5, linesBytesMax: 100 },
  });
  const matcher = new TailMatcher();
  const entry = { time: { ms: 1, ns: 0 }, stream: "{}", shard: 0, position: 0 };
  const records = [1, 2, 3].map((n) => ({
    ...entry,
    time: { ms: n, ns: 0 },
    fields: { level: "error", n: String(n), text: "x".repeat(200) },
  }));
  const found = matcher.match(blockOf(records, new Prng(1)), hub.plansOf("t")?.plans ?? []);
  hub.offer({ tenant: "t", shard: 0, position: 0 }, found);
  const batch = subscription.take();
  assert.equal(batch?.count, 3);
  assert.deepEqual(batch?.lines.map(numberOf), [3]);
});
