import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { steps } from "../../coordinator/src/client/multi.ts";
import type { RoleElection } from "../../coordinator/src/recipes/role-election.ts";
import type { Cluster } from "../src/cluster.ts";
import { nodeOfReplica } from "../src/node.ts";
import { paths } from "../src/paths.ts";
import { ShardOrders } from "../src/shard-orders.ts";
import { acquire, facts, Given, until } from "./given.ts";

// Goal: the balancer says where shards are to be, moves no more than it must, and nobody deposed writes.
// Method: nodes of one cluster on a real coordinator, in one process; what they say and how they go is real.

let given: Given;
const elections = new Set<RoleElection>();

before(async () => {
  given = await Given.open();
});

afterEach(async () => {
  await Promise.all([...elections].map((election) => election.close()));
  elections.clear();
});

after(() => given.close());

interface NodeOptions {
  readonly graceMs?: number;
  readonly founders?: number;
  readonly isBalancer?: boolean;
  readonly diskId?: string;
}

async function node(
  chroot: Given,
  nodeId: number,
  {
    graceMs = 60_000,
    founders = 1,
    isBalancer = true,
    diskId = `disk-${nodeId}`,
  }: NodeOptions = {},
): Promise<Cluster> {
  const identity = { nodeId, diskId, incarnation: crypto.randomUUID() };
  const cluster = await chroot.cluster({ identity, shards: 12, founding: "assigned" });
  await cluster.announce(
    facts({ peer: `127.0.0.1:${7000 + nodeId}`, capacityBytes: 0 }),
    () => undefined,
  );
  if (!isBalancer) return cluster;
  const options = { replication: () => 2, graceMs: () => graceMs, founders };
  elections.add(cluster.balance({ ...options, nowMs: () => performance.now() }));
  return cluster;
}

function placed({ topology, shards }: Cluster): (readonly number[])[] {
  return Array.from({ length: shards }, (_, shard) => topology.assigned(shard) ?? []);
}

function loadOf(cluster: Cluster, id: number): number {
  return placed(cluster).filter((nodes) => nodes.includes(id)).length;
}

function isPlaced(cluster: Cluster, copies: number): boolean {
  return placed(cluster).every((nodes) => nodes.length === copies);
}

test("a new cluster is placed evenly once its founders are there, and each makes its own shards", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1, { founders: 3 });
  const second = await node(chroot, 2, { founders: 3 });
  assert.deepEqual(placed(first).flat(), []);
  const [unmade] = await first.ownership.read([0]);
  assert.deepEqual(unmade?.inSync, [], "nobody has a shard that nobody placed");
  const told = new Set<number>();
  first.ownership.onChanged((shards) => {
    for (const shard of shards) told.add(shard);
  });
  const third = await node(chroot, 3, { founders: 3 });
  await until(() => isPlaced(third, 2));
  for (const id of [1, 2, 3]) assert.equal(loadOf(third, id), 8);
  for (const id of [1, 2, 3]) {
    assert.equal(placed(third).filter(([owner]) => owner === id).length, 4, `node ${id} owns`);
  }
  await until(() => isPlaced(first, 2) && isPlaced(second, 2));
  // Who looked too early looks again, or nobody ever makes the shard.
  await until(() => told.has(0));
  const all = Array.from({ length: 12 }, (_, shard) => shard);
  for (const [at, cluster] of [first, second, third].entries()) {
    const found = await cluster.ownership.read(all);
    const own = all.filter((shard) => found[shard]?.inSync.includes(`${at + 1}/disk-${at + 1}`));
    assert.deepEqual(
      own,
      all.filter((shard) => placed(cluster)[shard]?.[0] === at + 1),
    );
    await acquire(cluster, own);
  }
  for (const shard of all) {
    await until(() => third.topology.ownerOf(shard) !== undefined);
    const owner = third.topology.ownerOf(shard) as string;
    assert.equal(nodeOfReplica(owner), placed(third)[shard]?.[0]);
  }
  await chroot.close();
});

test("a restart within the grace period moves nothing, a longer absence moves that node's copies", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1, { graceMs: 6_000, founders: 4 });
  await node(chroot, 2, { isBalancer: false });
  await node(chroot, 3, { isBalancer: false });
  const fourth = await node(chroot, 4, { isBalancer: false });
  await until(() => isPlaced(first, 2));
  const before = placed(first);
  await fourth.close();
  const again = await node(chroot, 4, { isBalancer: false });
  await new Promise((resolve) => setTimeout(resolve, 6_500));
  assert.deepEqual(placed(first), before);
  await again.close();
  await until(() => loadOf(first, 4) === 0);
  assert.ok(isPlaced(first, 2));
  const now = placed(first);
  const kept = before.map((nodes, shard) => nodes.filter((id) => now[shard]?.includes(id)).length);
  const moved = 24 - kept.reduce((sum, count) => sum + count, 0);
  assert.equal(moved, before.filter((nodes) => nodes.includes(4)).length);
  await chroot.close();
});

test("where too few nodes are left, those that are gone stay among those that shards wait for, until they are sent away", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1, { graceMs: 1_000, founders: 3 });
  const others = [];
  for (const id of [2, 3]) others.push(await node(chroot, id, { isBalancer: false }));
  await until(() => isPlaced(first, 2));
  for (const other of others) await other.close();
  await until(() => placed(first).every(([owner, copy]) => owner === 1 && copy !== undefined));
  for (const id of [2, 3]) await first.setDrained(id, true, undefined);
  await until(() => placed(first).every((nodes) => nodes.join() === "1"));
  await chroot.close();
});

test("a drained node loses its copies at once and gets them back when it is undrained", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1, { founders: 3 });
  for (const id of [2, 3]) await node(chroot, id, { isBalancer: false });
  await until(() => isPlaced(first, 2));
  await first.setDrained(2, true, undefined);
  await until(() => loadOf(first, 2) === 0);
  assert.ok(isPlaced(first, 2));
  await first.setDrained(2, false, undefined);
  await until(() => loadOf(first, 2) >= 7);
  await assert.rejects(first.setDrained(9, true, undefined), { code: "cluster.refused" });
  await chroot.close();
});

test("a move that is asked for is made, one that makes no sense is refused", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1, { founders: 3 });
  for (const id of [2, 3]) await node(chroot, id, { isBalancer: false });
  await until(() => isPlaced(first, 2));
  const [from] = placed(first)[5] as [number];
  const to = [1, 2, 3].find((id) => !placed(first)[5]?.includes(id)) as number;
  await first.requestMove({ shard: 5, from, to }, "somebody");
  await until(() => placed(first)[5]?.includes(to) === true);
  assert.equal(placed(first)[5]?.includes(from), false);
  assert.deepEqual((await first.client.getChildren(paths.moves)).children, []);
  for (const request of [
    { shard: 5, from, to },
    { shard: 5, from: to, to: 9 },
    { shard: 99, from, to },
  ]) {
    await assert.rejects(first.requestMove(request, undefined), { code: "cluster.refused" });
  }
  await chroot.close();
});

test("shards that were there before any balancer stay with their node, and others get copies of them", async () => {
  const chroot = await Given.open();
  const lone = await chroot.cluster({ shards: 12, founding: "alone" });
  await lone.announce(facts({ capacityBytes: 0 }), () => undefined);
  await acquire(lone, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  const second = await node(chroot, 2);
  await until(() => isPlaced(second, 2));
  const orders = new ShardOrders(second.topology);
  for (let shard = 0; shard < 12; shard++) {
    const order = orders.of(shard);
    assert.deepEqual(new Set(order?.replicas), new Set(["1/disk-1", "2/disk-2"]));
    assert.equal(order?.minInSync, 1);
  }
  await chroot.close();
});

test("a holder of the role that was deposed without knowing writes nothing", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1);
  await until(() => isPlaced(first, 1));
  const identity = { nodeId: 9, diskId: "disk-9", incarnation: crypto.randomUUID() };
  const other = await chroot.cluster({ identity, founding: "none" });
  const holder = `${paths.role("balancer")}/holder`;
  const acl = (await other.client.getAcl(holder)).acl;
  // As an election does it, while the holder's session is taken for dead.
  await other.client.multi([
    steps.delete(holder),
    steps.setData(paths.role("balancer"), Buffer.from('{"epoch":9,"holder":"other"}')),
    steps.create(holder, Buffer.from("other"), { mode: "ephemeral", acl }),
  ]);
  const { stat } = await other.client.getData(paths.assignment(3));
  await node(chroot, 2, { isBalancer: false });
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal((await other.client.getData(paths.assignment(3))).stat.version, stat.version);
  await other.close();
  await until(() => isPlaced(first, 2));
  const { data } = await first.client.getData(paths.role("balancer"));
  assert.ok((JSON.parse(String(data)) as { epoch: number }).epoch > 9);
  await chroot.close();
});
