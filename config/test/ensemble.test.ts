import assert from "node:assert/strict";
import { test } from "node:test";
import { isEnsembleRemote, parseEnsemble, votersOf } from "../src/ensemble.ts";
import { loadSettings } from "../src/load.ts";

const three = "1=10.0.0.1:2888:3888,2=[fd00::2]:2888:3888,3=zk-3.example.org:2888:3888";

test("members are read with their numbers, hosts and ports", () => {
  assert.deepEqual(parseEnsemble(three.split(",")), [
    { id: 1, host: "10.0.0.1", peerPort: 2888, electionPort: 3888, role: "participant" },
    { id: 2, host: "fd00::2", peerPort: 2888, electionPort: 3888, role: "participant" },
    { id: 3, host: "zk-3.example.org", peerPort: 2888, electionPort: 3888, role: "participant" },
  ]);
});

test("members without a vote are named as such, and do not count as an even number", () => {
  const texts = ["1=a:1:2", "2=[fd00::2]:3:4:observer", "3=c:5:6:observer"];
  const roles = parseEnsemble(texts).map(({ id, host, role }) => [id, host, role]);
  assert.deepEqual(roles, [
    [1, "a", "participant"],
    [2, "fd00::2", "observer"],
    [3, "c", "observer"],
  ]);
  assert.deepEqual(votersOf(texts), [1]);
});

for (const text of [
  "",
  "10.0.0.1:2888:3888",
  "0=10.0.0.1:1:2",
  "256=10.0.0.1:1:2",
  "1=10.0.0.1:1",
  "1=10.0.0.1:0:2",
  "1=10.0.0.1:1:65536",
  "1=10.0.0.1:1:1",
  "1=fd00::2:1:2",
  "1=a:1:2,2=b:1:2",
  "1=a:1:2:observer",
  "1=a:1:2:other",
  "1=a:1:2,2=b:1:2,3=c:1:2:observer",
  "1=a:1:2,1=b:1:2,3=c:1:2",
  "1=a:1:2,2=a:2:3,3=c:1:2",
]) {
  test(`${JSON.stringify(text)} is refused as an ensemble`, () => {
    assert.throws(() => parseEnsemble(text.split(",")), { code: "config.invalid" });
  });
}

test("an ensemble is remote as soon as one of its members is", () => {
  assert.equal(isEnsembleRemote(undefined), false);
  assert.equal(isEnsembleRemote(["1=127.0.0.1:1:2", "2=localhost:3:4", "3=[::1]:5:6"]), false);
  assert.equal(isEnsembleRemote(["1=127.0.0.1:1:2", "2=localhost:3:4", "3=10.0.0.1:5:6"]), true);
});

const refused: readonly (readonly [Record<string, string>, RegExp])[] = [
  [{ LOGKEEP_COORDINATOR_ENSEMBLE: three, LOGKEEP_NODE_ID: "4" }, /must name this node, node.id 4/],
  [
    { LOGKEEP_COORDINATOR_ENSEMBLE: three, LOGKEEP_CLUSTER_JOIN: "a:1" },
    /cannot be together with coordinator.connect or cluster.join/,
  ],
  [
    { LOGKEEP_COORDINATOR_CONNECT: "a:1", LOGKEEP_CLUSTER_JOIN: "a:1" },
    /cannot be together with coordinator.connect/,
  ],
  [
    { LOGKEEP_ROLES: "coordinator", LOGKEEP_CLUSTER_JOIN: "a:1" },
    /coordinator alone leave nothing to do beside the one of/,
  ],
  [
    { LOGKEEP_ROLES: "coordinator", LOGKEEP_COORDINATOR_CONNECT: "a:1" },
    /coordinator alone leave nothing to do beside the one of/,
  ],
  [
    { LOGKEEP_ROLES: "ingest", LOGKEEP_COORDINATOR_ENSEMBLE: three },
    /must hold coordinator where coordinator.ensemble is set/,
  ],
];

for (const [env, message] of refused) {
  test(`${Object.keys(env).join(" and ")} are refused: ${message.source}`, () => {
    assert.throws(() => loadSettings({ env }), message);
  });
}
