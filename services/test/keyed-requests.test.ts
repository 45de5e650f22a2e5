// Goal: under one `Idempotency-Key` the same body is stored once, and no body is answered as stored that is not.
// Method: two nodes with stores of their own in this process, and a clock that the test moves.
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import test from "node:test";
import { until } from "../../cluster/test/given.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { idempotencyPartKey } from "../../storage/src/shard/dedupe-key.ts";
import { homeShardOf } from "../../storage/src/shard/idempotency-table.ts";
import { dedupeGenerationMs, dedupeWindowMs } from "../../storage/src/shard/limits.ts";
import { appendKeyed } from "../src/routing/keyed-request.ts";
import type { Writes } from "../src/routing/writes.ts";
import { RoutingGiven, type RoutingNode } from "./routing-given.ts";

const tenant = "default";
const shards = [0, 1, 2, 3];
const versions = { pipelineVersion: 0, splitVersion: 0 };
const stored = "committed committed committed committed";
const repeated = "repeat repeat repeat repeat";
const refused = "ingest.idempotency-mismatch";

/** Two nodes, each with two shards, and how to move their time. */
class World {
  readonly #given: RoutingGiven;
  nodes: readonly RoutingNode[] = [];
  #laterMs = 0;

  constructor(given: RoutingGiven) {
    this.#given = given;
  }

  later(ms: number): void {
    this.#laterMs += ms;
  }

  async start(): Promise<void> {
    const clock = {
      now: () => Date.now() + this.#laterMs,
      monotonicMs: () => performance.now(),
    };
    const nodes = await Promise.all([1, 2].map((id) => this.#given.node(id, { clock })));
    const knowsAll = ({ owners }: RoutingNode): boolean =>
      shards.every((shard) => owners.nodeOf(shard) !== undefined);
    await until(() => nodes.every(knowsAll));
    await until(() => nodes.every(({ peers }) => peers.links().length > 0));
    this.nodes = nodes;
  }

  /** Other processes take the shards over: what they know is of checkpoints and logs. */
  async replace(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    await this.start();
  }

  /** How a request with a part for each shard went, at a node. */
  async send(at: number, key: string, body: string, over: Partial<Writes> = {}): Promise<string> {
    const { rig, router } = this.nodes[at]!;
    const parts = shards.map((shard) =>
      rig.part([`${body} ${shard}`], {
        shard,
        dedupeKey: idempotencyPartKey(tenant, key, shard),
      }),
    );
    const writes = {
      append: over.append ?? router.append.bind(router),
      commitIdempotency: over.commitIdempotency ?? router.commitIdempotency.bind(router),
    };
    try {
      const results = await appendKeyed(writes, { tenant, key, digest: digestOf(body) }, parts);
      return results.map(({ kind }) => kind).join(" ");
    } catch (thrown) {
      if (thrown instanceof ServiceError) return thrown.code;
      throw thrown;
    }
  }

  /** Which bodies are stored, with how many parts. */
  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const text of this.nodes.flatMap(({ rig }) => rig.read())) {
      const body = text.slice(0, text.lastIndexOf(" "));
      counts[body] = (counts[body] ?? 0) + 1;
    }
    return counts;
  }
}

function digestOf(body: string): string {
  return hash("sha256", body);
}

async function withWorld(story: (world: World) => Promise<void>): Promise<void> {
  const given = await RoutingGiven.open();
  try {
    await given.found(1, [0, 1]);
    await given.found(2, [2, 3]);
    const world = new World(given);
    await world.start();
    await story(world);
  } finally {
    await given.close();
  }
}

test("another body under a key is refused within the window, and stored whole after it, at either node", () =>
  withWorld(async (world) => {
    assert.equal(await world.send(0, "k", "first"), stored);
    assert.equal(await world.send(1, "k", "first"), repeated);
    for (const at of [0, 1]) assert.equal(await world.send(at, "k", "second"), refused);
    world.later(dedupeWindowMs + 1_000);
    // Every shard still knows the parts of the first: nothing else was stored since.
    assert.equal(await world.send(1, "k", "second"), stored);
    assert.equal(await world.send(0, "k", "second"), repeated);
    for (const at of [0, 1]) assert.equal(await world.send(at, "k", "first"), refused);
    assert.deepEqual(world.counts(), { first: 4, second: 4 });
  }));

test("other processes that take the shards over know a key's body, and when its window ends", () =>
  withWorld(async (world) => {
    assert.equal(await world.send(0, "sealed", "first"), stored);
    await Promise.all(world.nodes.map(({ rig }) => rig.store.seal()));
    assert.equal(await world.send(1, "logged", "one"), stored);
    await world.replace();
    assert.equal(await world.send(1, "sealed", "second"), refused);
    assert.equal(await world.send(0, "logged", "two"), refused);
    assert.equal(await world.send(1, "sealed", "first"), repeated);
    assert.equal(await world.send(0, "logged", "one"), repeated);
    world.later(dedupeWindowMs + 1_000);
    await world.replace();
    assert.equal(await world.send(0, "sealed", "second"), stored);
    await world.replace();
    assert.equal(await world.send(0, "sealed", "second"), repeated);
    assert.deepEqual(world.counts(), { first: 4, one: 4, second: 4 });
  }));

test("an outage ends no window for who repeats the same body after it", () =>
  withWorld(async (world) => {
    assert.equal(await world.send(0, "k", "body"), stored);
    world.later(10 * dedupeWindowMs);
    // Keys of every home shard come first.
    const others = Array.from({ length: 16 }, (_, n) => `other ${n}`);
    const homes = new Set(others.map((key) => homeShardOf(tenant, key, shards.length)));
    assert.equal(homes.size, shards.length);
    for (const key of others) assert.equal(await world.send(1, key, key), stored);
    assert.equal(await world.send(1, "k", "body"), repeated);
  }));

test("a key that has left its home shard is new, and so is each part, though some shards still know the old ones", () =>
  withWorld(async (world) => {
    assert.equal(await world.send(0, "k", "body"), stored);
    const home = homeShardOf(tenant, "k", shards.length);
    const others = Array.from({ length: 200 }, (_, n) => `other ${n}`);
    const ofHome = others.filter((key) => homeShardOf(tenant, key, shards.length) === home);
    // The home shard has enough of others' keys for so long, the rest of the shards have nothing.
    for (const key of ofHome.slice(0, 10)) {
      world.later(dedupeGenerationMs);
      await world.nodes[0]!.router.commitIdempotency({ tenant, key, digest: "", ...versions });
    }
    assert.equal(await world.send(0, "k", "body"), stored);
    assert.equal(await world.send(1, "k", "body"), repeated);
    assert.deepEqual(world.counts(), { body: 8 });
  }));

test("nodes of a release before, whose parts' keys know no batch, and nodes of this one store a request once", () =>
  withWorld(async (world) => {
    const [one, two] = world.nodes as [RoutingNode, RoutingNode];
    // The home shard's owner drops what it does not know.
    const old: Partial<Writes> = {
      commitIdempotency: ({ batch: _, ...record }) => two.router.commitIdempotency(record),
    };
    assert.equal(await world.send(1, "old", "body", old), stored);
    assert.equal(await world.send(0, "old", "body"), repeated);
    assert.equal(await world.send(0, "new", "text"), stored);
    // Only the owner can keep the old one from storing it again.
    const home = homeShardOf(tenant, "new", shards.length) < 2 ? one : two;
    const record = { tenant, key: "new", digest: digestOf("text"), ...versions };
    await assert.rejects(home.rig.store.commitIdempotency(record), { code: "ingest.unavailable" });
    assert.deepEqual(world.counts(), { body: 4, text: 4 });
  }));
