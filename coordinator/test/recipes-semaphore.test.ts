import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Prng } from "../../kit/src/prng.ts";
import type { Hold } from "../src/recipes/hold.ts";
import { Semaphore } from "../src/recipes/semaphore.ts";
import {
  disturb,
  expire,
  lasting,
  seeded,
  sessionTimeoutMs,
  until,
  world,
} from "./recipes-given.ts";

const path = "/semaphores/one";

test("as many hold as there are permits, and the next one follows whoever leaves", async (context) => {
  const { client, party } = await world(context);
  const semaphore = new Semaphore({ client, path, permits: 2 });
  const other = new Semaphore({ client: (await party()).client, path, permits: 2 });
  const [one, two] = [await semaphore.acquire(), await other.acquire()];
  assert.equal(await semaphore.tryAcquire(), undefined);
  const order: string[] = [];
  const said = (name: string, acquiring: Promise<Hold>): Promise<Hold> =>
    acquiring.finally(() => order.push(name));
  const three = said("three", other.acquire());
  await until(async () => (await semaphore.entries()).length === 3);
  const four = said("four", semaphore.acquire());
  await until(async () => (await semaphore.entries()).length === 4);
  await two.release();
  assert.ok((await three).token > two.token);
  await sleep(20);
  assert.deepEqual(order, ["three"]);
  await one.release();
  await four;
  await Promise.all([semaphore.close(), other.close()]);
  assert.deepEqual((await client.getChildren(path)).children, []);
});

test("everybody must say the same number of permits", async (context) => {
  const { client } = await world(context);
  await new Semaphore({ client, path, permits: 2 }).acquire();
  const other = new Semaphore({ client, path, permits: 3 });
  await assert.rejects(other.acquire(), { code: "BADARGUMENTS" });
  await assert.rejects(other.tryAcquire(), { code: "BADARGUMENTS" });
  assert.throws(() => new Semaphore({ client, path, permits: 0 }), { code: "BADARGUMENTS" });
});

test("a permit comes back when the session of its holder expires", async (context) => {
  const { client, party } = await world(context);
  const holder = await party(sessionTimeoutMs);
  const lost = await new Semaphore({ client: holder.client, path, permits: 1 }).acquire();
  const next = new Semaphore({ client, path, permits: 1 }).acquire();
  await expire(holder, client);
  assert.ok((await next).token > lost.token);
  assert.ok(lost.lost.aborted);
});

test("never more hold than there are permits while connections and sessions are lost", async (context) => {
  await seeded(async (seed) => {
    const random = new Prng(seed);
    const { client, party } = await world(context);
    const parties = await Promise.all(Array.from({ length: 7 }, () => party(sessionTimeoutMs)));
    const permits = 3;
    const holding = new Set<Hold>();
    let most = 0;
    let turns = 0;
    const isOver = lasting(4_000, () => turns > 20 && most === permits);
    const work = parties.map(async ({ client: own }) => {
      const semaphore = new Semaphore({ client: own, path, permits });
      while (!isOver()) {
        const hold = await semaphore.acquire();
        turns++;
        const end = (): boolean => holding.delete(hold);
        if (!hold.lost.aborted) holding.add(hold);
        hold.lost.addEventListener("abort", end);
        most = Math.max(most, holding.size);
        await sleep(random.below(20));
        end();
        await hold.release();
      }
    });
    await Promise.all([...work, disturb(parties, random, isOver)]);
    assert.equal(most, permits);
    assert.ok(turns > 20, `only ${turns} turns`);
    await until(async () => (await client.getChildren(path)).children.length === 0);
  });
});
