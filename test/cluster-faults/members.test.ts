// Goal: nodes come and go under load; shards move to them and away from them, and nothing is lost, twice or missed on the way.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ShardListed, ShardsAnswer } from "../../api/src/cluster.ts";
import { Story } from "../cluster/story.ts";

let story: Story;

before(async () => {
  story = await Story.begin({ count: 3, env: { LOGKEEP_CLUSTER_GRACE_MS: "5000" } });
});

after(() => story?.end());

async function shards(): Promise<readonly ShardListed[]> {
  const [node] = story.nodes.running();
  const response = await fetch(`${node!.http}/api/v1/cluster/shards`);
  return ((await response.json()) as ShardsAnswer).shards;
}

/** Whether each shard lies, in sync, where it is to be. */
function isSettled({ assigned, replicas }: ShardListed): boolean {
  const inSync = replicas.filter(({ isInSync, isLive }) => isInSync && isLive);
  return assigned.length === inSync.length && inSync.every(({ node }) => assigned.includes(node));
}

async function until(what: string, claim: (all: readonly ShardListed[]) => boolean): Promise<void> {
  const endMs = performance.now() + 180_000;
  let all: readonly ShardListed[] = [];
  for (;;) {
    all = await shards().catch(() => []);
    if (all.length > 0 && claim(all)) return;
    if (performance.now() > endMs) {
      throw new Error(`${what} did not come to be\n${JSON.stringify(all)}\n${story.nodes.log}`);
    }
    await sleep(250);
  }
}

test("three nodes become five, and three again: shards follow, nothing is lost on the way", async (t) => {
  const { nodes, shippers } = story;
  for (const id of [4, 5]) {
    shippers.takeGapMs();
    await nodes.startNode(id, { join: true });
    await until(`node ${id} with its share`, (all) => all.some((one) => one.owner === id));
    t.diagnostic(`node ${id} joined: longest gap ${Math.round(shippers.takeGapMs())} ms`);
  }
  await until("five settled nodes", (all) => all.every(isSettled));
  await shippers.more(200);
  for (const id of [4, 5]) {
    shippers.takeGapMs();
    assert.equal(await nodes.node(id).stop(), 0);
    await until(`shards without node ${id}`, (all) =>
      all.every((one) => isSettled(one) && !one.assigned.includes(id)),
    );
    t.diagnostic(`node ${id} left: longest gap ${Math.round(shippers.takeGapMs())} ms`);
  }
  await shippers.more(200);
  await story.check(t);
});
