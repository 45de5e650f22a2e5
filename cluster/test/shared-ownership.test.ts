import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Cluster } from "../src/cluster.ts";
import { replicaOf } from "../src/node.ts";
import { paths } from "../src/paths.ts";
import { facts, Given, until } from "./given.ts";

// Goal: each change of a shard's znode happens only on the version that it was decided by, and says what came of it.
// Method: two nodes of one cluster on a real coordinator; a proxy that is cut makes outcomes unknown.

let given: Given;

before(async () => {
  given = await Given.open();
});

after(() => given.close());

interface Node {
  readonly cluster: Cluster;
  readonly replica: string;
  readonly self: string;
}

async function node(chroot: Given, nodeId: number, connect?: string): Promise<Node> {
  const identity = { nodeId, diskId: `disk-${nodeId}`, incarnation: crypto.randomUUID() };
  const more = connect === undefined ? {} : { connect };
  const cluster = await chroot.cluster({ identity, ...more });
  await cluster.announce(facts(), () => undefined);
  return { cluster, replica: replicaOf(identity), self: cluster.ownership.self };
}

async function factsOf({ cluster }: Node, shard = 0) {
  const [found] = await cluster.ownership.read([shard]);
  assert.ok(found !== undefined);
  return found;
}

async function acquired(owner: Node, epoch: number, shard = 0): Promise<number> {
  const { version, holder } = await factsOf(owner, shard);
  const isHeld = holder?.name.startsWith(`${owner.replica}/`) === true;
  const change = { kind: "acquire", epoch, owner: owner.self, isHeld } as const;
  const outcome = await owner.cluster.ownership.change(shard, version, change);
  assert.equal(outcome.kind, "done");
  return (outcome as { readonly version: number }).version;
}

test("an owner takes another member in while its process lives, and hands the shard to it", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1);
  const second = await node(chroot, 2);
  const both = [first.replica, second.replica];
  let version = await acquired(first, 1);
  const grown = await first.cluster.ownership.change(0, version, {
    kind: "change-set",
    replicas: both,
    inSync: both,
    live: [second.self],
  });
  assert.equal(grown.kind, "done");
  version = (grown as { readonly version: number }).version;
  assert.deepEqual((await factsOf(second)).inSync, both);
  const handed = await first.cluster.ownership.change(0, version, {
    kind: "hand-over",
    next: second.replica,
    transferMs: 500,
  });
  assert.equal(handed.kind, "done");
  const now = await factsOf(second);
  assert.deepEqual([now.owner, now.next, now.transferMs], [undefined, second.replica, 500]);
  assert.equal(now.holder, undefined);
  assert.equal(now.epoch, 1);
  await acquired(second, 2);
  const last = await factsOf(first);
  assert.deepEqual([last.owner, last.next, last.epoch], [second.self, undefined, 2]);
  await chroot.close();
});

test("a member whose process has gone is not taken in", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1);
  const second = await node(chroot, 2);
  const version = await acquired(first, 1);
  await second.cluster.close();
  const both = [first.replica, second.replica];
  const change = { kind: "change-set", replicas: both, inSync: both, live: [second.self] } as const;
  assert.deepEqual(await first.cluster.ownership.change(0, version, change), { kind: "refused" });
  assert.deepEqual((await factsOf(first)).inSync, [first.replica]);
  await chroot.close();
});

test("a change on a version that has passed is refused, and so is an acquisition beside a foreign owner", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1);
  const second = await node(chroot, 2);
  const seen = await factsOf(second);
  await acquired(first, 1);
  const change = { kind: "acquire", epoch: 2, owner: second.self, isHeld: false } as const;
  assert.deepEqual(await second.cluster.ownership.change(0, seen.version, change), {
    kind: "refused",
  });
  const { version } = await factsOf(second);
  assert.deepEqual(await second.cluster.ownership.change(0, version, change), { kind: "refused" });
  assert.equal((await factsOf(second)).owner, first.self);
  await chroot.close();
});

test("a change whose answer is lost is unknown, and the next reading settles it", async () => {
  const chroot = await Given.open();
  const proxy = await chroot.proxy();
  const first = await node(chroot, 1, proxy.address + chroot.server.chroot);
  const version = await acquired(first, 1);
  const replicas = [first.replica, "2/disk-2"];
  const change = { kind: "change-set", replicas, inSync: [first.replica], live: [] } as const;
  const direct = chroot.direct();
  proxy.hold();
  const outcome = first.cluster.ownership.change(0, version, change);
  await until(async () => (await direct.exists(paths.shard(0)))?.version === version + 1);
  proxy.cut("up");
  proxy.up();
  assert.deepEqual(await outcome, { kind: "unknown" });
  const settled = await factsOf(first);
  assert.deepEqual(settled.replicas, replicas);
  assert.equal(settled.version, version + 1);
  await chroot.close();
});

test("processes are told of as they come and go", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1);
  const told = new Map<string, string | undefined>();
  const stop = first.cluster.ownership.onLive((replica, incarnation) =>
    told.set(replica, incarnation),
  );
  assert.equal(told.get(first.replica), first.self);
  const second = await node(chroot, 2);
  await until(() => told.get(second.replica) === second.self);
  await second.cluster.close();
  await until(() => told.has(second.replica) && told.get(second.replica) === undefined);
  stop();
  await chroot.close();
});

test("of two processes with one number and different disks the later one is refused, and a restart is not", async () => {
  const chroot = await Given.open();
  const first = await node(chroot, 1);
  const identity = { nodeId: 1, diskId: "another", incarnation: crypto.randomUUID() };
  const other = await chroot.cluster({ identity });
  const refused = other.announce(facts({ peer: "127.0.0.1:9" }), () => undefined);
  await assert.rejects(refused, { code: "cluster.mismatch" });
  assert.equal(first.cluster.topology.node(1)?.diskId, "disk-1");
  assert.equal((await first.cluster.client.getChildren(paths.node(1))).children.length, 1);
  // The same disk: its session may not have expired yet.
  const again = await node(chroot, 1);
  await until(() => first.cluster.topology.node(1)?.incarnation === again.self.split("/")[2]);
  await chroot.close();
});
