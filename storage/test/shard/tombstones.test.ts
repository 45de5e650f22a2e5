import assert from "node:assert/strict";
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Clock, systemClock } from "../../../kit/src/clock.ts";
import { Prng } from "../../../kit/src/prng.ts";
import type { CutPart } from "../../src/shard/cut.ts";
import { stuckWaitMs } from "../../src/shard/limits.ts";
import type { Tombstone } from "../../src/shard/tombstone.ts";
import { temp } from "../log/temp.ts";
import { parseBatch, readBlocks } from "./plain-segments.ts";
import { always, openRig, type Rig } from "./rig.ts";

/** Hides the records of a tenant that begin with a text. */
function tombstone(filter: string, over: Partial<Tombstone> = {}): Tombstone {
  const range = { from: { ms: 0, ns: 0 }, to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 } };
  const facts = { createdMs: Date.now(), author: "test", rowsHidden: 0 };
  return { id: `${filter}-id`, tenant: "default", filter, ...range, ...facts, ...over };
}

/** What a query would find: each record of a cut that none of its part's deletions hides. */
function visible({ store, arena }: Rig, tenant = "default"): string[] {
  const cut = store.openCut(tenant, always);
  const found = cut.parts.flatMap((part) => recordsOf(part, arena));
  cut.release();
  return found.sort();
}

function recordsOf({ ref, deletions }: CutPart, arena: Rig["arena"]): string[] {
  const blocks =
    ref.kind === "memory"
      ? ref.batches.map(({ offset, length, position }) => {
          return { ...parseBatch(arena.view(offset, length)), position };
        })
      : readBlocks(ref.path).filter(({ tenant }) => tenant === ref.tenant);
  return blocks.flatMap(({ position, records }) =>
    records.filter((record) => {
      return !deletions.some((each) => position < each.position && record.startsWith(each.filter));
    }),
  );
}

/** Whatever of a text lies in segment files, live or not. */
function onDisk(directory: string, text: string): string[] {
  const shards = [0, 1, 2].map((shard) => join(directory, "storage", `shard-000${shard}`));
  return [...shards, join(directory, "storage", "trash")].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /^(\d+-)?\d+-[0-9a-f]{8}-[0-9a-f-]{27}$/.test(name))
      .filter((name) =>
        readBlocks(join(folder, name)).some(({ records }) =>
          records.some((record) => record.startsWith(text)),
        ),
      ),
  );
}

test("a tombstone hides what was stored before it in that step, and nothing that comes after it", async (t) => {
  const rig = await openRig(temp(t));
  await rig.append(["bad 1", "good 1"]);
  await rig.store.seal();
  await rig.append(["bad 2", "good 2"]);
  await rig.append(["bad 3"], { tenant: "other" });
  await rig.store.addTombstone(tombstone("bad"));
  assert.deepEqual(visible(rig), ["good 1", "good 2"]);
  assert.deepEqual(visible(rig, "other"), ["bad 3"]);
  await rig.append(["bad 4"]);
  assert.deepEqual(visible(rig), ["bad 4", "good 1", "good 2"]);
  await rig.close();
});

test("parts that a tombstone cannot be about do not name it", async (t) => {
  const rig = await openRig(temp(t));
  await rig.append(["bad"], { timeMin: { ms: 100, ns: 0 }, timeMax: { ms: 200, ns: 0 } });
  await rig.append(["bad"], { internal: true });
  await rig.store.seal();
  await rig.store.addTombstone(tombstone("bad", { from: { ms: 200, ns: 1 } }));
  await rig.append(["bad"]);
  const cut = rig.store.openCut("default", always);
  assert.equal(cut.parts.length, 3);
  assert.deepEqual(
    cut.parts.map(({ deletions }) => deletions.length),
    [0, 0, 0],
  );
  cut.release();
  await rig.close();
});

test("what is deleted leaves the files, and the tombstone is done when no file has it", async (t) => {
  const directory = temp(t);
  const rig = await openRig(directory, { segments: { replacedKeepMs: 50 } });
  await rig.append(["bad 1", "good 1"]);
  await rig.append(["bad 2"], { shard: 1 });
  await rig.append(["good 2"], { shard: 2 });
  await rig.store.seal();
  await rig.store.addTombstone(tombstone("bad"));
  await rig.append(["bad 3"]);
  const pinned = rig.store.openCut("default", always);
  await rig.store.merge();
  assert.deepEqual(visible(rig), ["bad 3", "good 1", "good 2"]);
  const [first, second, third] = rig.store.tombstones();
  assert.deepEqual([first?.filesRewritten, first?.rowsRemoved, first?.filesLeft], [1, 1, 0]);
  assert.deepEqual([second?.filesRewritten, second?.rowsRemoved], [1, 1]);
  assert.deepEqual([third?.filesRewritten, third?.isDone], [0, true]);
  assert.equal(first?.isDone, false, "a query may still read the file as it was");
  assert.equal(rig.store.status().counts.rowsDeleted, 2);
  pinned.release();
  while (!rig.store.tombstones().every(({ isDone }) => isDone)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual(onDisk(directory, "bad"), []);
  rig.store.forgetTombstone("bad-id");
  assert.deepEqual(rig.store.tombstones(), []);
  assert.deepEqual(visible(rig), ["bad 3", "good 1", "good 2"]);
  await rig.close();
});

test("a damaged file that nobody repairs does not keep a delete from ending, and hides what it has", async (t) => {
  const directory = temp(t);
  let passedMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + passedMs };
  const options = { clock, segments: { replacedKeepMs: 1 } };
  let rig = await openRig(directory, options);
  await rig.append(["bad 1", "good 1"]);
  await rig.append(["bad 2"], { shard: 1 });
  await rig.store.seal();
  const cut = rig.store.openCut("default", always);
  const uuid = cut.parts.map(({ ref }) => (ref.kind === "segment" ? ref.uuid : ""))[0]!;
  cut.release();
  rig.store.reportDamage({ shard: 0, uuid, block: 4, reason: "checksum differs" });
  await rig.store.addTombstone(tombstone("bad"));
  await rig.store.merge();
  const [first] = rig.store.tombstones();
  assert.deepEqual([first?.filesLeft, first?.filesStuck, first?.isEnded], [1, 1, false]);
  assert.deepEqual(first?.stuck, [`1-${uuid}, block 4`]);
  while (rig.store.tombstones()[1]?.isDone !== true) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  passedMs = stuckWaitMs;
  const ended = rig.store.tombstones().map(({ isDone, isEnded }) => [isDone, isEnded]);
  assert.deepEqual(ended[0], [false, true]);
  assert.deepEqual(visible(rig), ["good 1"]);
  await rig.close();
  rig = await openRig(directory, options);
  assert.deepEqual(visible(rig), ["good 1"]);
  await rig.close();
});

test("a tombstone outlives restarts, from the log and from a checkpoint", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["bad 1", "good 1"]);
  await rig.store.addTombstone(tombstone("bad"));
  await rig.append(["bad 2"]);
  await rig.close();
  for (const step of ["from the log", "sealed", "sealed again"]) {
    rig = await openRig(directory);
    assert.deepEqual(visible(rig), ["bad 2", "good 1"], step);
    assert.equal(rig.store.tombstones().length, 3, step);
    await rig.store.settle();
    assert.deepEqual(visible(rig), ["bad 2", "good 1"], step);
    await rig.close();
  }
});

test("a file that a crash left is waited for, and gone when it is of no use to anybody", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["bad 1"]);
  await rig.store.seal();
  await rig.store.addTombstone(tombstone("bad"));
  // As if the process had ended before it was unlinked: nothing is left of the segment, so nothing replaces it.
  const pinned = rig.store.openCut("default", always);
  await rig.store.merge();
  const [left] = onDisk(directory, "bad");
  await rig.close();
  rig = await openRig(directory);
  assert.deepEqual(visible(rig), []);
  assert.equal(rig.store.tombstones()[0]?.filesKept, 1);
  utimesSync(join(directory, "storage", "shard-0000", left!), 1, 1);
  assert.equal(rig.store.tombstones()[0]?.filesKept, 0);
  assert.deepEqual(onDisk(directory, "bad"), []);
  pinned.release();
  await rig.close();
});

test("deletes, seals, merges and restarts in any order show what a list would", async (t) => {
  const random = new Prng(Number(process.env["SEED"] ?? 11));
  const directory = temp(t);
  let expected: string[] = [];
  for (let restart = 0; restart < 4; restart++) {
    const rig = await openRig(directory, { segments: { mergeWidth: 2, replacedKeepMs: 0 } });
    for (let step = 0; step < 30; step++) {
      const records = Array.from(
        { length: 1 + random.below(8) },
        (_, i) => `${random.pick(["a", "b", "c", "d"])} ${restart}/${step}/${i}`,
      );
      await rig.append(records, { shard: random.below(3) });
      expected.push(...records);
      if (random.chance(0.2)) {
        const filter = random.pick(["a", "b", "c", "d"]);
        await rig.store.addTombstone(tombstone(filter, { id: `${restart}/${step}` }));
        expected = expected.filter((record) => !record.startsWith(filter));
      }
      if (random.chance(0.3)) await rig.store.seal();
      if (random.chance(0.2)) await rig.store.merge();
      for (const { placed } of rig.store.tombstones()) {
        const isDone = rig.store
          .tombstones()
          .every((each) => each.placed.id !== placed.id || each.isDone);
        if (isDone) rig.store.forgetTombstone(placed.id);
      }
      assert.deepEqual(visible(rig), expected.sort());
    }
    await rig.store.seal();
    await rig.store.merge();
    const left = rig.store.tombstones().reduce((sum, { filesLeft }) => sum + filesLeft, 0);
    assert.equal(left, 0);
    assert.equal(rig.store.status().counts.maintenanceFailures, 0);
    await rig.close();
  }
});
