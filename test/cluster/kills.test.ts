// Goal: whatever dies or stands still, each acknowledged record is there once, from any node, no answer misses any, and writes go on within seconds.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Story } from "./story.ts";

/** Rounds of the random story; soak raises them. */
const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 3);

let story: Story;

before(async () => {
  story = await Story.begin({ count: 3 });
});

after(() => story?.end());

test("each node is killed in turn and comes back: writes go on, nothing is lost or twice", async (t) => {
  const { nodes, queriers, shippers } = story;
  for (const id of [1, 2, 3]) {
    shippers.takeGapMs();
    await nodes.node(id).kill();
    await shippers.more(400);
    await queriers.more(1);
    t.diagnostic(`node ${id} killed: longest gap ${Math.round(shippers.takeGapMs())} ms`);
    await nodes.startNode(id);
    await nodes.serving();
    await shippers.more(200);
  }
  await story.check(t);
});

test("a node that stands still for longer than its session is no owner any more when it goes on", async (t) => {
  const { nodes, shippers } = story;
  const paused = nodes.node(1);
  paused.child.kill("SIGSTOP");
  try {
    await sleep(9000);
    await shippers.more(400);
  } finally {
    paused.child.kill("SIGCONT");
  }
  await shippers.more(200);
  await story.check(t);
});

test("all nodes are restarted one after the other, as an operator does", async (t) => {
  const { nodes, shippers } = story;
  for (const id of [1, 2, 3]) {
    shippers.takeGapMs();
    assert.equal(await nodes.node(id).stop(), 0);
    await nodes.startNode(id);
    await nodes.serving();
    t.diagnostic(`node ${id} restarted: longest gap ${Math.round(shippers.takeGapMs())} ms`);
  }
  await shippers.more(200);
  await story.check(t);
});

test("nodes are killed at random, two at once now and then", async (t) => {
  const { nodes, shippers } = story;
  for (let round = 0; round < rounds; round++) {
    const ids = [1, 2, 3].toSorted(() => Math.random() - 0.5).slice(0, Math.random() < 0.3 ? 2 : 1);
    await Promise.all(ids.map((id) => nodes.node(id).kill()));
    await sleep(Math.random() * 3000);
    await Promise.all(ids.map((id) => nodes.startNode(id)));
    await nodes.serving();
    await shippers.more(100);
  }
  await story.check(t);
});
