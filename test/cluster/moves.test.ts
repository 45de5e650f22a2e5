// Goal: while shards move, seal and merge, and their owners die in the middle of it, no answer misses a record, and none shows what later vanishes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ShardListed, ShardsAnswer } from "../../api/src/cluster.ts";
import { insist } from "./insist.ts";
import { Story } from "./story.ts";

/** Moves, each with a death in it; soak raises them. */
const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 3);

/** Within this time from the request an owner dies, in milliseconds: a move takes about as long. */
const moveMs = 1500;

let story: Story;

before(async () => {
  const env = { LOGKEEP_STORAGE_SEAL_AGE_MS: "2000" };
  story = await Story.begin({ count: 3, env, queriers: 3 });
});

after(() => story?.end());

/** A shard that is at rest, and where it could go. */
async function movable(): Promise<{ shard: ShardListed; from: number; to: number }> {
  const endMs = performance.now() + 90_000;
  for (;;) {
    const [node] = story.nodes.running();
    const shards = await insist(async () => {
      const response = await fetch(`${node!.http}/api/v1/cluster/shards`);
      assert.equal(response.status, 200);
      return ((await response.json()) as ShardsAnswer).shards;
    });
    const at = shards.filter(({ state, owner, replicas }) => {
      return state === "served" && owner !== undefined && replicas.every((each) => each.isInSync);
    });
    const shard = at[Math.floor(Math.random() * at.length)];
    const to = story.nodes.ids.find((id) => shard?.replicas.every((each) => each.node !== id));
    if (shard?.owner !== undefined && to !== undefined) return { shard, from: shard.owner, to };
    if (performance.now() > endMs) throw new Error(`nothing can move: ${JSON.stringify(shards)}`);
    await sleep(250);
  }
}

/** What is at rest may have been moved by others meanwhile, which is refused: then another one. */
async function moving(): Promise<number> {
  return insist(async () => {
    const { shard, from, to } = await movable();
    await move(shard.id, from, to);
    return from;
  });
}

async function move(shard: number, from: number, to: number): Promise<void> {
  const response = await fetch(`${story.nodes.node(to).http}/api/v1/cluster/shards/${shard}/move`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ from, to }),
  });
  assert.equal(response.status, 204, await response.text());
}

test("the owner dies while its shard moves: each record is there once, in every answer", async (t) => {
  const { nodes, queriers, shippers } = story;
  for (let round = 0; round < rounds; round++) {
    await nodes.inSync();
    const from = await moving();
    await sleep(Math.random() * moveMs);
    shippers.takeGapMs();
    await nodes.node(from).kill();
    await shippers.more(200);
    await queriers.more(3);
    t.diagnostic(`round ${round}: longest gap ${Math.round(shippers.takeGapMs())} ms`);
    await nodes.startNode(from);
    await nodes.serving();
  }
  await story.check(t);
});
