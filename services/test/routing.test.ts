// Goal: whatever is written at one node is stored once at the owner of its shard, wherever that is and while it moves.
// Method: two nodes with a coordinator, stores and connections of their own in this process; each shard has one owner.
import assert from "node:assert/strict";
import test from "node:test";
import { until } from "../../cluster/test/given.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import type { AppendResult } from "../../storage/src/shard/append.ts";
import { homeShardOf } from "../../storage/src/shard/idempotency-table.ts";
import { methods } from "../src/routing/messages.ts";
import { RoutingGiven, type RoutingNode } from "./routing-given.ts";

/** Appends in the random story; soak raises them. */
const appendRounds = Number(process.env["ROUTED_APPENDS"] ?? 30);

const shards = [0, 1, 2, 3];

async function withNodes(
  body: (given: RoutingGiven, one: RoutingNode, two: RoutingNode) => Promise<void>,
): Promise<void> {
  const given = await RoutingGiven.open();
  try {
    await given.found(1, [0, 1]);
    await given.found(2, [2, 3]);
    // Side by side: a store's start waits for shards that nobody serves yet.
    const [one, two] = await Promise.all([given.node(1), given.node(2)]);
    await until(() => [one, two].every((node) => knowsAll(node)));
    await until(() => one.peers.link(2) !== undefined && two.peers.link(1) !== undefined);
    await body(given, one, two);
  } finally {
    await given.close();
  }
}

function knowsAll({ owners }: RoutingNode): boolean {
  return shards.every((shard) => owners.nodeOf(shard) !== undefined);
}

/** One part for each shard, through a node's router. */
function append(
  { router, rig }: RoutingNode,
  text: string,
  into: readonly number[] = shards,
): Promise<AppendResult[]> {
  return router.append(into.map((shard) => rig.part([`${text} ${shard}`], { shard })));
}

const texts = (...names: readonly string[]): string[] =>
  names.flatMap((name) => shards.map((shard) => `${name} ${shard}`)).toSorted();

function readAll(...nodes: readonly RoutingNode[]): string[] {
  return nodes.flatMap(({ rig }) => rig.read()).toSorted();
}

test("parts go to the owner of their shard from either node, and nothing stays in the arena that sent them", () =>
  withNodes(async (_, one, two) => {
    const before = one.rig.arena.liveBytes;
    const results = await append(one, "from one");
    assert.deepEqual(
      results.map(({ kind }) => kind),
      shards.map(() => "committed"),
    );
    await append(two, "from two");
    assert.deepEqual(readAll(one, two), texts("from one", "from two"));
    const here = one.rig.read();
    assert.ok(here.length === 4 && here.every((text) => /[01]$/.test(text)), String(here));
    // Two parts of each router lie in each memtable now, and none waits to be sent.
    await until(() => one.rig.arena.liveBytes - before === two.rig.arena.liveBytes - before);
  }));

test("a part whose answer was lost is stored once", () =>
  withNodes(async (_, one, two) => {
    const call = one.peers.call.bind(one.peers);
    let lost = 0;
    one.peers.call = async (node, method, ...rest) => {
      const answer = await call(node, method, ...rest);
      if (method !== methods.append || lost++ > 0) return answer;
      throw new ServiceError("peer.unavailable", "the node cannot be asked", { sent: true });
    };
    const results = await append(one, "once");
    assert.equal(lost, 2);
    assert.deepEqual(
      results.map(({ kind }) => kind),
      ["committed", "committed", "repeat", "repeat"],
    );
    assert.deepEqual(readAll(one, two), texts("once"));
  }));

test("through lost questions, lost answers and wrong owners each part is stored once", () =>
  withNodes(async (_, one, two) => {
    const seed = Number(process.env["SEED"] ?? 1);
    const prng = new Prng(seed);
    for (const { peers, owners } of [one, two]) {
      const call = peers.call.bind(peers);
      peers.call = async (...args) => {
        if (prng.chance(0.2)) throw lost(false);
        const answer = await call(...args);
        if (prng.chance(0.3)) throw lost(true);
        return answer;
      };
      const nodeOf = owners.nodeOf.bind(owners);
      owners.nodeOf = (shard) => {
        const node = nodeOf(shard);
        return prng.chance(0.1) ? prng.pick([1, 2, undefined]) : node;
      };
    }
    const names: string[] = [];
    const appends: Promise<AppendResult[]>[] = [];
    for (let i = 0; i < appendRounds; i++) {
      const name = `round ${i}`;
      names.push(name);
      appends.push(append(prng.pick([one, two]), name));
      if (prng.chance(0.3)) await appends.at(-1);
    }
    await Promise.all(appends);
    assert.deepEqual(readAll(one, two), texts(...names), `SEED=${seed}`);
  }));

function lost(sent: boolean): ServiceError {
  return new ServiceError("peer.unavailable", "the node cannot be asked", { sent });
}

test("what is for a shard whose owner is gone is held until it is back, and then stored once", () =>
  withNodes(async (given, one, two) => {
    await append(one, "before");
    await two.close();
    let isDone = false;
    const held = append(one, "meanwhile").then((results) => {
      isDone = true;
      return results;
    });
    await until(() => one.rig.read().length === 4);
    assert.equal(isDone, false);
    const again = await given.node(2);
    assert.deepEqual(
      (await held).map(({ kind }) => kind),
      shards.map(() => "committed"),
    );
    assert.deepEqual(readAll(one, again), texts("before", "meanwhile"));
  }));

test("what cannot be stored in time fails, and says whether it may be stored all the same", async () => {
  const given = await RoutingGiven.open();
  try {
    await given.found(1, [0, 1]);
    await given.found(2, [2, 3]);
    const [one, two] = await Promise.all([given.node(1, { patienceMs: 300 }), given.node(2)]);
    await until(() => knowsAll(one) && one.peers.link(2) !== undefined);
    const call = one.peers.call.bind(one.peers);
    one.peers.call = async (node, method, ...rest) => {
      await call(node, method, ...rest);
      throw new ServiceError("peer.unavailable", "the node cannot be asked", { sent: true });
    };
    await assert.rejects(append(one, "unknown"), (thrown) => {
      assert.ok(thrown instanceof ServiceError);
      const { outcome, shards: left } = thrown.fields;
      assert.deepEqual([thrown.status, outcome, left], [503, "unknown", ["2", "3"]]);
      return true;
    });
    assert.deepEqual(readAll(one, two), texts("unknown"));
    one.peers.call = call;
    await two.close();
    await until(() => one.owners.nodeOf(2) === undefined);
    await assert.rejects(append(one, "nobody", [2]), (thrown) => {
      assert.ok(thrown instanceof ServiceError);
      assert.deepEqual([thrown.status, thrown.fields["outcome"]], [503, "not stored"]);
      return true;
    });
  } finally {
    await given.close();
  }
});

test("what is held for a shard that takes nothing for long leaves room for what others take", async () => {
  const given = await RoutingGiven.open();
  try {
    await given.found(1, [0, 1]);
    await given.found(2, [2, 3]);
    const bounds = { heldBytesMax: 1_000, movingMs: 500 };
    const [one, two] = await Promise.all([given.node(1, bounds), given.node(2)]);
    await until(() => knowsAll(one) && one.peers.link(2) !== undefined);
    await two.close();
    // What is sent over a link that ends may be stored.
    await until(() => one.owners.nodeOf(2) === undefined && one.peers.link(2) === undefined);
    const before = one.rig.arena.liveBytes;
    const outcomes: string[] = [];
    const held = Array.from({ length: 10 }, async (_, n) => {
      const part = one.rig.part([`held ${n} ${"x".repeat(200)}`], { shard: 2 });
      const results = one.router.append([part]);
      await results.then(
        () => outcomes.push("stored"),
        (thrown: ServiceError) => outcomes.push(`${thrown.code} ${thrown.fields["outcome"]}`),
      );
    });
    // Each is more than 200 bytes, so fewer than five fit.
    await until(() => outcomes.length >= 6 && one.rig.arena.liveBytes - before <= 1_000);
    await append(one, "others", [0, 1]);
    const again = await given.node(2);
    await Promise.all(held);
    const stored = outcomes.filter((outcome) => outcome === "stored").length;
    assert.ok(stored >= 1 && stored <= 4, String(outcomes));
    const left = outcomes.filter((outcome) => outcome !== "stored");
    assert.deepEqual(new Set(left), new Set(["ingest.unavailable not stored"]));
    await append(one, "after", [2]);
    assert.equal(again.rig.read().length, stored + 1);
  } finally {
    await given.close();
  }
});

test("nothing is held any longer once nobody waits for it", () =>
  withNodes(async (_, one, two) => {
    await two.close();
    await until(() => one.owners.nodeOf(2) === undefined);
    let isWanted = true;
    const part = one.rig.part(["unwanted"], { shard: 2 });
    const before = one.rig.arena.liveBytes;
    const held = one.router.append([part], () => isWanted);
    const failed = assert.rejects(held, { code: "ingest.unavailable" });
    isWanted = false;
    await failed;
    assert.equal(one.rig.arena.liveBytes, before);
  }));

test("a node that stops holds nothing for long", () =>
  withNodes(async (_, one, two) => {
    await two.close();
    const held = append(one, "late", [2]);
    one.router.stop();
    await assert.rejects(held, { code: "ingest.unavailable" });
  }));

test("a node that is not the owner says so, and the router finds the one that is", () =>
  withNodes(async (_, one, two) => {
    const nodeOf = one.owners.nodeOf.bind(one.owners);
    const wrong: number[] = [];
    // What the znodes said a moment ago.
    one.owners.nodeOf = (shard) => {
      if (wrong.includes(shard)) return nodeOf(shard);
      wrong.push(shard);
      return shard < 2 ? 2 : 1;
    };
    await append(one, "moved");
    assert.deepEqual(readAll(one, two), texts("moved"));
  }));

test("a key is kept by its home shard's owner, whichever node asks", () =>
  withNodes(async (_, one, two) => {
    const versions = { pipelineVersion: 1, splitVersion: 2 };
    for (let i = 0; i < 8; i++) {
      const record = { tenant: "default", key: `key ${i}`, digest: "aa", ...versions };
      const home = homeShardOf(record.tenant, record.key, shards.length) < 2 ? one : two;
      const first = await one.router.commitIdempotency(record);
      assert.deepEqual(first, { kind: "first", ...versions });
      for (const { router } of [one, two]) {
        const later = { ...record, pipelineVersion: 9 };
        assert.deepEqual(await router.commitIdempotency(later), { kind: "repeat", ...versions });
        const other = router.commitIdempotency({ ...record, digest: "bb" });
        await assert.rejects(other, { code: "ingest.idempotency-mismatch" });
      }
      assert.equal((await home.rig.store.commitIdempotency(record)).kind, "repeat");
    }
  }));

test("ends of sources are asked of every owner, and a range is stored once by whoever comes first", () =>
  withNodes(async (_, one, two) => {
    const source = "inbox/u/default";
    const part = ({ rig }: RoutingNode, shard: number, previous: bigint, through: bigint) =>
      rig.part([`${shard}/${through}`], {
        shard,
        sourceRange: { source, previous, from: previous + 1n, through },
      });
    await one.router.append([part(one, 1, 0n, 5n), part(one, 2, 0n, 7n)]);
    const ends = new Map([
      [0, 0n],
      [1, 5n],
      [2, 7n],
      [3, 0n],
    ]);
    for (const { router } of [one, two]) assert.deepEqual(await router.lastStored(source), ends);
    const results = await two.router.append([part(two, 1, 0n, 6n), part(two, 2, 7n, 9n)]);
    assert.deepEqual(results[0], { kind: "source-refused", held: 5n });
    assert.equal(results[1]?.kind, "committed");
    assert.deepEqual(readAll(one, two), ["1/5", "2/7", "2/9"]);
  }));

test("a delete hides matches at every owner", () =>
  withNodes(async (_, one, two) => {
    await append(one, "bad");
    await two.router.addTombstone({
      ...{ id: "delete-1", tenant: "default", filter: "bad", author: "somebody" },
      ...{ from: { ms: 0, ns: 0 }, to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 } },
      ...{ createdMs: Date.now(), rowsHidden: 4 },
    });
    for (const { rig } of [one, two]) {
      const placed = rig.store.tombstones().map(({ placed: { id } }) => id);
      assert.deepEqual(placed, ["delete-1", "delete-1"]);
    }
  }));

test("bytes that were damaged on the way are not stored", () =>
  withNodes(async (_, one, two) => {
    const part = one.rig.part(["fine"], { shard: 2 });
    const damaged = { ...part, bodyCrc: part.bodyCrc ^ 1 };
    await assert.rejects(one.router.append([damaged]), { code: "request.malformed" });
    assert.deepEqual(readAll(one, two), []);
  }));

test("a node alone appends as without a router, and its parts carry no keys", async () => {
  const given = await RoutingGiven.open();
  try {
    await given.found(1, shards);
    const one = await given.node(1);
    await until(() => knowsAll(one));
    const passed: boolean[] = [];
    const { store } = one.rig;
    const plain = store.append.bind(store);
    store.append = (parts) => {
      passed.push(parts.every(({ dedupeKey }) => dedupeKey === undefined));
      return plain(parts);
    };
    await append(one, "alone");
    assert.deepEqual(passed, [true]);
    assert.deepEqual(readAll(one), texts("alone"));
  } finally {
    await given.close();
  }
});
