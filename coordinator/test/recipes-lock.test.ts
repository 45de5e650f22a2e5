// Goal: locks protect under lost answers, lost connections and lost sessions, in order, and leave nothing behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Prng } from "../../kit/src/prng.ts";
import type { ZooKeeperClient } from "../src/client/client.ts";
import { steps } from "../src/client/multi.ts";
import type { Hold } from "../src/recipes/hold.ts";
import { Lock } from "../src/recipes/lock.ts";
import { ReadWriteLock } from "../src/recipes/read-write-lock.ts";
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

const path = "/locks/one";

test("a lock is held by one at a time, in the order of asking, with tokens that grow", async (context) => {
  const { client, party } = await world(context);
  const parties = await Promise.all([party(), party(), party()]);
  const locks = parties.map((each) => new Lock({ client: each.client, path }));
  const tokens: bigint[] = [];
  const order: number[] = [];
  let holders = 0;
  const first = await locks[0]!.acquire({ data: Buffer.from("me") });
  const turns: Promise<void>[] = [];
  for (const [at, lock] of locks.entries()) {
    const turn = lock.acquire().then(async (hold) => {
      assert.equal(++holders, 1);
      tokens.push(hold.token);
      order.push(at);
      await sleep(5);
      holders--;
      await hold.release();
    });
    turns.push(turn);
    await until(async () => (await locks[0]!.entries()).length === at + 2);
  }
  const entries = await new Lock({ client, path }).entries();
  assert.deepEqual(entries[0]?.data, Buffer.from("me"));
  assert.equal(tokens.length, 0);
  await first.release();
  await Promise.all(turns);
  assert.deepEqual(order, [0, 1, 2]);
  assert.deepEqual(
    tokens,
    tokens.toSorted((a, b) => Number(a - b)),
  );
  assert.ok(first.token < tokens[0]!);
  assert.deepEqual((await client.getChildren(path)).children, []);
});

test("a lock that others hold is not had by trying, and trying leaves nothing behind", async (context) => {
  const { client, party } = await world(context);
  const lock = new Lock({ client, path });
  const other = new Lock({ client: (await party()).client, path });
  {
    await using hold = (await lock.tryAcquire()) as Hold;
    assert.ok(!hold.lost.aborted);
    assert.equal(await other.tryAcquire(), undefined);
  }
  assert.notEqual(await other.tryAcquire(), undefined);
  assert.equal((await lock.entries()).length, 1);
});

test("who gives up waiting leaves nothing behind, also when the answer to its entry is lost", async (context) => {
  const { client, party } = await world(context);
  const lock = new Lock({ client, path });
  await lock.acquire();
  const waiter = await party();
  const other = new Lock({ client: waiter.client, path });
  const reason = new Error("enough");
  const controller = new AbortController();
  const waiting = assert.rejects(other.acquire({ signal: controller.signal }), reason);
  await until(async () => (await lock.entries()).length === 2);
  controller.abort(reason);
  await waiting;
  await until(async () => (await lock.entries()).length === 1);
  const early = AbortSignal.abort(reason);
  await assert.rejects(other.acquire({ signal: early }), reason);
  const later = new AbortController();
  waiter.proxy.hold();
  const lost = assert.rejects(other.acquire({ signal: later.signal }), reason);
  await until(async () => (await lock.entries()).length === 2);
  later.abort(reason);
  await lost;
  waiter.proxy.cut("up");
  waiter.proxy.up();
  await until(async () => (await lock.entries()).length === 1);
  assert.equal((await waiter.client.getEphemerals(path)).length, 0);
});

test("an entry whose answer is lost is found again, and there is only one", async (context) => {
  const { client, party } = await world(context);
  const { client: cut, proxy } = await party();
  const lock = new Lock({ client: cut, path });
  await (await lock.acquire()).release();
  proxy.hold();
  const acquiring = lock.acquire();
  await until(async () => (await client.exists(path))?.numChildren === 1);
  proxy.cut("up");
  proxy.up();
  const hold = await acquiring;
  assert.equal((await lock.entries()).length, 1);
  assert.equal((await client.exists(hold.path))?.czxid, hold.token);
});

test("a holder hears of a lost connection at once, or only when its session may be over", async (context) => {
  const { client, party } = await world(context);
  const { client: cut, proxy } = await party(sessionTimeoutMs);
  const strict = await new Lock({ client: cut, path: "/a" }).acquire();
  const lasting = await new Lock({ client: cut, path: "/b", lostWhen: "lapsed" }).acquire();
  proxy.cut("up");
  await until(() => strict.lost.aborted);
  await cut.connected();
  await cut.sync();
  assert.ok(!lasting.lost.aborted);
  await client.multi(lasting.guard([steps.create("/fenced")]));
  proxy.cut("down");
  await until(() => lasting.lost.aborted);
  assert.notEqual(await client.exists(lasting.path), null, "the holder hears before others act");
  proxy.up();
  await Promise.all([strict.release(), lasting.release()]);
});

test("after the holder's session expired the next one has a greater token, and the first is fenced", async (context) => {
  const { client, party } = await world(context);
  const holder = await party(sessionTimeoutMs);
  const hold = await new Lock({ client: holder.client, path }).acquire();
  const next = new Lock({ client, path }).acquire();
  await expire(holder, client);
  const after = await next;
  assert.ok(hold.lost.aborted);
  assert.ok(after.token > hold.token);
  await assert.rejects(client.multi(hold.guard([steps.create("/late")])), {
    code: "NONODE",
    index: 0,
  });
  holder.proxy.up();
  await hold.release();
  await client.multi(after.guard([steps.create("/late")]));
});

test("a waiter whose session expires waits again, behind the others", async (context) => {
  const { client, party } = await world(context);
  const lock = new Lock({ client, path });
  const hold = await lock.acquire();
  const waiter = await party(sessionTimeoutMs);
  const waiting = new Lock({ client: waiter.client, path }).acquire();
  await until(async () => (await lock.entries()).length === 2);
  const before = (await lock.entries())[1]?.name;
  await expire(waiter, client);
  waiter.proxy.up();
  await until(async () => (await lock.entries()).length === 2);
  assert.notEqual((await lock.entries())[1]?.name, before);
  await hold.release();
  assert.ok(!(await waiting).lost.aborted);
});

test("a holder whose znode somebody deletes hears of it", async (context) => {
  const { client, party } = await world(context);
  const hold = await new Lock({ client: (await party()).client, path }).acquire();
  await client.delete(hold.path);
  await until(() => hold.lost.aborted);
  await hold.release();
});

test("a lock that is closed is free, and what waits for it rejects", async (context) => {
  const { client, party } = await world(context);
  const lock = new Lock({ client, path });
  const hold = await lock.acquire();
  const waiting = assert.rejects(lock.acquire(), { code: "CLOSED" });
  const other = new Lock({ client: (await party()).client, path });
  const next = other.acquire();
  await until(async () => (await other.entries()).length === 3);
  await lock.close();
  await waiting;
  assert.ok(hold.lost.aborted);
  await next;
  await assert.rejects(lock.acquire(), { code: "CLOSED" });
  assert.equal((await other.entries()).length, 1);
});

test("a release wakes the next one and nobody else", async (context) => {
  const { client, party } = await world(context);
  const asked = new Map<ZooKeeperClient, number>();
  const lock = new Lock({ client, path });
  const hold = await lock.acquire();
  const waiters = [];
  for (let at = 0; at < 6; at++) {
    const waiter = (await party()).client;
    const list = waiter.getChildren.bind(waiter);
    waiter.getChildren = (...given) => {
      asked.set(waiter, (asked.get(waiter) ?? 0) + 1);
      return list(...given);
    };
    waiters.push({ waiter, acquiring: new Lock({ client: waiter, path }).acquire() });
    await until(async () => (await lock.entries()).length === at + 2);
    await until(async () => (asked.get(waiter) ?? 0) > 0);
  }
  await sleep(50);
  asked.clear();
  await hold.release();
  await waiters[0]!.acquiring;
  await sleep(50);
  assert.deepEqual([...asked.keys()], [waiters[0]!.waiter]);
  for (const { acquiring } of waiters) acquiring.catch(() => undefined);
});

test("readers hold together, writers alone, and a writer that waits is not overtaken", async (context) => {
  const { client, party } = await world(context);
  const lock = new ReadWriteLock({ client, path });
  const other = new ReadWriteLock({ client: (await party()).client, path });
  const [one, two] = [await lock.read(), await other.read()];
  assert.equal(await lock.tryWrite(), undefined);
  const writing = other.write();
  await until(async () => (await lock.entries()).length === 3);
  assert.equal(await lock.tryRead(), undefined, "behind the writer");
  const late = lock.read();
  await until(async () => (await lock.entries()).length === 4);
  await one.release();
  await sleep(20);
  await two.release();
  const writer = await writing;
  assert.ok(writer.token > one.token && writer.token > two.token);
  await writer.release();
  const after = await late;
  assert.ok(after.token > writer.token);
  assert.notEqual(await other.tryRead(), undefined);
  await Promise.all([lock.close(), other.close()]);
});

for (const kind of ["lock", "read-write lock"] as const) {
  test(`holders of a ${kind} never overlap while connections and sessions are lost`, async (context) => {
    await seeded(async (seed) => {
      const random = new Prng(seed);
      const { client, party } = await world(context);
      const parties = await Promise.all(Array.from({ length: 5 }, () => party(sessionTimeoutMs)));
      await client.create("/log");
      let writers = 0;
      let readers = 0;
      let turns = 0;
      const isOver = lasting(5_000, () => turns > 20);
      const work = parties.map(async ({ client: own }) => {
        const locks = new Lock({ client: own, path });
        const shared = new ReadWriteLock({ client: own, path });
        while (!isOver()) {
          const isWriter = kind === "lock" || random.chance(0.5);
          const acquiring =
            kind === "lock" ? locks.acquire() : isWriter ? shared.write() : shared.read();
          const hold = await acquiring;
          turns++;
          // Who has not been told otherwise believes that it holds.
          assert.equal(writers, 0, "a writer holds");
          if (isWriter) assert.equal(readers, 0, "readers hold");
          if (isWriter) writers++;
          else readers++;
          let isHolding = true;
          const end = (): void => {
            if (!isHolding) return;
            isHolding = false;
            if (isWriter) writers--;
            else readers--;
          };
          if (hold.lost.aborted) end();
          hold.lost.addEventListener("abort", end);
          const entry = Buffer.from(String(hold.token));
          const writes = [steps.create("/log/e-", entry, { mode: "persistentSequential" })];
          if (isWriter) await own.multi(hold.guard(writes)).catch(ignoreFenced);
          await sleep(random.below(10));
          end();
          await hold.release();
        }
      });
      await Promise.all([...work, disturb(parties, random, isOver)]);
      assert.ok(turns > 20, `only ${turns} turns`);
      const { children } = await client.getChildren("/log");
      const written = await Promise.all(children.map((name) => client.getData(`/log/${name}`)));
      written.sort((a, b) => (a.stat.czxid < b.stat.czxid ? -1 : 1));
      const tokens = written.map(({ data }) => BigInt(data!.toString()));
      for (const [at, token] of tokens.entries()) {
        assert.ok(at === 0 || token >= tokens[at - 1]!, "a write of an earlier holder came late");
      }
    });
  });
}

function ignoreFenced(thrown: unknown): void {
  if (isPassing(thrown) || (thrown as { code?: string }).code === "NONODE") return;
  throw thrown;
}
