// Goal: what a node knows of the cluster is what its znodes say, also after its way of following them has failed.
// Method: a coordinator in this process; too many znodes, or an answer that cannot be read, end the cache that follows them.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { ZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { FollowedTree } from "../src/followed-tree.ts";
import { replicaOf } from "../src/node.ts";
import { paths } from "../src/paths.ts";
import { encodeBuckets } from "../src/placement/buckets.ts";
import { Topology } from "../src/topology.ts";
import { encodeZnode, type ShardState } from "../src/znode-data.ts";
import { facts, Given, until } from "./given.ts";

let given: Given;
let client: ZooKeeperClient;

beforeEach(async () => {
  given = await Given.open();
  client = given.direct();
});

afterEach(() => given.close());

/** A logger that keeps what is an error. */
function keptErrors(): { readonly errors: unknown[]; readonly logger: typeof silentLogger } {
  const errors: unknown[] = [];
  const error = (fields: object): void => void errors.push((fields as { err?: unknown }).err);
  return { errors, logger: { ...silentLogger, error } };
}

test("a tree that has grown too large is followed again once it fits, and what changed meanwhile is told", async () => {
  await client.create("/t", null);
  for (const name of ["kept", "changed", "gone"]) await client.create(`/t/${name}`, null);
  const told: string[] = [];
  const { errors, logger } = keptErrors();
  const tree = await FollowedTree.open({
    ...{ client, path: "/t", znodesMax: 5, logger, retryMs: 20 },
    take: ({ kind, path, znode }) => told.push(`${kind} ${path} ${znode.data ?? ""}`.trim()),
  });
  const all = ["added /t", "added /t/changed", "added /t/gone", "added /t/kept"];
  assert.deepEqual(told.splice(0).toSorted(), all);
  assert.equal(tree.isCurrent, true);
  await client.create("/t/fits", null);
  await until(() => told.length > 0);
  assert.deepEqual(told.splice(0), ["added /t/fits"]);
  await client.create("/t/too-many", null);
  // It tries anew, and fails anew.
  await until(() => errors.length >= 3);
  assert.ok(errors.every((each) => (each as ZooKeeperError).code === "QUOTAEXCEEDED"));
  assert.equal(tree.isCurrent, false);
  await client.setData("/t/changed", Buffer.from("other"));
  await client.delete("/t/gone");
  await until(() => tree.isCurrent && told.length > 0);
  // The cache before may have seen some of it before it ended.
  const missed = ["added /t/too-many", "changed /t/changed other", "removed /t/gone"];
  await until(() => missed.every((each) => told.includes(each)));
  assert.deepEqual(told.splice(0).toSorted(), missed);
  await client.setData("/t/kept", Buffer.from("later"));
  await until(() => told.length > 0);
  assert.deepEqual(told, ["changed /t/kept later"]);
  await tree.close();
});

test("a tree that is closed while it waits to be read anew stays closed", async () => {
  await client.create("/t", null);
  const { errors, logger } = keptErrors();
  const told: string[] = [];
  const tree = await FollowedTree.open({
    ...{ client, path: "/t", znodesMax: 2, logger, retryMs: 20 },
    take: ({ kind, path }) => told.push(`${kind} ${path}`),
  });
  await Promise.all(["a", "b"].map((name) => client.create(`/t/${name}`, null)));
  await until(() => errors.length > 0);
  await tree.close();
  await client.delete("/t/a");
  const before = [told.length, errors.length];
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual([told.length, errors.length], before);
  assert.equal(tree.isCurrent, false);
});

test("a node whose topology could not be followed learns of new owners and nodes all the same", async () => {
  const one = await given.cluster();
  await one.announce(facts({ zone: "a" }), () => undefined);
  await one.ownership.read([0]);
  const { errors, logger } = keptErrors();
  const topology = await Topology.open({ client, logger, retryMs: 20 });
  await until(() => topology.shard(0) !== undefined && topology.nodes().length === 1);
  const asked = client.multiRead.bind(client);
  let failures = 0;
  client.multiRead = async (...args) => {
    // Whatever is read now, of each of the trees, until told otherwise.
    if (failures < 0) return asked(...args);
    failures++;
    throw new ZooKeeperError("MARSHALLINGERROR", { path: "/" });
  };
  const heard: number[] = [];
  topology.onShard((shard) => heard.push(shard));
  const two = await given.cluster({
    identity: { nodeId: 2, diskId: "disk-2", incarnation: "two" },
  });
  await two.announce(facts(), () => undefined);
  await two.ownership.read([1]);
  await until(() => failures > 4);
  assert.ok(errors.length > 0);
  assert.equal(topology.isCurrent, false);
  assert.equal(topology.shard(1), undefined);
  failures = -1;
  await until(() => topology.isCurrent);
  await until(() => topology.nodes().length === 2 && topology.shard(1) !== undefined);
  assert.ok(heard.includes(1));
  await two.close();
  await until(() => topology.nodes().length === 1);
  await topology.close();
});

test("a shard is single when its records are on one disk though more are to have it, and at no other time", async () => {
  const { client } = await given.cluster();
  const replica = (nodeId: number): string => replicaOf({ nodeId, diskId: `disk-${nodeId}` });
  const state = (inSync: readonly number[]): ShardState => ({
    ...{ epoch: 1, owner: null, next: null, transferMs: 0, lossEpoch: 0 },
    replicas: [1, 2].map(replica),
    inSync: inSync.map(replica),
  });
  const topology = await Topology.open({ client, logger: silentLogger });
  assert.equal(topology.isSingle(0), false, "of which nothing is known");
  const bucket = paths.assignment(0);
  const assignedTo = (...nodes: readonly number[]): Buffer =>
    encodeBuckets(new Map([[0, nodes]])).get(0) as Buffer;
  await client.create(bucket, assignedTo(1, 2));
  await until(() => topology.assigned(0)?.length === 2);
  assert.equal(topology.isSingle(0), false, "which was not made yet");
  await client.create(paths.shard(0), encodeZnode(state([1])));
  await until(() => topology.shard(0) !== undefined);
  assert.equal(topology.isSingle(0), true, "on one disk");
  await client.setData(paths.shard(0), encodeZnode(state([1, 2])));
  await until(() => topology.shard(0)?.inSync.length === 2);
  assert.equal(topology.isSingle(0), false, "on two");
  await client.setData(paths.shard(0), encodeZnode(state([2])));
  await until(() => topology.shard(0)?.inSync.length === 1);
  assert.equal(topology.isSingle(0), true, "on one again");
  await client.setData(bucket, assignedTo(2));
  await until(() => topology.assigned(0)?.length === 1);
  assert.equal(topology.isSingle(0), false, "which is all it is to be on");
  await topology.close();
});
