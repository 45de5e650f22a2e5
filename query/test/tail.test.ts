// Goal: a tail that is broken off anywhere and resumed by its last id shows every record of every shard once, in order.
// Method: a seed draws commits, seals, breaks and slow turns; live batches and sealed parts are told to the real hub; SEED=<n> replays.
import assert from "node:assert/strict";
import test from "node:test";
import { type ErrorCode, ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import type { FilterNode, Query } from "../src/language/ast.ts";
import { replayTail } from "../src/tail/replay.ts";
import type { TailSubscription } from "../src/tail/subscription.ts";
import { TailHub } from "../src/tail/tail-hub.ts";
import { decodeTailId, encodeTailId } from "../src/tail/tail-id.ts";
import { TailMatcher } from "../src/tail/tail-matcher.ts";
import { blockOf, LocalPool, MemoryStore, type TestRecord } from "./engine-blocks.ts";

const firstSeed = Number(process.env["SEED"] ?? 1);
const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 60);
const lastSeed = process.env["SEED"] === undefined ? seeds : firstSeed;
const allTime = { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } };
const wanted: FilterNode = { kind: "exact", field: "level", value: "error" };
const query: Query = { filter: wanted, pipes: [] };

function failsWith(code: ErrorCode) {
  return (thrown: unknown) => thrown instanceof ServiceError && thrown.code === code;
}

/** A node in small: three shards, each with committed entries, some sealed. */
class Node {
  readonly hub = new TailHub();
  readonly records: TestRecord[] = [];
  readonly #matcher = new TailMatcher();
  readonly #prng: Prng;
  readonly #positions = new Map([
    [0, -1],
    [1, -1],
    [5, -1],
  ]);
  #entries: TestRecord[][] = [];
  #sealed: TestRecord[] = [];

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  commit(): void {
    const prng = this.#prng;
    const shard = prng.pick([0, 1, 5]);
    const position = (this.#positions.get(shard) as number) + 1 + prng.below(3);
    const entry = Array.from({ length: 1 + prng.below(5) }, (_, i) => ({
      time: { ms: 1000 + prng.below(4), ns: 0 },
      stream: `{s="${shard}-${prng.below(2)}"}`,
      shard,
      position,
      fields: { level: prng.pick(["error", "info"]), n: `${shard}.${position}.${i}` },
    }));
    this.#entries.push(entry);
    this.records.push(...entry);
    this.#positions.set(shard, position);
    const found = this.#matcher.match(blockOf(entry, prng), this.hub.plansOf("t")?.plans ?? []);
    this.hub.offer({ tenant: "t", shard, position }, structuredClone(found));
  }

  /** Everything so far is sorted by stream and time, as a segment is. */
  seal(): void {
    this.#sealed.push(...this.#entries.flat());
    this.#entries = [];
  }

  store(): MemoryStore {
    const store = new MemoryStore();
    for (const shard of this.#positions.keys()) {
      const own = this.#sealed.filter((record) => record.shard === shard);
      const streams = Map.groupBy(own, ({ stream }) => stream);
      for (const records of streams.values()) {
        const sorted = records.toSorted((a, b) => a.time.ms - b.time.ms || a.position - b.position);
        store.add([blockOf(sorted, this.#prng)], shard);
      }
    }
    for (const entry of this.#entries) store.add([blockOf(entry, this.#prng)], entry[0]?.shard);
    return store;
  }

  /** A client's tail, replayed up to now. */
  async connect(lastEventId?: string): Promise<TailSubscription> {
    const subscription = this.hub.subscribe({
      tenant: "t",
      query,
      positions: new Map(this.#positions),
      lastEventId,
    });
    // Commits go on while the replay reads.
    for (let i = this.#prng.below(3); i > 0; i--) this.commit();
    const store = this.store();
    await replayTail(subscription, {
      source: store,
      pool: new LocalPool(store),
      range: allTime,
      signal: new AbortController().signal,
      onMissing: () => assert.fail("nothing is missing"),
      room: () => Promise.resolve(),
    });
    return subscription;
  }
}

/** The records as they must come within each shard. */
function expected(records: readonly TestRecord[], shard: number): string[] {
  return records
    .filter((record) => record.shard === shard && record.fields["level"] === "error")
    .toSorted((a, b) => a.position - b.position)
    .map((record) => record.fields["n"] as string);
}

test("a tail broken off and resumed shows each record once, entry by entry", async () => {
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const prng = new Prng(seed);
    const node = new Node(prng);
    const seen: string[] = [];
    let id: string | undefined;
    let subscription = await node.connect();
    id = subscription.id;
    for (let turn = 0; turn < 60; turn++) {
      const deed = prng.below(10);
      if (deed < 5) node.commit();
      else if (deed === 5) node.seal();
      else if (deed === 6) {
        node.hub.unsubscribe(subscription);
        for (let i = prng.below(4); i > 0; i--) node.commit();
        subscription = await node.connect(id);
      } else {
        for (const event of subscription.take(1 + prng.below(3))) {
          seen.push((JSON.parse(Buffer.from(event.record).toString()) as { n: string }).n);
          id = event.id;
        }
      }
    }
    for (const event of subscription.take(10_000)) {
      seen.push((JSON.parse(Buffer.from(event.record).toString()) as { n: string }).n);
    }
    assert.equal(subscription.dropped, 0);
    for (const shard of [0, 1, 5]) {
      const own = seen.filter((n) => n.startsWith(`${shard}.`));
      assert.deepEqual(new Set(own).size, own.length, `SEED=${seed}: a record came twice`);
      assert.deepEqual(own.toSorted(), expected(node.records, shard).toSorted(), `SEED=${seed}`);
      const positions = own.map((n) => Number(n.split(".")[1]));
      assert.deepEqual(
        positions,
        positions.toSorted((a, b) => a - b),
        `SEED=${seed}`,
      );
    }
  }
});

test("a replay longer than one turn goes on where it stopped, within an entry too", async () => {
  const prng = new Prng(23);
  const node = new Node(prng);
  const start = (await node.connect()).id;
  const many = Array.from({ length: 10_000 }, (_, i) => ({
    time: { ms: 1000 + prng.below(50), ns: 0 },
    stream: '{s="0-0"}',
    shard: 0,
    position: Math.floor(i / 3000),
    fields: { level: "error", n: String(i) },
  }));
  const store = new MemoryStore();
  store.add([blockOf(many.slice(0, 4000), prng)], 0);
  store.add([blockOf(many.slice(4000), prng)], 0);
  const seen: string[] = [];
  let id = start;
  const hub = new TailHub();
  for (const take of [100, 4096, 1, 5000, 10_000]) {
    const positions = new Map([[0, 3]]);
    const subscription = hub.subscribe({ tenant: "t", query, positions, lastEventId: id });
    await replayTail(subscription, {
      source: store,
      pool: new LocalPool(store),
      range: allTime,
      signal: new AbortController().signal,
      onMissing: () => assert.fail("nothing is missing"),
      room: () => Promise.resolve(),
    });
    for (const event of subscription.take(take)) {
      seen.push((JSON.parse(Buffer.from(event.record).toString()) as { n: string }).n);
      id = event.id;
    }
  }
  assert.equal(seen.length, 10_000);
  assert.equal(new Set(seen).size, 10_000);
});

test("what a slow client leaves is dropped and counted, newest kept", () => {
  const hub = new TailHub();
  const positions = new Map([[0, -1]]);
  const subscription = hub.subscribe({ tenant: "t", query, positions, bufferBytes: 500 });
  const matcher = new TailMatcher();
  const prng = new Prng(1);
  for (let position = 0; position < 20; position++) {
    const entry = { time: { ms: 1, ns: 0 }, stream: "{}", shard: 0, position };
    const block = blockOf([{ ...entry, fields: { level: "error", n: `${position}` } }], prng);
    hub.offer(
      { tenant: "t", shard: 0, position },
      matcher.match(block, hub.plansOf("t")?.plans ?? []),
    );
  }
  const events = subscription.take(100);
  assert.ok(events.length > 0 && events.length < 20);
  assert.equal(subscription.dropped + events.length, 20);
  assert.match(Buffer.from(events.at(-1)?.record ?? []).toString(), /"n":"19"/);
});

test("tail ids come back as they were, and others are refused", () => {
  const prng = new Prng(29);
  for (let i = 0; i < 200; i++) {
    const shards = Array.from({ length: prng.below(40) }, () => prng.below(64));
    const positions = new Map(
      shards.sort((a, b) => a - b).map((shard) => [shard, prng.below(2 ** 40) - 1]),
    );
    const within = prng.chance(0.5) ? { shard: 3, position: prng.below(9), rows: 1 } : undefined;
    assert.deepEqual(decodeTailId(encodeTailId({ positions, within })), { positions, within });
  }
  for (const text of ["", "x", "AQ", "AQEB", "AAAA", "AQAFBQUF", "////////////"]) {
    assert.throws(() => decodeTailId(text), failsWith("query.invalid"), text);
  }
});

test("a tail takes no pipe that needs all records", () => {
  const hub = new TailHub();
  const pipes = [{ kind: "limit", count: 1 } as const];
  assert.throws(
    () => hub.subscribe({ tenant: "t", query: { ...query, pipes }, positions: new Map() }),
    failsWith("query.invalid"),
  );
});
