import assert from "node:assert/strict";
import test from "node:test";
import type { ClusterAnswer } from "../../api/src/answers.ts";
import type { ShardListed } from "../../api/src/cluster.ts";
import { byUrgency, copyText, nodeState, shardStates, summaryOf } from "../src/cluster-text.ts";

type Node = ClusterAnswer["nodes"][number];

const live: Node = {
  ...{ id: 1, http: "127.0.0.1:7070", roles: ["ingest"], version: "1", state: "live" },
  uptimeMs: 1000,
};
const served: ShardListed = {
  ...{ id: 0, state: "served", epoch: 1, owner: 1, assigned: [1, 2], isSingle: false },
  replicas: [1, 2].map((node) => ({ node, disk: "d", isInSync: true, isLive: true })),
};
const nobody: ReadonlySet<number> = new Set();

const nodeCases: readonly (readonly [string, Partial<Node>, number])[] = [
  ["live", {}, 3],
  ["silent for 4 s", { silentMs: 4033 }, 3],
  ["silent for 2 min", { silentMs: 125_000, isDrained: true }, 3],
  ["gone", { state: "gone", silentMs: 9000 }, 3],
  ["starting", { state: "starting" }, 0],
  ["draining 3 copies left", { isDrained: true }, 3],
  ["draining 1 copy left", { isDrained: true }, 1],
  ["live drained", { isDrained: true }, 0],
];

for (const [said, facts, copies] of nodeCases) {
  test(`a node is said to be ${said}`, () => {
    const { word, more } = nodeState({ ...live, ...facts }, copies);
    assert.equal([word, ...(more === undefined ? [] : [more])].join(" "), said);
  });
}

const shardCases: readonly (readonly [string, Partial<ShardListed>])[] = [
  ["served", {}],
  ["owner silent", { owner: 3 }],
  ["owner silent, moving", { owner: 3, state: "moving" }],
  ["moving, on one disk", { state: "moving", isSingle: true }],
  ["served, on one disk", { isSingle: true }],
  ["offline", { state: "offline" }],
  ["not made yet", { state: "unmade" }],
];

for (const [said, facts] of shardCases) {
  test(`a shard is said to be ${said}`, () => {
    const states = shardStates({ ...served, ...facts }, new Set([3]));
    assert.equal(states.map(({ word }) => word).join(", "), said);
  });
}

test("shards that nobody serves stand before those that move, and these before those that are well", () => {
  const all: readonly ShardListed[] = [
    { ...served, id: 0 },
    { ...served, id: 1, state: "moving" },
    { ...served, id: 2, state: "moving", isSingle: true },
    { ...served, id: 3, owner: 3 },
    { ...served, id: 4, state: "offline" },
  ];
  const ordered = byUrgency(all, new Set([3])).map(({ id }) => id);
  assert.deepEqual(ordered, [3, 4, 2, 1, 0]);
});

test("a copy tells what keeps it from being one to rely on", () => {
  const copy = { node: 2, disk: "d", isInSync: true, isLive: true };
  assert.equal(copyText({ ...copy, lag: 0 }, nobody), "2");
  assert.equal(
    copyText({ ...copy, isInSync: false, lag: 1200 }, nobody),
    "2 (learning, 1,200 behind)",
  );
  assert.equal(
    copyText({ ...copy, isInSync: false, isLive: false, lag: 5 }, nobody),
    "2 (gone, 5 behind)",
  );
  assert.equal(copyText({ ...copy, isLive: false }, new Set([2])), "2 (silent)");
});

test("the summary counts what is not well, and does not count seconds", () => {
  const coordinator = { address: "", state: "follower", zxid: "0x1" };
  assert.equal(
    summaryOf({ nodes: [live], coordinator }, [served]),
    "1 node, 1 shard; coordinator follower.",
  );
  const nodes: readonly Node[] = [
    live,
    { ...live, id: 2, silentMs: 4000 },
    { ...live, id: 3, state: "gone" },
  ];
  const shards: readonly ShardListed[] = [
    served,
    { ...served, id: 1, state: "offline", isSingle: true },
  ];
  const availability = { state: "electing" } as const;
  assert.equal(
    summaryOf(
      { nodes: [...nodes], coordinator: { ...coordinator, availability, unansweredMs: 9000 } },
      shards,
    ),
    "3 nodes, 1 silent, 1 gone, 2 shards, 1 offline, 1 on one disk alone; coordinator follower, without a leader.",
  );
});
