// Goal: a class of records goes by its own time and nothing else goes with it; a full disk refuses records, gives up
// what is in the trash, and takes records again by itself; what goes next is told before it goes.
// Method: a store under a clock and a disk that the test moves.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { DiskUse } from "../../src/shard/disk-limit.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { openRig, type Rig, type RigOptions } from "./rig.ts";

const dayMs = 24 * 60 * 60 * 1000;
const startMs = Date.UTC(2026, 0, 10);

interface World {
  readonly rig: Rig;
  readonly directory: string;
  /** Moves the store's time on. */
  pass(ms: number): void;
  disk: DiskUse;
}

async function worldAt(t: TestContext, options: RigOptions = {}): Promise<World> {
  const directory = temp(t);
  let nowMs = startMs;
  const clock = { now: () => nowMs, monotonicMs: () => performance.now() };
  const disk: DiskUse = { usedBytes: 50, totalBytes: 100 };
  const world: { disk: DiskUse } = { disk };
  const rig = await openRig(directory, { clock, diskUse: () => world.disk, ...options });
  closeAfter(t, () => rig.close());
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return Object.assign(world, { rig, directory, pass });
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isSo() && Date.now() < deadline) await new Promise((next) => setTimeout(next, 20));
  assert.ok(isSo());
}

test("each class goes by its own time, whatever it was stored with", async (t) => {
  const { rig, pass } = await worldAt(t, { retention: { defaultMs: 7 * dayMs } });
  for (const shard of [0, 1]) {
    await rig.append([`short ${shard}`], { shard, class: "2d" });
    await rig.append([`usual ${shard}`], { shard });
    await rig.append([`long ${shard}`], { shard, class: "30d" });
    await rig.append([`acme ${shard}`], { shard, class: "2d", tenant: "acme" });
  }
  await rig.store.seal();
  await rig.store.merge();
  const left = async () => {
    await rig.store.retain();
    return [...rig.read(), ...rig.read("acme")].map((text) => text.split(" ")[0]);
  };
  pass(2 * dayMs - 1);
  assert.equal((await left()).length, 8);
  pass(1);
  assert.deepEqual(await left(), ["usual", "long", "usual", "long"]);
  pass(5 * dayMs);
  assert.deepEqual(await left(), ["long", "long"]);
  const { drops, droppedRows, droppedBytes } = rig.store.status().counts;
  assert.deepEqual([drops, droppedRows], [4, 6]);
  assert.ok(droppedBytes > 0);
  pass(23 * dayMs);
  assert.deepEqual(await left(), []);
});

test("records grow old by the time on which nodes agree, whatever this one's clock says", async (t) => {
  let agreedMs: number | undefined = startMs;
  const { rig, pass, directory } = await worldAt(t, { agreedMs: () => agreedMs });
  const left = async (): Promise<number> => {
    await rig.store.retain();
    return rig.read().length;
  };
  await rig.append(["short"], { class: "2d" });
  await rig.store.seal();
  pass(30 * dayMs);
  assert.equal(await left(), 1);
  agreedMs = undefined;
  assert.equal(await left(), 1);
  agreedMs = startMs + 2 * dayMs;
  assert.equal(await left(), 0);
  // Nor does the trash go by a clock that is wrong.
  const trash = (): number => readdirSync(join(directory, "storage", "trash")).length;
  await until(() => trash() === 1);
  agreedMs = undefined;
  await rig.store.retain();
  assert.equal(trash(), 1);
  agreedMs = startMs + 2 * dayMs + 60 * 60 * 1000;
  await rig.store.retain();
  assert.equal(trash(), 0);
});

test("while nodes do not agree on the time, records still go for want of room", async (t) => {
  const retention = { bytesMax: 1 };
  const { rig } = await worldAt(t, { agreedMs: () => undefined, retention });
  await rig.append(["too much"]);
  await rig.store.seal();
  await rig.store.retain();
  assert.deepEqual(rig.read(), []);
});

test("what a tenant has of a class is told, and what of it goes next and when", async (t) => {
  const { rig, pass } = await worldAt(t, { retention: { defaultMs: 7 * dayMs } });
  const at = (ms: number) => ({ ms, ns: 0 });
  await rig.append(["a", "b"], { class: "2d", timeMin: at(startMs - 5), timeMax: at(startMs) });
  await rig.append(["of another"], { class: "2d", tenant: "acme" });
  await rig.store.seal();
  pass(dayMs);
  await rig.append(["later"], { class: "2d", shard: 1 });
  await rig.store.seal();
  await rig.append(["in memory"], {});
  const { holdings, segmentBytes } = rig.store.retention();
  const [acme, short, usual] = holdings;
  assert.deepEqual([acme?.tenant, acme?.retentionClass, acme?.rows], ["acme", "2d", 1]);
  assert.deepEqual([short?.tenant, short?.rows, short?.oldest.ms], ["default", 3, startMs - 5]);
  assert.deepEqual([short?.retentionMs, usual?.retentionMs], [2 * dayMs, 7 * dayMs]);
  // The first file goes a day before the second; it is shared with another tenant.
  const { nextDrop } = short ?? {};
  assert.deepEqual(
    [nextDrop?.atMs, nextDrop?.reason, nextDrop?.rows],
    [startMs + 2 * dayMs, "age", 2],
  );
  assert.ok((nextDrop?.bytes ?? 0) < (short?.bytes ?? 0));
  assert.ok(Math.abs((acme?.bytes ?? 0) + (short?.bytes ?? 0) - segmentBytes) <= 2);
  assert.deepEqual([usual?.retentionClass, usual?.rows, usual?.bytes], ["default", 1, 0]);
  assert.equal(usual?.nextDrop, undefined);
});

test("retention by bytes is told as what goes at the next look", async (t) => {
  const { rig } = await worldAt(t, { retention: { bytesMax: 10 } });
  await rig.append(["a"], {});
  await rig.store.seal();
  const { holdings, segmentBytes, bytesMax } = rig.store.retention();
  const drop = { atMs: startMs, reason: "bytes", rows: 1, bytes: segmentBytes };
  assert.deepEqual(holdings[0]?.nextDrop, drop);
  assert.equal(bytesMax, 10);
  await rig.store.retain();
  assert.deepEqual(rig.store.retention().holdings, []);
});

test("on a full disk requests wait outside, the trash goes at once, and room is enough to go on", async (t) => {
  const world = await worldAt(t, { retention: { defaultMs: dayMs } });
  const { rig, directory, pass } = world;
  const trash = () => readdirSync(join(directory, "storage/trash")).length;
  await rig.append(["old"], {});
  await rig.store.seal();
  pass(dayMs);
  await rig.store.retain();
  assert.equal(trash(), 1);
  assert.equal(rig.store.pressure(), undefined);
  world.disk = { usedBytes: 95, totalBytes: 100 };
  await until(() => rig.store.pressure()?.code === "storage.full");
  assert.match(rig.store.pressure()?.message ?? "", /^the disk is 95 % full$/);
  await assert.rejects(rig.store.room(5_000), { code: "storage.full" });
  await until(() => trash() === 0);
  // A little room is not enough, or it would be full again with the next file.
  world.disk = { usedBytes: 94, totalBytes: 100 };
  await new Promise((next) => setTimeout(next, 1_500));
  assert.equal(rig.store.status().disk.isFull, true);
  world.disk = { usedBytes: 93, totalBytes: 100 };
  await until(() => rig.store.pressure() === undefined);
  await rig.store.room(5_000);
  await rig.append(["new"], {});
  assert.deepEqual(rig.read(), ["new"]);
});

test("a limit of the settings counts segments, log and trash", async (t) => {
  const { rig } = await worldAt(t, { diskBytesMax: 600 * 1024 });
  await until(() => rig.store.status().disk.ownBytes >= 0);
  assert.equal(rig.store.pressure(), undefined);
  // Three files of the log are beyond 95 % of it.
  const text = "x".repeat(100_000);
  for (let i = 0; i < 5; i++) await rig.append([text], {});
  await until(() => rig.store.pressure()?.code === "storage.full");
  assert.match(rig.store.pressure()?.message ?? "", /^storage.diskMaxBytes is \d+ % full$/);
});
