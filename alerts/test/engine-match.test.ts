import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { systemClock } from "../../kit/src/clock.ts";
import type { AlertRecord } from "../src/ports.ts";
import { deliverAll, type Following, ruleOf, until, World } from "./world.ts";

const match = { type: "match", query: "panic", keepFor: "2s" };

function worldOf(context: TestContext): World {
  const world = new World({ clock: systemClock });
  context.after(() => world.close());
  return world;
}

/** What the rule follows now. */
async function following(world: World, number: number): Promise<Following> {
  await until(() => world.followings.length >= number);
  const found = world.followings[number - 1];
  assert.ok(found !== undefined);
  return found;
}

const lines = (...texts: string[]): AlertRecord[] => texts.map((_msg) => ({ _msg }));
const told = (world: World) => world.sent.map(({ notification }) => notification);
const statuses = (world: World) => told(world).map(({ status, count }) => [status, count]);

test("a match fires with the first batch and resolves by time after the last", async (t) => {
  const world = worldOf(t);
  await world.rules.put("t", ruleOf(match));
  const alerts = await world.open();
  const source = await following(world, 1);
  assert.deepEqual(
    [source.options.tenant, source.options.query, source.options.after, source.options.linesMax],
    ["t", "panic", undefined, 3],
  );
  await source.give({ count: 0, lines: [], progress: "p0" });
  const beforeMs = Date.now();
  await source.give({ count: 5, lines: lines("a", "b", "c"), progress: "p1" });
  await source.give({ count: 2, lines: lines("d"), progress: "p2" });
  assert.equal(alerts.alerts("t")[0]?.count, 7);
  await until(() => world.scheduler?.ids.size === 2);
  await deliverAll(world);
  assert.deepEqual(statuses(world), [
    ["firing", 5],
    ["resolved", 7],
  ]);
  const [fired, resolved] = told(world);
  assert.deepEqual(fired?.lines, lines("a", "b", "c"));
  assert.ok(Date.parse(resolved?.endsAt ?? "") >= beforeMs + 2000);
  assert.equal(resolved?.startsAt, fired?.startsAt);
  assert.equal(alerts.figures().matched, 7);
});

test("a match that resolved at once may fire again in the same moment, as another alert", async (t) => {
  const world = worldOf(t);
  await world.rules.put("t", ruleOf({ ...match, keepFor: "0s" }));
  await world.open();
  const source = await following(world, 1);
  for (let i = 1; i <= 3; i++) {
    await source.give({ count: 1, lines: lines("a"), progress: `p${i}` });
    await until(() => world.scheduler?.ids.size === 2 * i);
  }
  await deliverAll(world);
  assert.equal(world.keys().length, 6);
});

test("a restart goes on behind what was written, with an alert that fires", async (t) => {
  const world = worldOf(t);
  await world.rules.put("t", ruleOf({ ...match, keepFor: "1h" }));
  await world.open();
  const source = await following(world, 1);
  await source.give({ count: 0, lines: [], progress: "p0" });
  await source.give({ count: 2, lines: lines("a"), progress: "p1" });
  // Not written each time: it is counted again from p1.
  await source.give({ count: 3, lines: lines("b"), progress: "p2" });
  world.crash();
  const next = await world.open();
  const again = await following(world, 2);
  assert.equal(again.options.after, "p1");
  await again.give({ count: 3, lines: lines("b"), progress: "p2" });
  assert.equal(next.alerts("t")[0]?.count, 5);
  await until(() => world.scheduler?.ids.size === 1);
  await deliverAll(world);
  assert.deepEqual(statuses(world), [["firing", 2]]);
});

test("an alert whose time ran out while nobody looked waits for what came meanwhile", async (t) => {
  const world = worldOf(t);
  await world.rules.put("t", ruleOf(match));
  await world.open();
  const source = await following(world, 1);
  await source.give({ count: 1, lines: lines("a"), progress: "p1" });
  world.crash();
  await new Promise((resolve) => setTimeout(resolve, 2100));
  const next = await world.open();
  const again = await following(world, 2);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(next.alerts("t").length, 1);
  await again.give({ count: 1, lines: lines("b"), progress: "p2" });
  assert.equal(next.alerts("t")[0]?.count, 2);
  await until(() => next.alerts("t").length === 0);
  await deliverAll(world);
  assert.deepEqual(statuses(world), [
    ["firing", 1],
    ["resolved", 2],
  ]);
});

test("a source that fails is begun again from the progress, and that is shown", async (t) => {
  const world = worldOf(t);
  await world.rules.put("t", ruleOf(match));
  const alerts = await world.open();
  const source = await following(world, 1);
  await source.give({ count: 0, lines: [], progress: "p0" });
  source.fail(new Error("the shard moved"));
  await until(() => alerts.rules("t")[0]?.error === "the shard moved");
  const again = await following(world, 2);
  assert.equal(again.options.after, "p0");
  await again.give({ count: 0, lines: [], progress: "p0" });
  assert.equal(alerts.rules("t")[0]?.error, undefined);
});

test("a batch that cannot be written is not lost, and not counted twice", async (t) => {
  const world = worldOf(t);
  await world.rules.put("t", ruleOf({ ...match, keepFor: "1h" }));
  const alerts = await world.open();
  const source = await following(world, 1);
  await source.give({ count: 0, lines: [], progress: "p0" });
  world.onAppend = () => Promise.reject(new Error("the disk is full"));
  await assert.rejects(source.give({ count: 1, lines: lines("a"), progress: "p1" }));
  await until(() => alerts.rules("t")[0]?.error !== undefined);
  world.onAppend = () => Promise.resolve();
  const again = await following(world, 2);
  assert.equal(again.options.after, "p1", "the entry that failed was made first");
  await deliverAll(world);
  assert.deepEqual(statuses(world), [["firing", 1]]);
  assert.equal(alerts.alerts("t")[0]?.count, 1);
});

test("another query is followed from now on, the same one goes on", async (t) => {
  const world = worldOf(t);
  const rule = ruleOf({ ...match, keepFor: "1h" });
  await world.rules.put("t", rule);
  const alerts = await world.open();
  const source = await following(world, 1);
  await source.give({ count: 1, lines: lines("a"), progress: "p1" });
  await world.rules.put("t", { ...rule, labels: { a: "b" } });
  const second = await following(world, 2);
  assert.equal(source.options.signal.aborted, true);
  assert.equal(second.options.after, "p1");
  assert.deepEqual(alerts.alerts("t")[0]?.labels, { a: "b" });
  await world.rules.put("t", { ...rule, query: "crash" });
  const third = await following(world, 3);
  assert.deepEqual([third.options.after, third.options.query], [undefined, "crash"]);
  await deliverAll(world);
  assert.deepEqual(statuses(world), [
    ["firing", 1],
    ["resolved", 1],
  ]);
});

test("close ends what is followed", async (t) => {
  const world = worldOf(t);
  await world.rules.put("t", ruleOf(match));
  const alerts = await world.open();
  const source = await following(world, 1);
  await alerts.close();
  assert.equal(source.options.signal.aborted, true);
  await assert.rejects(source.give({ count: 1, lines: [], progress: "p" }));
  assert.deepEqual(world.journal, []);
});
