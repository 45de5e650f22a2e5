// Goal: a node does what its roles say and nothing else, and the parts together are a whole service.
// Method: a real process for each role; each is asked for what it does and for what the others do.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import type { ShardsAnswer } from "../../api/src/cluster.ts";
import type { Service } from "../service.ts";
import { insist, shipOnce } from "./insist.ts";
import { Nodes } from "./nodes.ts";

let nodes: Nodes;
const roles = {
  1: "coordinator",
  2: "ingest",
  3: "query",
  4: "alerts",
  5: "ingest,query",
} as const;

before(async () => {
  nodes = await Nodes.start({ count: 1, args: ["--roles", roles[1]] });
  const others = [2, 3, 4, 5] as const;
  await Promise.all(
    others.map((id) => nodes.startNode(id, { join: 1, args: ["--roles", roles[id]] })),
  );
  await nodes.serving();
});

after(() => nodes?.close());

/** The status that each node gives to one request. */
async function statuses(at: string, init: RequestInit = {}): Promise<Record<string, number>> {
  const answers = await Promise.all(
    nodes.ids.map(async (id) => {
      return insist(async () => {
        const { status } = await fetch(`${nodes.node(id).http}${at}`, init);
        // Whoever is overloaded says nothing of its roles.
        assert.ok(status < 500 && status !== 429, `${at}: ${status}`);
        return [String(id), status] as const;
      });
    }),
  );
  return Object.fromEntries(answers.sort());
}

async function json<T>(service: Service, at: string): Promise<T> {
  const response = await fetch(`${service.http}${at}`);
  assert.equal(response.status, 200, at);
  return (await response.json()) as T;
}

test("each node answers what is of its roles, and says for the rest which roles it has", async () => {
  const body = `${JSON.stringify({ service: "s", host: "h", _msg: "of some role" })}\n`;
  const json = { "Content-Type": "application/x-ndjson" };
  const ingest = await statuses("/api/v1/logs", { method: "POST", headers: json, body });
  assert.deepEqual(ingest, { 1: 404, 2: 200, 3: 404, 4: 404, 5: 200 });
  const query = await statuses("/api/v1/query?query=*");
  assert.deepEqual(query, { 1: 404, 2: 404, 3: 200, 4: 404, 5: 200 });
  const alerts = await statuses("/api/v1/alerting/rules");
  assert.deepEqual(alerts, { 1: 404, 2: 404, 3: 404, 4: 200, 5: 404 });
  for (const at of ["/healthz", "/readyz", "/metrics", "/api/v1/cluster", "/api/v1/config"]) {
    assert.deepEqual(await statuses(at), { 1: 200, 2: 200, 3: 200, 4: 200, 5: 200 }, at);
  }
  const refused = await fetch(`${nodes.node(1).http}/api/v1/query?query=*`);
  assert.deepEqual(((await refused.json()) as { roles: string[] }).roles, ["coordinator"]);
});

test("records go to nodes with the role ingest alone, and any with the role query finds them", async () => {
  const endMs = performance.now() + 120_000;
  const placed = async (): Promise<number[]> => {
    const { shards } = await json<ShardsAnswer>(nodes.node(1), "/api/v1/cluster/shards");
    assert.equal(shards.length, 4);
    const isWell = shards.every((each) => each.state === "served" && each.replicas.length === 2);
    const holders = shards.flatMap(({ replicas }) => replicas.map(({ node }) => node));
    return isWell ? [...new Set(holders)].sort() : [];
  };
  let holders: readonly number[] = [];
  for (; holders.length === 0 && performance.now() < endMs; await sleep(100)) {
    holders = await placed();
  }
  assert.deepEqual(holders, [2, 5]);
  const found = (id: 3 | 5) =>
    insist(() => nodes.node(id).count("role", { partial: "deny", timeout: "60s" }));
  const already = await found(3);
  await shipOnce(nodes.node(2), [{ service: "a", host: "h", _msg: "one more role" }]);
  assert.deepEqual(await Promise.all([found(3), found(5)]), [already + 1, already + 1]);
});

test("who is a member of the coordinator alone opens no store, and shows the cluster", async () => {
  const { dataDir } = nodes.node(1);
  assert.ok(!readdirSync(dataDir).includes("storage"));
  // Otherwise that would not be the name of a store.
  assert.ok(readdirSync(nodes.node(2).dataDir).includes("storage"));
  await insist(async () => {
    const seen = await json<ClusterAnswer>(nodes.node(1), "/api/v1/cluster");
    assert.deepEqual(
      seen.nodes.map((node) => [node.id, node.state, node.roles.join()]),
      Object.entries(roles).map(([id, said]) => [Number(id), "live", said]),
    );
    assert.equal(seen.shards.owned, 4);
    assert.equal(seen.coordinator.state, "standalone");
  });
  assert.equal(await nodes.node(1).stop(), 0);
});
