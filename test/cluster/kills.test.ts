// Goal: whatever dies or stands still, each acknowledged record is there once, from any node, and writes go on within seconds.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Nodes } from "./nodes.ts";
import { faultsOf, Shippers } from "./shippers.ts";

/** Rounds of the random story; soak raises them. */
const rounds = Number(process.env["CLUSTER_ROUNDS"] ?? 3);

let nodes: Nodes;
let shippers: Shippers;

before(async () => {
  nodes = await Nodes.start({ count: 3 });
  shippers = new Shippers({ targets: () => nodes.running() });
  await shippers.more(400);
});

after(async () => {
  await shippers.stop();
  await nodes.close();
});

/** Shipping stops for the look, since what is under way may or may not be there. */
async function checkAll(context: { diagnostic(text: string): void }): Promise<void> {
  await nodes.serving();
  await shippers.stop();
  context.diagnostic(shippers.facts);
  const { acknowledged } = shippers;
  for (const id of nodes.ids) {
    assert.deepEqual(await faultsOf(nodes.node(id), acknowledged), [], `seen from node ${id}`);
  }
  shippers = new Shippers({ targets: () => nodes.running(), acknowledged });
}

test("each node is killed in turn and comes back: writes go on, nothing is lost or twice", async (t) => {
  for (const id of [1, 2, 3]) {
    shippers.takeGapMs();
    await nodes.node(id).kill();
    await shippers.more(400);
    t.diagnostic(`node ${id} killed: longest gap ${Math.round(shippers.takeGapMs())} ms`);
    await nodes.startNode(id);
    await nodes.serving();
    await shippers.more(200);
  }
  await checkAll(t);
});

test("a node that stands still for longer than its session is no owner any more when it goes on", async (t) => {
  const paused = nodes.node(1);
  paused.child.kill("SIGSTOP");
  try {
    await sleep(9000);
    await shippers.more(400);
  } finally {
    paused.child.kill("SIGCONT");
  }
  await shippers.more(200);
  await checkAll(t);
});

test("all nodes are restarted one after the other, as an operator does", async (t) => {
  for (const id of [1, 2, 3]) {
    assert.equal(await nodes.node(id).stop(), 0);
    await nodes.startNode(id);
    await nodes.serving();
  }
  await shippers.more(200);
  await checkAll(t);
});

test("nodes are killed at random, two at once now and then", async (t) => {
  for (let round = 0; round < rounds; round++) {
    const ids = [1, 2, 3].toSorted(() => Math.random() - 0.5).slice(0, Math.random() < 0.3 ? 2 : 1);
    await Promise.all(ids.map((id) => nodes.node(id).kill()));
    await sleep(Math.random() * 3000);
    await Promise.all(ids.map((id) => nodes.startNode(id)));
    await nodes.serving();
    await shippers.more(100);
  }
  await checkAll(t);
});
