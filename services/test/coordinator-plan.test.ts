import assert from "node:assert/strict";
import test from "node:test";
import { loadSettings } from "../../config/src/load.ts";
import { coordinatorPlanOf } from "../src/coordinator-part.ts";
import type { KnownCluster } from "../src/known-cluster.ts";

/** As a node has it in `cluster.json` that joined a cluster before. */
const known: KnownCluster = {
  cluster: "c",
  coordinators: ["a:2181"],
  secured: [],
  peers: ["a:7071", "b:7071"],
};

const cases: readonly (readonly [string, Record<string, string>, KnownCluster?])[] = [
  ["own 1", {}],
  ["own 1", { LOGKEEP_ROLES: "coordinator" }],
  ["own 3", { LOGKEEP_COORDINATOR_ENSEMBLE: "1=h:1:2,2=h:3:4,3=h:5:6" }],
  ["own 3", { LOGKEEP_COORDINATOR_ENSEMBLE: "1=h:1:2,2=h:3:4,3=h:5:6" }, known],
  ["connect z:1", { LOGKEEP_COORDINATOR_CONNECT: "z:1" }],
  ["connect z:1", { LOGKEEP_COORDINATOR_CONNECT: "z:1", LOGKEEP_ROLES: "ingest" }, known],
  ["join y:1", { LOGKEEP_CLUSTER_JOIN: "y:1", LOGKEEP_ROLES: "query" }],
  ["join y:1", { LOGKEEP_CLUSTER_JOIN: "y:1" }, known],
  ["join a:7071,b:7071", {}, known],
  ["join a:7071,b:7071", { LOGKEEP_ROLES: "ingest,query" }, known],
];

for (const [wanted, env, found] of cases) {
  const given = [...Object.entries(env).map((each) => each.join("=")), ...(found ? ["known"] : [])];
  test(`a node with ${given.join(" ") || "nothing said"} goes to: ${wanted}`, () => {
    const plan = coordinatorPlanOf(loadSettings({ env }).settings, found);
    const where = plan.kind === "own" ? plan.members : plan.addresses.join(",");
    assert.equal(`${plan.kind} ${where}`, wanted);
  });
}

test("a node that has nothing to do, or nowhere to go, does not start", () => {
  const planOf = (LOGKEEP_ROLES: string, found?: KnownCluster): unknown =>
    coordinatorPlanOf(loadSettings({ env: { LOGKEEP_ROLES } }).settings, found);
  assert.throws(() => planOf("coordinator", known), {
    code: "config.invalid",
    message: /nothing to do: this node has joined a cluster/,
  });
  assert.throws(() => planOf("ingest,query"), {
    code: "config.invalid",
    message: /roles without coordinator need coordinator.connect or cluster.join/,
  });
});
