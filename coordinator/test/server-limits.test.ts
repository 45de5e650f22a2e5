// Goal: what an operator sets in zoo.cfg for sizes and counts is what holds.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import test from "node:test";

import { connectionsAllowed } from "../src/server/open-files.ts";
import { startCoordinator } from "../src/server/start.ts";
import {
  CreateRequest,
  DataResponse,
  SetDataRequest,
  WatchedRequest,
} from "../src/wire/records.ts";
import { until } from "./ensemble-harness.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { open, RawClient, serve } from "./server-harness.ts";

const create = (name: string, bytes: number) => ({
  path: name,
  data: Buffer.alloc(bytes, 7),
  acl: open,
  flags: 0,
});

test("a request is as long as the settings allow, and is read again after a restart that allows less", async (context) => {
  const dataDir = temporaryDirectory(context);
  const first = await startCoordinator({ dataDir, frameBytes: 4 * 1024 * 1024 });
  const { client } = await RawClient.open(context, first.address.port);
  const made = await client.ask("create", CreateRequest, create("/big", 3 * 1024 * 1024));
  assert.equal(made.error, "OK");
  client.send("create", CreateRequest, create("/huge", 5 * 1024 * 1024));
  assert.equal(await client.answer(), undefined, "the connection is closed");
  await first.close();
  const { address } = await serve(context, { dataDir });
  const again = (await RawClient.open(context, address.port)).client;
  const { body } = await again.ask("getData", WatchedRequest, { path: "/big", watch: false });
  assert.equal(DataResponse.read(body).data?.length, 3 * 1024 * 1024);
  again.send("create", CreateRequest, create("/big2", 2 * 1024 * 1024));
  assert.equal(await again.answer(), undefined);
});

test("with a limit of writes under way every one is answered, in order", async (context) => {
  const coordinator = await serve(context, { outstandingMax: 8 });
  const clients = await Promise.all(
    [1, 2, 3, 4].map(async () => (await RawClient.open(context, coordinator.address.port)).client),
  );
  await clients[0]!.create("/n");
  let most = 0;
  const set = { path: "/n", data: Buffer.alloc(10), version: -1 };
  await Promise.all(
    clients.map(async (client) => {
      const first = client.send("setData", SetDataRequest, set);
      for (let i = 1; i < 500; i++) client.send("setData", SetDataRequest, set);
      for (let i = 0; i < 500; i++) {
        const answer = await client.answer();
        most = Math.max(most, coordinator.stats().outstanding);
        assert.deepEqual([answer?.xid, answer?.error], [first + i, "OK"]);
      }
    }),
  );
  assert(most <= 9, `${most} writes under way`);
  const { body } = await clients[0]!.ask("getData", WatchedRequest, { path: "/n", watch: false });
  assert.equal(DataResponse.read(body).stat.version, 2000);
});

test("as many snapshots are kept as the settings say", async (context) => {
  const dataDir = temporaryDirectory(context);
  const { address } = await serve(context, { dataDir, snapCount: 10, snapshotsKept: 5 });
  const { client } = await RawClient.open(context, address.port);
  const snapshots = (): number =>
    readdirSync(path.join(dataDir, "version-2")).filter((name) =>
      /^snapshot\.[0-9a-f]+$/.test(name),
    ).length;
  for (let i = 0; i < 200 || snapshots() < 5; i++) await client.create(`/n${i}`);
  await until("the others are gone", () => snapshots() === 5);
});

test("limits that make no sense are refused by name", async (context) => {
  const dataDir = temporaryDirectory(context);
  for (const wrong of [{ frameBytes: 100 }, { frameBytes: 2 ** 28 }, { snapshotsKept: 1 }]) {
    await assert.rejects(startCoordinator({ dataDir, ...wrong }), { code: "config.invalid" });
  }
});

test("clients get no more connections than leave a member files of its own", () => {
  const row = (soft: string) =>
    `Limit  Soft Limit  Hard Limit  Units\nMax open files  ${soft}  1048576  files\n`;
  assert.equal(connectionsAllowed(row("1024")), 512);
  assert.equal(connectionsAllowed(row("20000")), 18_500);
  assert.equal(connectionsAllowed(row("1048576")), 20_000);
  assert.equal(connectionsAllowed(row("unlimited")), 20_000);
  assert.equal(connectionsAllowed(""), 20_000);
});
