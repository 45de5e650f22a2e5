// Goal: whatever dies or stands still, each acknowledged record is there once, from any node, no answer misses any, and writes go on within seconds.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../kit/src/prng.ts";
import { Story } from "./story.ts";

/** Rounds of the random story; soak raises them and draws the seed. */
const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 3);
const seed = Number(process.env["SEED"] ?? 1);
/** A loss is noticed so many rounds after it at most: near enough to be found in the logs. */
const roundsPerCheck = 10;

let story: Story;

before(async () => {
  story = await Story.begin({ count: 3 });
});

after(() => story?.end());

test("each node is killed in turn and comes back: writes go on, nothing is lost or twice", async (t) => {
  const { nodes, queriers, shippers } = story;
  for (const id of [1, 2, 3]) {
    await nodes.inSync();
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
  await nodes.inSync();
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

test(`nodes are killed at random, two at once now and then, and while they come back (SEED=${seed})`, async (t) => {
  const { nodes, shippers } = story;
  const prng = new Prng(seed);
  const gapsMs: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    shippers.takeGapMs();
    const first = 1 + prng.below(3);
    const ids = prng.chance(0.3) ? [first, 1 + (first % 3)] : [first];
    await Promise.all(ids.map((id) => nodes.node(id).kill()));
    await sleep(prng.unit() * 3000);
    await Promise.all(ids.map((id) => nodes.startNode(id)));
    const isLeftToServe = prng.chance(0.8);
    if (isLeftToServe) await nodes.serving();
    await shippers.more(100);
    gapsMs.push(shippers.takeGapMs());
    if (round % roundsPerCheck === 0 || round === rounds) {
      t.diagnostic(`${round} rounds, longest gap ${Math.round(Math.max(...gapsMs))} ms`);
      await story.check(t);
    }
  }
});
