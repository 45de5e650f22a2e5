import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ShardListed, ShardsAnswer } from "../../api/src/cluster.ts";
import { insist } from "./insist.ts";
import { Nodes } from "./nodes.ts";
import { faultsOf, Shippers } from "./shippers.ts";

// Goal: shards go where an operator wants them while records come in, and nothing is lost or there twice on the way.
// Method: three real nodes under constant ingest; moves and drains by HTTP, as the command line asks for them.

let nodes: Nodes;
let shippers: Shippers;

before(async () => {
  nodes = await Nodes.start({ count: 3 });
  shippers = new Shippers({ targets: () => nodes.running() });
});

after(async () => {
  await shippers?.stop();
  await nodes?.close();
});

function shards(): Promise<readonly ShardListed[]> {
  return insist(async () => {
    const response = await fetch(`${nodes.node(1).http}/api/v1/cluster/shards`);
    assert.equal(response.status, 200);
    return ((await response.json()) as ShardsAnswer).shards;
  });
}

async function ask(path: string, body: object = {}): Promise<number> {
  const response = await fetch(`${nodes.node(1).http}/api/v1/cluster/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

/** Gives the shards of which the claim is true. */
async function until(
  what: string,
  claim: (all: readonly ShardListed[]) => boolean,
): Promise<readonly ShardListed[]> {
  const endMs = performance.now() + 120_000;
  for (;;) {
    const all = await shards();
    if (claim(all)) return all;
    if (performance.now() > endMs) {
      throw new Error(`${what} did not come to be: ${JSON.stringify(all)}\n${nodes.log}`);
    }
    await sleep(200);
  }
}

const isSettled = (all: readonly ShardListed[]): boolean =>
  all.every(({ owner, state, replicas }) => {
    return state === "served" && owner !== undefined && replicas.length === 2;
  });

const nodesOf = ({ replicas }: ShardListed): number[] => replicas.map(({ node }) => node);

test("a copy moves to the node that was asked for, with its shard's ownership", async () => {
  await shippers.more(500);
  const settled = await until("two copies of each shard", isSettled);
  const before = settled[5] as ShardListed;
  const from = before.owner as number;
  const to = [1, 2, 3].find((id) => !nodesOf(before).includes(id)) as number;
  assert.equal(await ask("shards/5/move", { from, to }), 204);
  await until("the move", (all) => {
    const now = all[5] as ShardListed;
    return now.owner === to && isSettled(all) && !nodesOf(now).includes(from);
  });
  assert.equal(await ask("shards/5/move", { from, to }), 409);
  assert.equal(await ask("shards/5/move", { from: 0, to }), 400);
});

test("a drained node has nothing in the end, and gets its share back", async () => {
  assert.equal(await ask("nodes/3/drain"), 204);
  await until("the drain", (all) => isSettled(all) && !all.some((one) => nodesOf(one).includes(3)));
  await shippers.more(500);
  assert.equal(await ask("nodes/3/undrain"), 204);
  await until("the share", (all) => {
    return isSettled(all) && all.filter((one) => nodesOf(one).includes(3)).length >= 7;
  });
});

test("a shard whose set lives is not recovered at the price of records", async () => {
  assert.equal(await ask("shards/2/recover"), 400);
  assert.equal(await ask("shards/2/recover", { acceptLoss: true }), 409);
});

test("every acknowledged record is there once", async () => {
  await shippers.more(500);
  await shippers.stop();
  const endMs = performance.now() + 120_000;
  let faults: readonly string[] = ["not looked at"];
  while (faults.length > 0 && performance.now() < endMs) {
    faults = await faultsOf(nodes.node(2), shippers.acknowledged);
    if (faults.length > 0) await sleep(500);
  }
  assert.deepEqual(faults, [], shippers.facts);
});
