// Goal: counters count once, groups show who is there, and a cache of a tree is what the tree is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Prng } from "../../kit/src/prng.ts";
import type { ZooKeeperClient } from "../src/client/client.ts";
import { isOutcomeUnknown, isZooKeeperError } from "../src/client/errors.ts";
import { childPath } from "../src/client/paths.ts";
import { Counter } from "../src/recipes/counter.ts";
import { Group } from "../src/recipes/membership.ts";
import { PersistentEphemeral } from "../src/recipes/persistent-ephemeral.ts";
import { type CacheChange, TreeCache } from "../src/recipes/tree-cache.ts";
import {
  disturb,
  expire,
  lasting,
  seeded,
  sessionTimeoutMs,
  until,
  world,
} from "./recipes-given.ts";

test("a counter adds, and says each sum once", async (context) => {
  const { client, party } = await world(context);
  const parties = [client, (await party()).client, (await party()).client];
  const counters = parties.map((each) => new Counter({ client: each, path: "/counters/one" }));
  assert.equal(await counters[0]!.get(), 0n);
  const adding = counters.flatMap((counter) => Array.from({ length: 20 }, () => counter.add()));
  const sums = (await Promise.all(adding)).map(Number).toSorted((a, b) => a - b);
  assert.deepEqual(
    sums,
    Array.from({ length: 60 }, (_, at) => at + 1),
  );
  assert.equal(await counters[1]!.add(-(2n ** 70n)), 60n - 2n ** 70n);
  assert.equal(await counters[2]!.get({ isLinearizable: true }), 60n - 2n ** 70n);
  await Promise.all(counters.map((counter) => counter.close()));
  assert.deepEqual((await client.getChildren("/counters/one")).children, []);
  await assert.rejects(counters[0]!.add(), { code: "CLOSED" });
  await client.setData("/counters/one", Buffer.from("x"));
  await assert.rejects(counters[0]!.get(), { code: "MARSHALLINGERROR" });
});

test("an addition whose answer is lost is counted once", async (context) => {
  const { client, party } = await world(context);
  const { client: cut, proxy } = await party();
  const counter = new Counter({ client: cut, path: "/counters/one" });
  assert.equal(await counter.add(5), 5n);
  const send = cut.multi.bind(cut);
  for (let sum = 6n; sum < 9n; sum++) {
    let sends = 0;
    cut.multi = (...given) => {
      if (sends++ === 0) proxy.hold();
      return send(...given);
    };
    const adding = counter.add();
    await until(async () => String((await client.getData("/counters/one")).data) === String(sum));
    proxy.cut("up");
    proxy.up();
    assert.equal(await adding, sum);
    assert.equal(sends, 1);
    assert.equal(await counter.get(), sum);
  }
});

test("additions are counted once while connections and sessions are lost", async (context) => {
  await seeded(async (seed) => {
    const random = new Prng(seed);
    const { client, party } = await world(context);
    const parties = await Promise.all(Array.from({ length: 4 }, () => party(sessionTimeoutMs)));
    let [sure, unsure] = [0, 0];
    const isOver = lasting(4_000, () => sure > 20);
    const work = parties.map(async ({ client: own }) => {
      const counter = new Counter({ client: own, path: "/counters/one" });
      while (!isOver()) {
        await counter.add().then(
          () => sure++,
          (thrown: unknown) => {
            assert.ok(isOutcomeUnknown(thrown), String(thrown));
            unsure++;
          },
        );
      }
    });
    await Promise.all([...work, disturb(parties, random, isOver)]);
    const sum = Number(await new Counter({ client, path: "/counters/one" }).get());
    assert.ok(sure > 20 && sum >= sure && sum <= sure + unsure, `${sum}: ${sure} and ${unsure}`);
  });
});

test("a persistent ephemeral says its token, takes other data, and comes back with it", async (context) => {
  const { client, party } = await world(context);
  const own = await party(sessionTimeoutMs);
  const options = { client: own.client, path: "/pe", data: Buffer.from("x") };
  const ephemeral = new PersistentEphemeral(options);
  await ephemeral.made;
  const first = ephemeral.token as bigint;
  assert.equal((await client.exists("/pe"))?.czxid, first);
  await ephemeral.update(Buffer.from("y"));
  await expire(own, client);
  own.proxy.up();
  await until(async () => (await client.exists("/pe")) !== null);
  assert.deepEqual((await client.getData("/pe")).data, Buffer.from("y"));
  await until(() => ephemeral.token !== undefined && ephemeral.token > first);
  for (let times = 0; times < 20; times++) {
    await client.delete("/pe").catch(() => undefined);
    await until(async () => (await client.exists("/pe")) !== null);
  }
  await ephemeral.close();
  assert.equal(await client.exists("/pe"), null);
});

test("a group shows who is there, their data and their coming and going", async (context) => {
  const { client, party } = await world(context);
  const group = new Group({ client, path: "/groups/one" });
  const controller = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const members of group.changes({ signal: controller.signal })) {
      seen.push(members.map(({ id, data }) => `${id}=${data}`).join());
    }
  })();
  const at = (text: string): Promise<void> => until(() => seen.at(-1) === text);
  await at("");
  const own = await party(sessionTimeoutMs);
  const a = await new Group({ client: own.client, path: "/groups/one" }).join(
    "a",
    Buffer.from("1"),
  );
  await at("a=1");
  const b = await group.join("b", Buffer.from("2"));
  await at("a=1,b=2");
  await a.update(Buffer.from("3"));
  await at("a=3,b=2");
  const before = await group.members();
  await expire(own, client);
  await at("b=2");
  own.proxy.up();
  await at("b=2,a=3");
  const after = await group.members();
  assert.ok(after[1]!.token > before[0]!.token, "another stay of the same member");
  await a.close();
  await at("b=2");
  await b.close();
  await at("");
  controller.abort();
  await watching;
});

async function snapshot(client: ZooKeeperClient, path: string): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (let left = [path]; left.length > 0; ) {
    const at = left.pop() as string;
    const { data, stat } = await client.getData(at);
    all.set(at, `${stat.czxid} ${stat.mzxid} ${data}`);
    for (const name of (await client.getChildren(at)).children) left.push(childPath(at, name));
  }
  return all;
}

function cached(cache: TreeCache, path: string): Map<string, string> {
  const all = new Map<string, string>();
  for (let left = [path]; left.length > 0; ) {
    const at = left.pop() as string;
    const znode = cache.get(at);
    if (znode !== undefined) {
      all.set(at, `${znode.stat.czxid} ${znode.stat.mzxid} ${znode.data}`);
    }
    for (const name of cache.children(at)) left.push(childPath(at, name));
  }
  return all;
}

test("a cache tells of changes and shows them", async (context) => {
  const { client, party } = await world(context);
  await client.create("/c", Buffer.from("top"));
  await client.create("/c/a", Buffer.from("1"));
  const cache = await TreeCache.open({ client: (await party()).client, path: "/c" });
  assert.ok(cache.isCurrent);
  assert.equal(cache.size, 2);
  assert.deepEqual(cache.children("/c"), ["a"]);
  const controller = new AbortController();
  const changes = cache.changes({ signal: controller.signal });
  const told = async (): Promise<string> => {
    const { value } = await changes.next();
    const change = value as Exclude<CacheChange, { readonly kind: "missed" }>;
    return `${change.kind} ${change.path} ${change.znode.data}`;
  };
  await client.setData("/c/a", Buffer.from("2"));
  assert.equal(await told(), "changed /c/a 2");
  await client.create("/c/a/b", Buffer.from("3"));
  assert.equal(await told(), "added /c/a/b 3");
  await client.delete("/c/a/b");
  assert.equal(await told(), "removed /c/a/b 3");
  assert.equal(cache.get("/c/a/b"), undefined);
  assert.deepEqual(cache.get("/c/a")?.data, Buffer.from("2"));
  await client.delete("/c/a");
  await client.delete("/c");
  assert.equal(await told(), "removed /c/a 2");
  assert.equal(await told(), "removed /c top");
  await client.create("/c", Buffer.from("anew"));
  assert.equal(await told(), "added /c anew");
  controller.abort();
  assert.equal((await changes.next()).done, true);
  await cache.close();
});

test("a cache that would hold too much is refused, or closed and says why", async (context) => {
  const { client } = await world(context);
  await client.create("/c");
  await client.create("/c/a", Buffer.alloc(100));
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const options = { client, path: "/c", onFailure: resolve };
  await assert.rejects(TreeCache.open({ ...options, znodesMax: 1 }), { code: "QUOTAEXCEEDED" });
  await assert.rejects(TreeCache.open({ ...options, bytesMax: 99 }), { code: "QUOTAEXCEEDED" });
  assert.ok(isZooKeeperError(await promise, "QUOTAEXCEEDED"));
  const cache = await TreeCache.open({ ...options, znodesMax: 2 });
  const changes = cache.changes();
  await client.create("/c/b");
  for await (const _ of changes) assert.fail("nothing has changed");
  assert.ok(!cache.isCurrent);
});

test("a cache is what the tree is, whatever happens to its connection", async (context) => {
  await seeded(async (seed) => {
    const random = new Prng(seed);
    const { client, party } = await world(context);
    const own = await party(sessionTimeoutMs);
    await client.create("/c");
    const cache = await TreeCache.open({ client: own.client, path: "/c" });
    const told = new Map<string, string>([["/c", ""]]);
    cache.onChange((change) => {
      if (change.kind === "missed") return;
      const { kind, path, znode } = change;
      assert.equal(kind === "added", !told.has(path), `${kind} ${path}`);
      if (kind === "removed") told.delete(path);
      else told.set(path, String(znode.data));
    });
    const started = performance.now();
    const isOver = (): boolean => performance.now() - started > 4_000;
    const disturbing = disturb([own], random, isOver);
    while (!isOver()) {
      let path = "/c";
      for (let depth = random.below(3); depth >= 0; depth--) path += `/${random.below(4)}`;
      const deed = random.below(3);
      const doing =
        deed === 0
          ? client.create(path, Buffer.from(String(random.below(100))))
          : deed === 1
            ? client.setData(path, Buffer.from(String(random.below(100))))
            : client.delete(path);
      await doing.catch((thrown: unknown) =>
        assert.ok(isZooKeeperError(thrown, "NONODE", "NODEEXISTS", "NOTEMPTY"), String(thrown)),
      );
      if (random.chance(0.02)) await sleep(random.below(100));
    }
    await disturbing;
    await until(() => cache.isCurrent);
    const right = await snapshot(client, "/c");
    await until(() => {
      const now = cached(cache, "/c");
      return now.size === right.size && [...right].every(([path, text]) => now.get(path) === text);
    });
    assert.deepEqual([...told.keys()].toSorted(), [...right.keys()].toSorted());
    await cache.close();
  });
});
