// Goal: what is put into a queue is done once, in order, however takers and connections fail.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Prng } from "../../kit/src/prng.ts";
import { isOutcomeUnknown, isZooKeeperError } from "../src/client/errors.ts";
import { steps } from "../src/client/multi.ts";
import { PriorityQueue } from "../src/recipes/priority-queue.ts";
import { Queue } from "../src/recipes/queue.ts";
import { isPassing } from "../src/recipes/until-done.ts";
import {
  disturb,
  expire,
  lasting,
  seeded,
  sessionTimeoutMs,
  until,
  world,
} from "./recipes-given.ts";

const path = "/queues/one";

test("items come out in the order in which they were put in, and are gone when they are done", async (context) => {
  const { client, party } = await world(context);
  const queue = new Queue({ client, path });
  const other = new Queue({ client: (await party()).client, path });
  for (const text of ["a", "b", "c"]) await queue.offer(Buffer.from(text));
  const [one, two] = [await queue.take(), await other.take()];
  assert.deepEqual(
    [one, two].map(({ data }) => data?.toString()),
    ["a", "b"],
  );
  await one.done([steps.create("/did-a")]);
  await two.done();
  assert.ok(one.lost.aborted);
  assert.equal(await queue.count(), 1);
  const three = await other.take();
  assert.equal(three.data?.toString(), "c");
  await three.done();
  assert.equal(await queue.count(), 0);
  assert.notEqual(await client.exists("/did-a"), null);
  assert.deepEqual((await client.getChildren(`${path}/claims`)).children, []);
});

test("takers that wait get what comes, one behind the other, and who gives up is passed over", async (context) => {
  const { client, party } = await world(context);
  const queue = new Queue({ client, path });
  const other = await party();
  const theirs = new Queue({ client: other.client, path });
  const order: string[] = [];
  const reason = new Error("enough");
  const controller = new AbortController();
  const giving = assert.rejects(queue.take({ signal: controller.signal }), reason);
  const waiting = async (): Promise<number> =>
    (await client.exists(`${path}/waiting`))?.numChildren ?? 0;
  await until(async () => (await waiting()) === 1);
  const taking = theirs.take().finally(() => order.push("theirs"));
  await until(async () => (await waiting()) === 2);
  const last = queue.take().finally(() => order.push("last"));
  await until(async () => (await waiting()) === 3);
  controller.abort(reason);
  await giving;
  await queue.offer(Buffer.from("x"));
  assert.equal((await taking).data?.toString(), "x");
  await queue.offer(Buffer.from("y"));
  assert.equal((await last).data?.toString(), "y");
  assert.deepEqual(order, ["theirs", "last"]);
  await queue.close();
  await until(async () => (await waiting()) === 0);
});

test("an item that is given back, or whose taker is lost, goes to the next with a greater token", async (context) => {
  const { client, party } = await world(context);
  const queue = new Queue({ client, path });
  await queue.offer(Buffer.from("x"));
  const first = await queue.take();
  const next = queue.take();
  await sleep(20);
  await first.giveBack();
  const second = await next;
  assert.equal(second.id, first.id);
  assert.ok(second.token > first.token);
  await second.giveBack();
  const dying = await party(sessionTimeoutMs);
  const lost = await new Queue({ client: dying.client, path }).take();
  const third = queue.take();
  await expire(dying, client);
  assert.ok((await third).token > lost.token);
  assert.ok(lost.lost.aborted);
  dying.proxy.up();
  await dying.client.connected();
  await assert.rejects(lost.done([steps.create("/by-two")]), { code: "NONODE" });
  await (await third).done([steps.create("/by-two")]);
});

test("what is done when the answer is lost is known to be done", async (context) => {
  const { client, party } = await world(context);
  const { client: cut, proxy } = await party();
  const queue = new Queue({ client: cut, path });
  await queue.offer(Buffer.from("x"));
  const delivery = await queue.take();
  proxy.hold();
  const doing = delivery.done([steps.create("/did")]);
  await until(async () => (await client.exists("/did")) !== null);
  proxy.cut("up");
  proxy.up();
  await doing;
  proxy.hold();
  const offering = queue.offer(Buffer.from("y"));
  await sleep(50);
  proxy.cut("up");
  proxy.up();
  await offering;
  assert.equal(await queue.count(), 1);
});

test("a full queue takes no more", async (context) => {
  const { client } = await world(context);
  const queue = new Queue({ client, path, itemsMax: 2 });
  await queue.offer(Buffer.from("a"));
  await queue.offer(Buffer.from("b"));
  await assert.rejects(queue.offer(Buffer.from("c")), { code: "QUOTAEXCEEDED" });
  await (await queue.take()).done();
  await queue.offer(Buffer.from("c"));
});

test("what has the lowest number goes first, and of equal ones what came first", async (context) => {
  const { client } = await world(context);
  const queue = new PriorityQueue({ client, path });
  for (const [text, priority] of [
    ["c", 5],
    ["d", 5],
    ["e", 10],
    ["b", 1],
  ] as const) {
    await queue.offer(Buffer.from(text), priority);
  }
  const taken: string[] = [];
  for (let at = 0; at < 5; at++) {
    const delivery = await queue.take();
    taken.push(String(delivery.data));
    await delivery.done();
    if (at === 0) await queue.offer(Buffer.from("a"), 0);
  }
  assert.deepEqual(taken, ["b", "a", "c", "d", "e"]);
  await assert.rejects(queue.offer(Buffer.from("x"), -1), { code: "BADARGUMENTS" });
  await assert.rejects(queue.offer(Buffer.from("x"), 10_000), { code: "BADARGUMENTS" });
});

test("each item is done once while connections and sessions are lost", async (context) => {
  await seeded(async (seed) => {
    const random = new Prng(seed);
    const { client, party } = await world(context);
    const parties = await Promise.all(Array.from({ length: 4 }, () => party(sessionTimeoutMs)));
    const count = 150;
    await client.create("/done");
    const queue = new Queue({ client, path });
    const ending = new AbortController();
    const work = parties.map(async ({ client: own }) => {
      const takers = new Queue({ client: own, path });
      while (!ending.signal.aborted) {
        const delivery = await takers.take({ signal: ending.signal }).catch(() => undefined);
        if (delivery === undefined) continue;
        await sleep(random.below(20));
        // A second time the znode would be there already.
        const effect = steps.create(`/done/${delivery.id}`, delivery.data);
        await delivery.done([effect]).catch((thrown: unknown) => {
          const isLost = isPassing(thrown) || isZooKeeperError(thrown, "NONODE");
          assert.ok(isLost, String(thrown));
          return delivery.giveBack();
        });
      }
    });
    const disturbing = disturb(parties, random, () => ending.signal.aborted);
    for (let at = 0; at < count; at++) await queue.offer(Buffer.from(String(at)));
    await until(async () => (await queue.count()) === 0);
    ending.abort();
    await Promise.all([...work, disturbing]);
    assert.equal((await client.getChildren("/done")).children.length, count);
  });
});

test("an item whose offer has no answer is in the queue once or not at all", async (context) => {
  const random = new Prng(3);
  const { client, party } = await world(context);
  const one = await party(sessionTimeoutMs);
  const queue = new Queue({ client: one.client, path });
  let [sure, unsure] = [0, 0];
  const isOver = lasting(3_000, () => sure > 0);
  const disturbing = disturb([one], random, isOver);
  while (!isOver()) {
    await queue.offer(Buffer.from("x")).then(
      () => sure++,
      (thrown: unknown) => {
        if (isOutcomeUnknown(thrown)) unsure++;
        else assert.ok(isPassing(thrown), String(thrown));
      },
    );
  }
  await disturbing;
  const there = await new Queue({ client, path }).count();
  assert.ok(sure > 0 && there >= sure && there <= sure + unsure, `${there}: ${sure} and ${unsure}`);
});
