import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import type { ShardsAnswer } from "../../api/src/cluster.ts";
import { freePorts } from "../../coordinator/test/free-ports.ts";
import { type Service, temporaryFolder } from "../service.ts";
import { run } from "./command.ts";
import { shipOnce } from "./insist.ts";
import { Nodes, secret } from "./nodes.ts";

// Goal: nodes become a cluster with no further step, and find each other again in whatever order they are started.
// Method: one story over real processes: three form a cluster, a fourth joins, all of them restart; then those that must not join.

let nodes: Nodes;
let shipped = 0;

before(async () => {
  nodes = await Nodes.start({ count: 3 });
});

after(() => nodes?.close());

async function json<T>(service: Service, at: string): Promise<T> {
  const response = await fetch(`${service.http}${at}`);
  assert.equal(response.status, 200, at);
  return (await response.json()) as T;
}

const statusOf = (service: Service) => json<ClusterAnswer>(service, "/api/v1/cluster");

async function shardsOf(service: Service) {
  return (await json<ShardsAnswer>(service, "/api/v1/cluster/shards")).shards;
}

async function until(what: string, claim: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 120_000;
  while (!(await claim().catch(() => false))) {
    if (performance.now() > endMs) throw new Error(`${what} did not come to be\n${nodes.log}`);
    await sleep(100);
  }
}

async function ship(service: Service): Promise<void> {
  const records = Array.from({ length: 60 }, (_, i) => ({
    ...{ service: `s${i % 20}`, host: "h", _msg: `formed ${shipped + i}` },
  }));
  await shipOnce(service, records);
  shipped += records.length;
}

/** While shards move an answer may lack some, and says so; in the end every node finds every record. */
async function allFoundAt(service: Service): Promise<void> {
  await until("each record", async () => {
    return (await service.count("formed", { partial: "deny", timeout: "60s" })) === shipped;
  });
}

test("three nodes form a cluster from empty disks, and any of them takes and finds records", async () => {
  for (const id of nodes.ids) {
    await until(`three live nodes, seen from node ${id}`, async () => {
      const { nodes: seen, shards } = await statusOf(nodes.node(id));
      const states = seen.map((each) => `${each.id} ${each.state}`);
      return states.join() === "1 live,2 live,3 live" && shards.total === 12;
    });
  }
  await until("an owner on each node, and two copies of each shard", async () => {
    const shards = await shardsOf(nodes.node(1));
    const owners = new Set(shards.map(({ owner }) => owner));
    const isCopied = shards.every(
      ({ replicas }) => replicas.filter((one) => one.isInSync).length === 2,
    );
    return owners.size === 3 && !owners.has(undefined) && isCopied;
  });
  await ship(nodes.node(2));
  for (const id of nodes.ids) await allFoundAt(nodes.node(id));
});

test("status and shard list show nodes and shards to a person", async () => {
  const { http } = nodes.node(3);
  const status = await run(["status", "--url", http]);
  assert.match(status.said, /\d+ of 12 owned/);
  const list = await run(["shard", "list", "--url", http]);
  assert.equal(list.code, 0, list.said);
  assert.equal(list.said.trim().split("\n").length, 13);
});

test("a fourth joins by naming any node, and gets its share", async () => {
  const fourth = await nodes.startNode(4, { join: true });
  await until("the fourth node's share", async () => {
    const shards = await shardsOf(fourth);
    return shards.filter(({ assigned }) => assigned.includes(4)).length >= 5;
  });
  await nodes.serving();
  await allFoundAt(fourth);
  await ship(fourth);
  await allFoundAt(nodes.node(1));
});

test("nodes that restart in any order are the same cluster with the same records", async () => {
  await Promise.all([1, 2, 3, 4].map((id) => nodes.node(id).stop()));
  // The fourth finds the coordinator by what it kept: whom it joined by is not there yet.
  const starts = [nodes.startNode(4, { join: 1 })];
  for (const id of [3, 1, 2]) {
    await sleep(500);
    starts.push(nodes.startNode(id));
  }
  await Promise.all(starts);
  await nodes.serving();
  await allFoundAt(nodes.node(2));
  await ship(nodes.node(3));
  await allFoundAt(nodes.node(1));
});

test("a node that leaves is emptied first: every shard has all of its copies elsewhere before it is stopped", async () => {
  const leaving = nodes.node(4);
  const left = await run(["node", "leave", "4", "--url", nodes.node(2).http]);
  assert.equal(left.code, 0, left.said);
  assert.match(left.said, /node 4: \d+ copies left.*nothing is left on node 4/s);
  await until("two copies of each shard", async () => {
    const shards = await shardsOf(leaving);
    return shards.every(({ owner, replicas }) => {
      const whole = replicas.filter((one) => one.isInSync && one.isLive && one.node !== 4);
      return owner !== undefined && whole.length === 2 && replicas.length === 2;
    });
  });
  assert.equal(await leaving.stop(), 0);
  await allFoundAt(nodes.node(3));
  await ship(nodes.node(1));
});

test("a second node of a number that is taken is refused, and says what to do", async () => {
  const peer = nodes.peerOf(1);
  const free = ["--http", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--data", temporaryFolder()];
  const file = path.join(temporaryFolder(), "secret");
  writeFileSync(file, secret);
  const { code, said } = await run([
    ...["start", "--node-id", "2", "--join", peer, "--secret-file", file, ...free],
  ]);
  assert.equal(code, 1, said);
  assert.match(said, /node 2 is another process already.*--node-id/s);
  const { nodes: seen } = await statusOf(nodes.node(1));
  assert.equal(seen.filter(({ id }) => id === 2).length, 1);
});

test("a node that does not know the secret does not join", async () => {
  const free = ["--http", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--data", temporaryFolder()];
  const { code, said } = await run(["start", "--node-id", "9", "--join", nodes.peerOf(1), ...free]);
  assert.equal(code, 1, said);
  assert.match(said, /secret/);
});

test("a cluster whose nodes listen to other machines needs a secret", async () => {
  const ports = await freePorts(6);
  const members = [1, 2, 3].map(
    (id) => `${id}=127.0.0.1:${ports[id * 2 - 2]}:${ports[id * 2 - 1]}`,
  );
  const free = ["--http", "127.0.0.1:0", "--coordinator", "127.0.0.1:0"];
  const { code, said } = await run([
    ...["start", "--data", temporaryFolder(), ...free],
    ...["--peer", "0.0.0.0:0", "--ensemble", members.join(",")],
  ]);
  assert.equal(code, 1, said);
  assert.match(said, /needs a secret that all nodes of the cluster share/);
});
