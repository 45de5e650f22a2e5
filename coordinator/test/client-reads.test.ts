import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { ZooKeeperClient } from "../src/client/client.ts";
import { isOutcomeUnknown } from "../src/client/errors.ts";
import { reads } from "../src/client/reads.ts";
import type { WatchEvent } from "../src/client/watches.ts";
import { CuttableProxy, openServer, type TestServer } from "./client-server.ts";

let server: TestServer;
let client: ZooKeeperClient;

before(async () => {
  server = await openServer();
  const connect = server.address + server.chroot;
  // Ten thousand changes at once keep a busy machine from any answer for seconds.
  client = new ZooKeeperClient({ connect, sessionTimeoutMs: 40_000 });
});

after(async () => {
  await client.close();
  await server.close();
});

test("many reads in one request are as of one moment, and one that fails does not fail the others", async () => {
  await client.create("/many", Buffer.from("x"));
  await client.create("/many/a");
  const [data, none, children] = await client.multiRead([
    reads.data("/many"),
    reads.data("/none"),
    reads.children("/many"),
  ]);
  assert.ok(data?.kind === "data" && data.stat.numChildren === 1);
  assert.deepEqual(data.data, Buffer.from("x"));
  assert.ok(none?.kind === "error" && none.error.code === "NONODE" && none.error.path === "/none");
  assert.deepEqual(children, { kind: "children", children: ["a"] });
  assert.deepEqual(await client.multiRead([]), []);
});

test("everything below a path is counted", async () => {
  for (const path of ["/count", "/count/a", "/count/a/b", "/count/c"]) await client.create(path);
  assert.equal(await client.getAllChildrenNumber("/count"), 3);
});

test("a client knows by which identities it is known", async () => {
  const other = new ZooKeeperClient({ connect: server.address });
  await other.addAuth("digest", "fred:secret");
  const ids = await other.whoAmI();
  assert.ok(ids.some(({ scheme, user }) => scheme === "digest" && user === "fred"));
  await other.close();
});

test("a linearizable read is a sync and a read, and fails when either does", async () => {
  await client.create("/linear", Buffer.from("x"));
  const options = { isLinearizable: true };
  assert.deepEqual((await client.getData("/linear", options)).data, Buffer.from("x"));
  assert.deepEqual((await client.getChildren("/linear", options)).children, []);
  assert.equal(await client.exists("/linear/none", options), null);
  const proxy = await CuttableProxy.open(server.address);
  const other = new ZooKeeperClient({ connect: proxy.address + server.chroot });
  await other.connected();
  proxy.hold();
  const lost = assert.rejects(other.getData("/linear", options), isOutcomeUnknown);
  await new Promise((resolve) => setTimeout(resolve, 50));
  proxy.cut("up");
  proxy.up();
  await lost;
  await other.close();
  await proxy.close();
});

test("a watch is taken away by its signal, at the server too", async () => {
  await client.create("/away");
  const seen: string[] = [];
  const controller = new AbortController();
  const { signal } = controller;
  await client.getData("/away", { watch: () => seen.push("gone"), watchSignal: signal });
  await client.getChildren("/away", { watch: ({ kind }) => seen.push(kind) });
  controller.abort();
  await client.setData("/away", null);
  await client.create("/away/kid");
  assert.deepEqual(seen, ["childrenChanged"]);
  const already = AbortSignal.abort();
  await client.getData("/away", { watch: () => seen.push("never"), watchSignal: already });
  await client.setData("/away", null);
  assert.deepEqual(seen, ["childrenChanged"]);
});

test("a watch that is being set outlives the removal of another on its path", async () => {
  await client.create("/race");
  const seen: string[] = [];
  const controller = new AbortController();
  await client.getData("/race", {
    watch: () => seen.push("removed"),
    watchSignal: controller.signal,
  });
  const setting = client.getData("/race", { watch: ({ kind }) => seen.push(kind) });
  controller.abort();
  await setting;
  await client.setData("/race", null);
  assert.deepEqual(seen, ["dataChanged"]);
});

async function collect(
  changes: AsyncIterableIterator<WatchEvent, undefined>,
  count: number,
): Promise<string[]> {
  const seen: string[] = [];
  for await (const { kind, path } of changes) {
    seen.push(`${kind} ${path}`);
    if (seen.length === count) break;
  }
  return seen;
}

test("changes of a tree come as an async iterator", async () => {
  await client.create("/it");
  const changes = await client.changes("/it", { mode: "persistentRecursive" });
  await client.create("/it/a");
  await client.setData("/it/a", Buffer.from("x"));
  await client.delete("/it/a");
  assert.deepEqual(await collect(changes, 4), [
    "missed /it",
    "created /it/a",
    "dataChanged /it/a",
    "deleted /it/a",
  ]);
  assert.deepEqual(await changes.next(), { done: true, value: undefined });
});

test("changes end with their signal, and a reader that falls behind is told once", async () => {
  await client.create("/behind");
  const controller = new AbortController();
  const changes = await client.changes("/behind", { signal: controller.signal });
  const sets = Array.from({ length: 10_100 }, () => client.setData("/behind", null));
  await Promise.all(sets);
  const first = await changes.next();
  assert.equal(first.value?.kind, "missed");
  controller.abort();
  let left = 0;
  for await (const { kind } of changes) {
    left++;
    assert.equal(kind, "dataChanged");
  }
  assert.ok(left > 0 && left < 200);
});

test("session events come as an async iterator that ends with the client", async () => {
  const other = new ZooKeeperClient({ connect: server.address });
  const kinds: string[] = [];
  const reading = (async () => {
    for await (const { kind } of other.sessionEvents()) kinds.push(kind);
  })();
  await other.connected();
  await other.close();
  await reading;
  assert.deepEqual(kinds, ["connected", "closed"]);
  assert.equal((await other.sessionEvents().next()).done, true);
});
