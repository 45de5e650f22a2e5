import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { sealBatchesMax, sealMoreAfterMs, sealRows, slabBytes } from "../../src/shard/limits.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { openRig, type Rig, type RigOptions } from "./rig.ts";

async function rigAt(t: TestContext, directory: string, options?: RigOptions): Promise<Rig> {
  const rig = await openRig(directory, options);
  closeAfter(t, () => rig.close());
  return rig;
}

/** Batches in memory of each shard. */
function memoryOf({ store }: Rig): number[] {
  return store.status().shards.map(({ memoryBatches }) => memoryBatches);
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isSo() && Date.now() < deadline) await new Promise((next) => setTimeout(next, 20));
  assert.ok(isSo());
}

test("the tail of all shards is packed into as few slabs as it needs", async (t) => {
  const directory = temp(t);
  const first = await openRig(directory);
  for (let i = 0; i < 30; i++) await first.append(["x".repeat(100_000)], { shard: i % 3 });
  await first.close();
  const rig = await rigAt(t, directory);
  assert.equal(rig.read().length, 30);
  assert.equal(rig.arena.usedBytes, slabBytes);
  await rig.store.seal();
  assert.equal(rig.arena.usedBytes, 0);
});

test("an arena that fills is sealed away while appends go on", async (t) => {
  const rig = await rigAt(t, temp(t), {
    arenaSlabs: 8,
    logBytesMax: 256 * 1024 * 1024,
    logFileBytes: 8 << 20,
  });
  const text = "x".repeat(1 << 20);
  const records: string[] = [];
  for (let i = 0; i < 60; i++) {
    await rig.store.room(60_000);
    records.push(`${i} ${text}`);
    await rig.append([`${i} ${text}`], { shard: i % 3 });
  }
  assert.ok(rig.store.status().counts.seals > 0);
  assert.deepEqual(rig.read().sort(), records.sort());
});

test("a shard whose records fill a block is sealed by itself, its neighbours are not", async (t) => {
  const rig = await rigAt(t, temp(t), { logFileBytes: 8 << 20 });
  await rig.append(["alone"], { shard: 1 });
  const half = Array.from({ length: sealRows / 2 }, (_, i) => `${i}`);
  await rig.append(half);
  assert.deepEqual(memoryOf(rig), [1, 1, 0]);
  await rig.append(half);
  await until(() => rig.store.status().counts.seals === 1);
  assert.deepEqual(memoryOf(rig), [0, 1, 0]);
});

test("what comes while its shard is being sealed waits for a block of its own", async (t) => {
  const rig = await rigAt(t, temp(t), { logFileBytes: 8 << 20 });
  const full = Array.from({ length: sealRows }, (_, i) => `${i}`);
  const gate = Promise.withResolvers<void>();
  rig.coordinator.beforeCommit = () => gate.promise;
  await rig.append(full);
  await rig.append(["a"]);
  await rig.append(["b"]);
  gate.resolve();
  await until(() => rig.store.status().counts.seals === 1);
  assert.deepEqual(memoryOf(rig), [2, 0, 0]);
});

test("a shard with very many small batches is sealed by itself, its neighbours are not", async (t) => {
  const rig = await rigAt(t, temp(t));
  await rig.append(["alone"], { shard: 1 });
  const records = Array.from({ length: sealBatchesMax + 1 }, (_, i) => `${i}`);
  await Promise.all(records.map((record) => rig.append([record])));
  await until(() => rig.store.status().counts.seals > 0);
  assert.deepEqual(memoryOf(rig), [0, 1, 0]);
  assert.deepEqual(rig.read(), [...records, "alone"]);
});

test("a large request waits for as much room as it needs, and gets it from shards that are not full", async (t) => {
  const rig = await rigAt(t, temp(t), {
    arenaSlabs: 12,
    logFileBytes: 8 << 20,
    logBytesMax: 256 << 20,
  });
  // Nothing is sealed away before it has been seen that there is no room.
  const gate = Promise.withResolvers<void>();
  rig.coordinator.beforeCommit = () => gate.promise;
  for (let i = 0; i < 5; i++) await rig.append(["x".repeat(3 << 20)], { shard: i % 3 });
  await rig.store.room(0);
  const bytes = 30 << 20;
  await assert.rejects(rig.store.room(0, bytes), { code: "ingest.busy" });
  gate.resolve();
  await rig.store.room(60_000, bytes);
  assert.ok(rig.arena.freeBytes >= bytes, `${rig.arena.freeBytes} bytes are free`);
});

test("one seal more is made than at other times when a request has waited long", async (t) => {
  const rig = await rigAt(t, temp(t), {
    ...{ arenaSlabs: 10, sealsAtOnce: 1 },
    ...{ logFileBytes: 8 << 20, logBytesMax: 256 << 20 },
  });
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  rig.coordinator.beforeCommit = () => {
    begun++;
    return gate.promise;
  };
  for (let i = 0; i < 8; i++) await rig.append(["x".repeat(3 << 20)], { shard: i % 2 });
  await until(() => begun === 1);
  await assert.rejects(rig.store.room(sealMoreAfterMs / 2), { code: "ingest.busy" });
  assert.equal(begun, 1);
  const room = rig.store.room(60_000);
  await until(() => begun === 2);
  gate.resolve();
  await room;
  assert.equal(rig.read().length, 8);
});

test("a full arena that nothing empties tells requests to come back", async (t) => {
  const rig = await rigAt(t, temp(t), { arenaSlabs: 6, logFileBytes: 8 << 20 });
  assert.equal(rig.store.pressure(), undefined);
  rig.segments.beforeWrite = () => {
    throw Object.assign(new Error("injected: no space left"), { code: "ENOSPC" });
  };
  for (let i = 0; i < 3; i++) await rig.append(["x".repeat(3 << 20)]);
  assert.equal(rig.store.pressure()?.code, "ingest.busy");
  await assert.rejects(rig.store.room(30), { code: "ingest.busy" });
  assert.ok(rig.store.status().counts.maintenanceFailures > 0);
  rig.segments.beforeWrite = () => undefined;
  await rig.store.seal();
  await rig.store.room(60_000);
  assert.equal(rig.read().length, 3);
});
