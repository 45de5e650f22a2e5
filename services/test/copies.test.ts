// Goal: a search has what any whole copy of a sealed file can give, once, and names what nobody can.
// Method: three nodes in this process, with real stores, threads, disks, connections and a coordinator; two copies of each shard.
import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { after, before, test } from "node:test";
import type { Peers } from "../../cluster/src/peers/peers.ts";
import { openReading } from "../src/reading.ts";
import type { StorePart } from "../src/store-part.ts";
import { type Answered, ClusterGiven, type NodeGiven, recordsNamed } from "./cluster-given.ts";

let all: ClusterGiven;
/** While it is set, pieces of queries that its node evaluates wait for it. */
let held: { readonly node: number; readonly end: PromiseWithResolvers<void> } | undefined;

before(async () => {
  const over = Object.fromEntries([1, 2].map((id) => [id, { pool: holding(id) }]));
  all = await ClusterGiven.open(3, 9, over);
  await all.ship(1, recordsNamed("one", 3000));
  await all.seal();
});

after(() => all?.close());

/** Threads whose pieces of queries can be held up, as those of a node that is stuck. */
function holding(node: number): (pool: StorePart["pool"]) => StorePart["pool"] {
  return (pool) =>
    new Proxy(pool, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "run") return value.bind(target) as unknown;
        return async (...args: readonly unknown[]) => {
          if (args[0] === "fragment" && held?.node === node) await held.end.promise;
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
}

const countOf = ({ rows }: Answered): number => Number(rows[0]?.["c"]);

/** What a node's search asked others for, in bytes of the answers. */
async function sentFor(node: NodeGiven, text: string): Promise<{ bytes: number; rows: number }> {
  let bytes = 0;
  const counting = new Proxy(node.peers, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      // Its own method is not to be taken from the node that serves others.
      if (name === "handle" || name === "handleStream") return () => undefined;
      if (name !== "stream") return value.bind(target) as unknown;
      return async function* (...args: Parameters<Peers["stream"]>) {
        for await (const piece of target.stream(...args)) {
          bytes += piece.bytes.reduce((sum, each) => sum + each.length, 0);
          yield piece;
        }
      };
    },
  });
  const reading = openReading(node.stored, { ...node.routing, peers: counting });
  const { rows } = await all.ask(node.id, text, 40_000, reading);
  return { bytes, rows: rows.length };
}

function filesOf(node: NodeGiven, shard: number): string[] {
  const folder = `${node.folder}/storage/shard-${String(shard).padStart(4, "0")}`;
  return globSync(`${folder}/*-*-*-*-*-*`).filter((path) => !basename(path).includes("."));
}

test("an aggregate and a limit send the answer's share of bytes between nodes, not the records", async () => {
  const node = all.node(1);
  const whole = await sentFor(node, "phase:one");
  assert.equal(whole.rows, 3000);
  const count = await sentFor(node, "phase:one | stats count() c");
  const groups = await sentFor(node, "phase:one | stats by (service) count() c");
  const limited = await sentFor(node, "phase:one | sort by (_time desc) | limit 10");
  assert.equal(groups.rows, 60);
  assert.equal(limited.rows, 10);
  assert.ok(count.bytes > 0 && count.bytes < whole.bytes / 20, `${count.bytes} of ${whole.bytes}`);
  assert.ok(groups.bytes < whole.bytes / 5, `${groups.bytes} of ${whole.bytes}`);
  assert.ok(limited.bytes < whole.bytes / 5, `${limited.bytes} of ${whole.bytes}`);
});

test("pieces that a node does not answer are answered from another copy, once", async () => {
  const asking = all.node(3);
  assert.equal(countOf(await all.ask(3, "phase:one | stats count() c")), 3000);
  const { counts } = asking.routing.stragglers;
  const before = { ...counts };
  const owner = all.nodes.find(({ id, stored }) => {
    return id !== 3 && Array.from({ length: 9 }, (_, i) => i).some((i) => stored.store.serves(i));
  });
  assert.ok(owner !== undefined);
  held = { node: owner.id, end: Promise.withResolvers() };
  try {
    // Not asked before, so that no answer is kept.
    const answer = await all.ask(3, "phase:one n:<1500 | stats count() c");
    assert.equal(answer.summary.status, "complete");
    assert.equal(countOf(answer), 1500);
  } finally {
    held.end.resolve();
    held = undefined;
  }
  assert.ok(counts.askedTwice > before.askedTwice);
  assert.ok(counts.secondWasFirst > before.secondWasFirst);
  await all.until("what was opened for it is let go of", () =>
    all.nodes.every(({ reading }) => reading.heldCuts === 0),
  );
});

test("what is damaged at its owner comes from another copy, and the answer is whole", async () => {
  await all.settled();
  const [shard] = all.shardsOf([1, 2]);
  assert.ok(shard !== undefined);
  const owner = all.ownerOf(shard) as NodeGiven;
  const before = new Set(filesOf(owner, shard));
  // Not looked at before, so that nothing of it is in memory.
  await all.ship(2, recordsNamed("two", 2000));
  await all.seal();
  for (const file of filesOf(owner, shard)) {
    if (before.has(file)) continue;
    const bytes = readFileSync(file);
    // The blocks stand in front, what lists them behind.
    bytes.fill(0x5a, 16, bytes.length >> 1);
    writeFileSync(file, bytes);
  }
  const { counts } = owner.routing.stragglers;
  const copies = counts.elsewhere;
  const answer = await all.ask(owner.id, "phase:two _msg:~'of.two' | stats count() c");
  assert.deepEqual(answer.summary.missing, []);
  assert.equal(countOf(answer), 2000);
  assert.ok(counts.elsewhere > copies);
});

test("a shard that nobody serves answers what another node has sealed of it, without what is deleted, and is named", async () => {
  await all.settled();
  // Node 1 goes out of the sets, and comes back when there is nobody who would bring it to what came since.
  const first = all.node(1);
  const second = all.node(2);
  await first.close();
  await all.until("node 1 is in no set", () => {
    const sets = [[2], [3], [2, 3]].flatMap((set) => all.shardsOf(set));
    return sets.length === 9 && sets.every((shard) => all.ownerOf(shard));
  });
  await all.ship(2, recordsNamed("three", 1000));
  await all.seal();
  await second.close();
  let alone: readonly number[] = [];
  await all.until("node 3 serves what node 2 had not alone", () => {
    alone = all.shardsOf([2]);
    return Array.from({ length: 9 }, (_, i) => i).every((i) => alone.includes(i) || all.ownerOf(i));
  });
  assert.ok(alone.length > 0);
  const names = alone.map((shard) => `shard ${shard}`);
  await all.start(1);
  const count = async (query: string, atLeast = 0): Promise<Answered> => {
    const text = `${query} | stats count() c`;
    let answer = await all.ask(3, text);
    // Until then others may be on the move, and node 1 not be heard of.
    await all.until("only those shards are missing", async () => {
      answer = await all.ask(3, text);
      const isNamed = new Set(answer.summary.missing).size === names.length;
      return isNamed && countOf(answer) >= atLeast;
    });
    assert.equal(answer.summary.status, "partial");
    assert.deepEqual(new Set(answer.summary.missing), new Set(names));
    return answer;
  };
  assert.equal(countOf(await count("phase:one", 3000)), 3000);
  const last = countOf(await count("phase:three"));
  assert.ok(last > 0 && last < 1000, `${last} of 1000`);
  const tombstone = {
    ...{ id: "d1", tenant: "t", filter: "n:<100", author: "a", createdMs: 0, rowsHidden: 0 },
    ...{ from: { ms: 0, ns: 0 }, to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 } },
  };
  // Not in the shard that has nobody: that it is deleted is known from the others.
  for (const { stored } of all.nodes) {
    const served = Array.from({ length: all.shardCount }, (_, shard) => shard).filter((shard) =>
      stored.store.serves(shard),
    );
    assert.ok(alone.every((shard) => !served.includes(shard)));
    await stored.store.addTombstone(tombstone, served);
  }
  assert.equal(countOf(await count("phase:one", 2900)), 2900);
});
