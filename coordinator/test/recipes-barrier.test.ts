import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Prng } from "../../kit/src/prng.ts";
import { Barrier } from "../src/recipes/barrier.ts";
import { DoubleBarrier } from "../src/recipes/double-barrier.ts";
import {
  disturb,
  expire,
  lasting,
  seeded,
  sessionTimeoutMs,
  until,
  world,
} from "./recipes-given.ts";

test("nobody passes a barrier that is down, and everybody one that is up", async (context) => {
  const { client, party } = await world(context);
  const other = await party();
  const barrier = new Barrier({ client, path: "/barriers/one" });
  const theirs = new Barrier({ client: other.client, path: "/barriers/one" });
  await theirs.pass();
  assert.equal(await barrier.lower(), true);
  assert.equal(await theirs.lower(), false);
  let passed = 0;
  const passing = [theirs.pass(), barrier.pass()].map((each) => each.then(() => passed++));
  const reason = new Error("enough");
  const controller = new AbortController();
  const leaving = assert.rejects(theirs.pass({ signal: controller.signal }), reason);
  await sleep(30);
  controller.abort(reason);
  await leaving;
  other.proxy.cut("up");
  await sleep(30);
  assert.equal(passed, 0);
  await barrier.lift();
  await barrier.lift();
  await Promise.all(passing);
});

test("what waits at a barrier rejects when the client is closed", async (context) => {
  const { client, party } = await world(context);
  const other = await party();
  await new Barrier({ client, path: "/barriers/one" }).lower();
  const passing = new Barrier({ client: other.client, path: "/barriers/one" }).pass();
  const rejected = assert.rejects(passing, { code: "CLOSED" });
  await other.client.sync();
  await other.client.close();
  await rejected;
});

test("members enter together and leave together, and a round has a greater token than the one before", async (context) => {
  const { party } = await world(context);
  const parties = await Promise.all([party(), party(), party()]);
  const barriers = parties.map(
    ({ client }) => new DoubleBarrier({ client, path: "/barriers/two", members: 3 }),
  );
  let inside = 0;
  let entered = 0;
  const tokens: bigint[] = [];
  await Promise.all(
    barriers.map(async (barrier, at) => {
      for (let round = 1; round <= 4; round++) {
        await sleep(at * 10);
        entered++;
        const stay = await barrier.enter();
        assert.ok(entered >= 3 * round, "all have come");
        inside++;
        if (at === 0) tokens.push(stay.token);
        await sleep(at * 10);
        inside--;
        await stay.leave();
        assert.ok(inside === 0 || entered > 3 * round, "all have left");
      }
    }),
  );
  assert.equal(new Set(tokens).size, 4);
  assert.deepEqual(
    tokens,
    tokens.toSorted((a, b) => Number(a - b)),
  );
});

test("a member that gives up does not count, and one that dies does not hold up the others", async (context) => {
  const { client, party } = await world(context);
  const [dying, other] = [await party(sessionTimeoutMs), await party(sessionTimeoutMs)];
  const open = (from: typeof client) =>
    new DoubleBarrier({ client: from, path: "/barriers/three", members: 2 });
  const reason = new Error("enough");
  const controller = new AbortController();
  const giving = assert.rejects(open(client).enter({ signal: controller.signal }), reason);
  await until(async () => (await client.exists("/barriers/three"))?.numChildren === 2);
  controller.abort(reason);
  await giving;
  await until(async () => (await client.exists("/barriers/three"))?.numChildren === 1);
  const entering = [open(dying.client).enter(), open(other.client).enter()];
  const [lost, stay] = await Promise.all(entering);
  assert.equal(lost!.token, stay!.token);
  let hasLeft = false;
  const leaving = stay!.leave().then(() => {
    hasLeft = true;
  });
  await sleep(50);
  assert.ok(!hasLeft);
  await expire(dying, client);
  await leaving;
  assert.ok(lost!.lost.aborted);
  dying.proxy.up();
  await dying.client.connected();
  const again = await Promise.all([open(dying.client).enter(), open(other.client).enter()]);
  assert.ok(again[0]!.token > stay!.token);
});

test("who comes while a round is on waits for the next one", async (context) => {
  const { client, party } = await world(context);
  const open = (from: typeof client) =>
    new DoubleBarrier({ client: from, path: "/barriers/late", members: 2 });
  const [one, two] = await Promise.all([
    open(client).enter(),
    open((await party()).client).enter(),
  ]);
  let hasEntered = false;
  const late = [open(client), open((await party()).client)].map((barrier) =>
    barrier.enter().finally(() => {
      hasEntered = true;
    }),
  );
  await until(async () => (await client.exists("/barriers/late"))?.numChildren === 5);
  const leaving = one.leave();
  await sleep(50);
  assert.ok(!hasEntered);
  await Promise.all([leaving, two.leave()]);
  const [three, four] = await Promise.all(late);
  assert.ok(three!.token > one.token);
  assert.equal(three!.token, four!.token);
});

test("rounds go on while connections and sessions are lost", async (context) => {
  await seeded(async (seed) => {
    const random = new Prng(seed);
    const { party } = await world(context);
    const parties = await Promise.all(Array.from({ length: 4 }, () => party(sessionTimeoutMs)));
    const ending = new AbortController();
    const rounds = new Set<bigint>();
    const isOver = lasting(4_000, () => rounds.size > 5);
    // With one more than a round needs, none waits for a member that is cut off.
    const work = parties.map(async ({ client }) => {
      const barrier = new DoubleBarrier({ client, path: "/barriers/four", members: 3 });
      const { signal } = ending;
      while (!isOver()) {
        const stay = await barrier.enter({ signal }).catch(() => undefined);
        if (stay === undefined) break;
        rounds.add(stay.token);
        await sleep(random.below(10));
        await stay.leave();
      }
      ending.abort();
    });
    await Promise.all([...work, disturb(parties, random, isOver)]);
    assert.ok(rounds.size > 5, `only ${rounds.size} rounds`);
  });
});
