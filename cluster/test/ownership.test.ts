import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Cluster } from "../src/cluster.ts";
import { paths } from "../src/paths.ts";
import { decodeZnode, type ShardState, shardSchema } from "../src/znode-data.ts";
import { acquire, claimOf, expiringMs, Given, until } from "./given.ts";

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
  const [facts] = await cluster.ownership.read([0]);
  assert.deepEqual(facts, {
    ...{ epoch: 0, version: 0, transferMs: 0, lossEpoch: 0 },
    ...{ replicas: ["1/disk-1"], inSync: ["1/disk-1"] },
    ...{ owner: undefined, next: undefined, holder: undefined },
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
  const [facts] = await heir.ownership.read([1]);
  assert.deepEqual(facts?.holder, { name: dead.ownership.self, isOwnSession: false });
  assert.deepEqual(await acquire(heir, [1]), [(epoch as number) + 1]);
  await until(() => lost.length > 0);
  assert.deepEqual(lost, [[1]]);
  await dead.close();
  await heir.close();
});

test("another owner and the set are seen by a replica that is not in it", async () => {
  const owner = await given.cluster();
  await acquire(owner, [2]);
  const other = await given.cluster({ identity: otherNode(2) });
  const [facts] = await other.ownership.read([2]);
  assert.deepEqual(facts?.holder, { name: owner.ownership.self, isOwnSession: false });
  assert.deepEqual(facts?.inSync, ["1/disk-1"]);
  await owner.close();
  await other.close();
});

test("who acquires on a version that has passed is refused", async () => {
  const a = await given.cluster();
  const b = await given.cluster();
  const [seenA] = await a.ownership.read([3]);
  const [seenB] = await b.ownership.read([3]);
  const changeOf = (cluster: Cluster, seen: typeof seenA) =>
    cluster.ownership.change(3, seen?.version ?? -1, claimOf(cluster.ownership, seen));
  assert.equal((await changeOf(a, seenA)).kind, "done");
  assert.equal((await changeOf(b, seenB)).kind, "refused");
  assert.equal((await stateOf(a, 3)).owner, a.ownership.self);
  await a.close();
  await b.close();
});

test("an expired session loses its shards, and they are acquired again with higher epochs", async () => {
  const proxy = await given.proxy();
  const connect = proxy.address + given.server.chroot;
  const cluster = await given.cluster({ connect, sessionTimeoutMs: expiringMs });
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
  const [seen] = await cluster.ownership.read([2]);
  assert.ok(seen !== undefined);
  const direct = given.direct();
  await direct.addAuth("digest", "logkeep:secret");
  proxy.hold();
  const change = claimOf(cluster.ownership, seen);
  const outcome = cluster.ownership.change(2, seen.version, change);
  await until(async () => (await direct.exists(paths.shardOwner(2))) !== null);
  proxy.cut("up");
  proxy.up();
  assert.deepEqual(await outcome, { kind: "unknown" });
  const [settled] = await cluster.ownership.read([2]);
  assert.deepEqual(
    [settled?.owner, settled?.epoch, settled?.holder?.isOwnSession],
    [cluster.ownership.self, seen.epoch + 1, true],
  );
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
  await cluster.ownership.read(shards);
  const start = performance.now();
  await acquire(cluster, shards);
  for (const shard of shards) await cluster.manifest.load(shard);
  const tookMs = performance.now() - start;
  // Idle it takes some 50 ms; the bound is for a busy machine.
  assert.ok(tookMs < 20_000, `${tookMs} ms`);
  await other.close();
});
