import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { startCoordinator } from "../src/server/start.ts";
import { temporaryDirectory } from "./log-harness.ts";
import { RawClient, serve } from "./server-harness.ts";

test("options out of range are refused before anything is touched", async (context) => {
  const dataDir = temporaryDirectory(context);
  for (const options of [
    { tickTimeMs: 0 },
    { tickTimeMs: 1.5 },
    { port: 70_000 },
    { serverId: 0 },
    { serverId: 256 },
    { minSessionTimeoutMs: 500, maxSessionTimeoutMs: 400 },
    { snapCount: 1 },
  ]) {
    await assert.rejects(startCoordinator({ dataDir, ...options }), { code: "config.invalid" });
  }
});

test("a port that is taken is refused, and the directory serves on another", async (context) => {
  const { address } = await serve(context);
  const dataDir = temporaryDirectory(context);
  await assert.rejects(startCoordinator({ dataDir, port: address.port }), { code: "EADDRINUSE" });
  const second = await serve(context, { dataDir });
  const { client } = await RawClient.open(context, second.address.port);
  assert.equal(await client.create("/a"), "/a");
});

test("a damaged directory is refused with the file's name", async (context) => {
  const dataDir = temporaryDirectory(context);
  mkdirSync(join(dataDir, "version-2"));
  writeFileSync(join(dataDir, "version-2", "snapshot.7"), "nonsense");
  await assert.rejects(startCoordinator({ dataDir }), { code: "storage.damaged" });
});

test("a log that fails stops the server, says so once, and nothing unwritten is acknowledged", async (context) => {
  const dataDir = temporaryDirectory(context);
  const failures: Error[] = [];
  const first = await serve(context, { dataDir, fatal: (error) => failures.push(error) });
  // The name of the first log file is taken by a directory.
  const taken = join(dataDir, "version-2", "log.100000001");
  mkdirSync(taken);
  const { session } = await RawClient.open(context, first.address.port);
  assert.equal(session, undefined);
  assert.equal(failures.length, 1);
  await first.close();
  rmSync(taken, { recursive: true });
  const second = await serve(context, { dataDir });
  assert.equal(second.stats().sessions, 0);
});

test("stats tell what was done", async (context) => {
  const coordinator = await serve(context);
  const { client } = await RawClient.open(context, coordinator.address.port);
  await client.create("/a");
  await client.create("/e", 1);
  const stats = coordinator.stats();
  const { znodes, ephemerals, sessions, connections, outstanding } = stats;
  assert.deepEqual(
    { znodes, ephemerals, sessions, connections, outstanding },
    { znodes: 6, ephemerals: 1, sessions: 1, connections: 1, outstanding: 0 },
  );
  assert(stats.syncs >= 1 && stats.sent >= 2 && stats.dataBytes > 0);
});
