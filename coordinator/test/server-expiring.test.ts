// Goal: containers and TTL znodes are made, shown, kept over a restart and taken away as ZooKeeper does it.
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";

import { type Coordinator, startCoordinator } from "../src/server/start.ts";
import { MultiRequest, MultiResponse } from "../src/wire/multi.ts";
import {
  Create2Response,
  CreateRequest,
  CreateTtlRequest,
  PathRequest,
  SetDataRequest,
  VersionRequest,
  WatchedRequest,
} from "../src/wire/records.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { delay, eventOf, open, RawClient, serve } from "./server-harness.ts";

const often = { containerCheckMs: 20, tickTimeMs: 40 };
const container = (path: string) => ({ path, data: Buffer.from("c"), acl: open, flags: 4 });
const forMs = (path: string, ttlMs: bigint, flags = 5) => ({
  path,
  data: Buffer.from("t"),
  acl: open,
  flags,
  ttlMs,
});

/** The system's clock, ahead by what the test says. */
function clockAhead(): { now(): number; monotonicMs(): number; aheadMs: number } {
  return {
    aheadMs: 0,
    monotonicMs: () => performance.now(),
    now() {
      return Date.now() + this.aheadMs;
    },
  };
}

async function gone(client: RawClient, path: string): Promise<void> {
  while (await client.exists(path)) await delay(10);
}

/** Long enough for several looks at every container. */
async function someLooks(): Promise<void> {
  await delay(150);
}

async function clientOf(context: TestContext, { address }: Coordinator): Promise<RawClient> {
  return (await RawClient.open(context, address.port, { timeoutMs: 60_000 })).client;
}

test("a container goes once its last child has, and is told as deleted", async (context) => {
  const client = await clientOf(context, await serve(context, often));
  const made = await client.ask("createContainer", CreateRequest, container("/c"));
  const { path, stat } = Create2Response.read(made.body);
  assert.deepEqual([path, stat.ephemeralOwner], ["/c", 0n]);
  await someLooks();
  assert.equal(await client.exists("/c"), true, "it waits for its first child");
  await client.create("/c/child");
  await someLooks();
  assert.equal(await client.exists("/c"), true);
  await client.ask("exists", WatchedRequest, { path: "/c", watch: true });
  await client.ask("delete", VersionRequest, { path: "/c/child", version: -1 });
  assert.deepEqual(eventOf(await client.answer()), { type: 2, state: 3, path: "/c" });
  assert.equal(await client.exists("/c"), false);
});

test("a container that was never used goes when the settings say so", async (context) => {
  const clock = clockAhead();
  const settings = { ...often, containerUnusedMs: 60_000, clock };
  const client = await clientOf(context, await serve(context, settings));
  await client.ask("createContainer", CreateRequest, container("/c"));
  await client.create("/plain");
  await someLooks();
  assert.equal(await client.exists("/c"), true);
  clock.aheadMs = 61_000;
  await gone(client, "/c");
  assert.equal(await client.exists("/plain"), true);
});

test("a TTL znode goes when it is unchanged for its time and has no children", async (context) => {
  const clock = clockAhead();
  const client = await clientOf(context, await serve(context, { ...often, clock }));
  for (const path of ["/short", "/changed", "/parent"]) {
    const { error, body } = await client.ask("createTTL", CreateTtlRequest, forMs(path, 600_000n));
    assert.deepEqual([error, Create2Response.read(body).stat.ephemeralOwner], ["OK", 0n]);
  }
  await client.ask("createTTL", CreateTtlRequest, forMs("/long", 6_000_000n));
  const numbered = await client.ask("createTTL", CreateTtlRequest, forMs("/s-", 6_000_000n, 6));
  assert.equal(numbered.body.string(), "/s-0000000004");
  await client.create("/parent/child");
  clock.aheadMs = 400_000;
  const request = { path: "/changed", data: Buffer.from("new"), version: -1 };
  assert.equal((await client.ask("setData", SetDataRequest, request)).error, "OK");
  clock.aheadMs = 601_000;
  await gone(client, "/short");
  await someLooks();
  for (const path of ["/changed", "/parent", "/long"]) {
    assert.equal(await client.exists(path), true, path);
  }
  await client.ask("delete", VersionRequest, { path: "/parent/child", version: -1 });
  await gone(client, "/parent");
  clock.aheadMs = 1_202_000;
  await gone(client, "/changed");
  assert.equal(await client.exists("/long"), true);
});

test("containers and TTL znodes are known again after a restart, from log and snapshot", async (context) => {
  const clock = clockAhead();
  const dataDir = temporaryDirectory(context);
  // The first part is then in a snapshot, the second in a log only.
  const first = await startCoordinator({ dataDir, ...often, clock, snapCount: 4 });
  const client = await clientOf(context, first);
  const ops = ["/c1", "/c2"].map(
    (path) => ({ op: "createContainer", ...container(path) }) as const,
  );
  const ttl = { op: "createTTL", ...forMs("/t1", 60_000n) } as const;
  const multi = await client.ask("multi", MultiRequest, [...ops, ttl]);
  assert.deepEqual(
    MultiResponse.read(multi.body).map((part) => "path" in part && part.path),
    ["/c1", "/c2", "/t1"],
  );
  for (const path of ["/c1/x", "/c2/x", "/plain"]) await client.create(path);
  await client.ask("createTTL", CreateTtlRequest, forMs("/t2", 60_000n));
  client.socket.destroy();
  await first.close();
  const again = await clientOf(context, await serve(context, { dataDir, ...often, clock }));
  await again.ask("delete", VersionRequest, { path: "/c1/x", version: -1 });
  await gone(again, "/c1");
  assert.equal(await again.exists("/c2"), true);
  clock.aheadMs = 61_000;
  await gone(again, "/t1");
  await gone(again, "/t2");
  assert.equal(await again.exists("/plain"), true);
});

test("a client may delete a container by its own request only where it may delete", async (context) => {
  const coordinator = await serve(context);
  const [owner, other] = [
    await clientOf(context, coordinator),
    await clientOf(context, coordinator),
  ];
  await owner.authenticate("alice:pw");
  await owner.create("/mine", 0, [{ perms: 31, id: { scheme: "auth", id: "" } }]);
  await owner.create("/mine/plain");
  await owner.ask("createContainer", CreateRequest, container("/mine/c"));
  const remove = async (client: RawClient, path: string): Promise<string> =>
    (await client.ask("deleteContainer", PathRequest, { path })).error;
  assert.equal(await remove(other, "/mine/c"), "NOAUTH");
  await owner.create("/mine/e", 1);
  assert.equal(await remove(other, "/mine/plain"), "NOAUTH");
  assert.equal(await remove(owner, "/mine/plain"), "OK");
  assert.equal(await remove(owner, "/mine/e"), "BADVERSION");
  assert.equal(await remove(owner, "/mine"), "NOTEMPTY");
  assert.equal(await remove(owner, "/mine/none"), "NONODE");
  assert.equal(await remove(owner, "/mine/c"), "OK");
});

test("what the rate of a minute does not allow waits", async (context) => {
  const start = Date.now();
  const clock = { aheadMs: 0, monotonicMs: () => performance.now(), now: () => 0 };
  clock.now = () => start + clock.aheadMs;
  const coordinator = await serve(context, { ...often, clock, containersPerMinute: 60 });
  const client = await clientOf(context, coordinator);
  const before = coordinator.stats().znodes;
  for (let i = 0; i < 8; i++) {
    await client.ask("createTTL", CreateTtlRequest, forMs(`/t${i}`, 1n));
  }
  clock.aheadMs = 3000;
  while (coordinator.stats().znodes > before + 5) await delay(10);
  await someLooks();
  assert.equal(coordinator.stats().znodes, before + 5);
  clock.aheadMs = 60_000;
  for (let i = 0; i < 8; i++) await gone(client, `/t${i}`);
});
