import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Cluster } from "../src/cluster.ts";
import { paths } from "../src/paths.ts";
import { decodeZnode, type ShardState, shardSchema } from "../src/znode-data.ts";
import { acquire, Given, until } from "./given.ts";

let given: Given;

before(async () => {
  given = await Given.open();
});

after(() => given.close());

async function stateOf(cluster: Cluster, shard: number): Promise<ShardState> {
  const { data } = await cluster.client.getData(paths.shard(shard));
  return decodeZnode(shardSchema, paths.shard(shard), data);
}

function otherNode(nodeId: number): { nodeId: number; diskId: string; incarnation: string } {
  return { nodeId, diskId: `disk-${nodeId}`, incarnation: `i${nodeId}` };
}

test("a new shard has the replica that asks first as its set, and epoch 0", async () => {
  const cluster = await given.cluster();
  const [view] = await cluster.ownership.barrier([0]);
  assert.deepEqual(view, {
    shard: 0,
    epoch: 0,
    version: 0,
    foreignOwner: undefined,
    isInSync: true,
  });
  await cluster.close();
});

test("an acquisition names the owner, and its ephemeral stands for it", async () => {
  const cluster = await given.cluster();
  assert.deepEqual(await acquire(cluster, [0]), [1]);
  const state = await stateOf(cluster, 0);
  assert.equal(state.owner, cluster.ownership.self);
  assert.equal(state.epoch, 1);
  const { data, stat } = await cluster.client.getData(paths.shardOwner(0));
  assert.equal(String(data), cluster.ownership.self);
  assert.equal(stat.ephemeralOwner, cluster.client.sessionId);
  await cluster.close();
});

test("the next incarnation of a node replaces its own stale claim at once", async () => {
  const dead = await given.cluster();
  const [epoch] = await acquire(dead, [1]);
  const lost: (readonly number[])[] = [];
  dead.ownership.onLost((shards) => lost.push(shards));
  const heir = await given.cluster();
  const [view] = await heir.ownership.barrier([1]);
  assert.equal(view?.foreignOwner, undefined);
  assert.deepEqual(await acquire(heir, [1]), [(epoch as number) + 1]);
  await until(() => lost.length > 0);
  assert.deepEqual(lost, [[1]]);
  await dead.close();
  await heir.close();
});

test("a foreign owner is seen, and a replica out of sync is told so", async () => {
  const owner = await given.cluster();
  await acquire(owner, [2]);
  const other = await given.cluster({ identity: otherNode(2) });
  const [view] = await other.ownership.barrier([2]);
  assert.equal(view?.foreignOwner, owner.ownership.self);
  assert.equal(view?.isInSync, false);
  await owner.close();
  await other.close();
});

test("who acquires on a view that has moved on is refused", async () => {
  const a = await given.cluster();
  const b = await given.cluster();
  const [viewA] = await a.ownership.barrier([3]);
  const [viewB] = await b.ownership.barrier([3]);
  assert.ok(viewA !== undefined && viewB !== undefined);
  assert.equal((await a.ownership.acquire(viewA, 1)).kind, "acquired");
  assert.equal((await b.ownership.acquire(viewB, 1)).kind, "refused");
  assert.equal((await stateOf(a, 3)).owner, a.ownership.self);
  await a.close();
  await b.close();
});

test("an expired session loses its shards, and they are acquired again with higher epochs", async () => {
  const proxy = await given.proxy();
  const cluster = await given.cluster({ connect: proxy.address + given.server.chroot });
  const before = await acquire(cluster, [0, 1]);
  const lost: (readonly number[])[] = [];
  cluster.ownership.onLost((shards) => lost.push(shards));
  proxy.cut("down");
  const direct = given.direct();
  await until(async () => (await direct.exists(paths.shardOwner(1))) === null);
  proxy.up();
  await until(() => lost.length > 0);
  assert.deepEqual(lost, [[0, 1]]);
  assert.deepEqual(
    await acquire(cluster, [0, 1]),
    before.map((epoch) => epoch + 1),
  );
  await cluster.close();
});

test("an acquisition whose answer was lost is found by reading back", async () => {
  const proxy = await given.proxy();
  const cluster = await given.cluster({ connect: proxy.address + given.server.chroot });
  const [view] = await cluster.ownership.barrier([2]);
  assert.ok(view !== undefined);
  const direct = given.direct();
  await direct.addAuth("digest", "logkeep:secret");
  proxy.hold();
  const outcome = cluster.ownership.acquire(view, view.epoch + 1);
  await until(async () => (await direct.exists(paths.shardOwner(2))) !== null);
  proxy.cut("up");
  proxy.up();
  assert.deepEqual(await outcome, { kind: "acquired", epoch: view.epoch + 1 });
  await cluster.close();
});

test("a deleted owner znode counts as lost", async () => {
  const cluster = await given.cluster();
  await acquire(cluster, [3]);
  const lost: (readonly number[])[] = [];
  cluster.ownership.onLost((shards) => lost.push(shards));
  await cluster.client.delete(paths.shardOwner(3));
  await until(() => lost.length > 0);
  assert.deepEqual(lost, [[3]]);
  await cluster.close();
});

test("32 shards are acquired side by side", async () => {
  const other = await Given.open();
  const cluster = await other.cluster({ shards: 32 });
  const shards = Array.from({ length: cluster.shards }, (_, shard) => shard);
  await cluster.ownership.barrier(shards);
  const start = performance.now();
  await acquire(cluster, shards);
  for (const shard of shards) await cluster.manifest.load(shard);
  const tookMs = performance.now() - start;
  // One round trip at a time would be 32 syncs; idle it takes some 50 ms, and the bound is for a busy machine.
  assert.ok(tookMs < 1_500, `${tookMs} ms`);
  await other.close();
});
