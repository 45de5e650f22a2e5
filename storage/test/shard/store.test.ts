import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ServiceError } from "../../../kit/src/errors.ts";
import { idempotencyPartKey, routerKey } from "../../src/shard/dedupe-key.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { always, openRig, type Rig, type RigOptions, readCut } from "./rig.ts";

async function rigAt(t: TestContext, directory: string, options?: RigOptions): Promise<Rig> {
  const rig = await openRig(directory, options);
  closeAfter(t, () => rig.close());
  return rig;
}

test("a record is found once it is acknowledged, before and after seals and restarts", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  assert.deepEqual(await rig.append(["a", "b"]), { kind: "committed", position: 2 });
  assert.deepEqual(rig.read(), ["a", "b"]);
  await rig.close();
  rig = await openRig(directory);
  assert.deepEqual(rig.read(), ["a", "b"]);
  await rig.append(["c"]);
  await rig.store.seal();
  await rig.append(["d"]);
  assert.deepEqual(rig.read(), ["a", "b", "c", "d"]);
  assert.equal(rig.store.status().shards[0]?.segments, 1);
  await rig.close();
  rig = await rigAt(t, directory);
  assert.deepEqual(rig.read(), ["a", "b", "c", "d"]);
  const [first] = rig.store.status().shards;
  assert.deepEqual([first?.epoch, first?.memoryRows, first?.segmentRows], [3, 1, 3]);
});

test("tenants, streams of our own and times outside the range are not in a cut", async (t) => {
  const rig = await rigAt(t, temp(t));
  const at = (ms: number) => ({ timeMin: { ms, ns: 0 }, timeMax: { ms: ms + 9, ns: 0 } });
  await rig.append(["mine"], at(100));
  await rig.append(["theirs"], { tenant: "other", ...at(100) });
  await rig.append(["rejected"], { internal: true, ...at(100) });
  for (const isSealed of [false, true]) {
    if (isSealed) await rig.store.seal();
    assert.deepEqual(rig.read("other"), ["theirs"]);
    const moment = (ms: number) => ({ ms, ns: 0 });
    const range = (from: number, to: number) => {
      const cut = rig.store.openCut("default", { from: moment(from), to: moment(to) });
      cut.release();
      return cut.parts.map(({ internal, rows }) => `${internal} ${rows}`);
    };
    assert.deepEqual(range(109, 110), ["false 1", "true 1"]);
    assert.deepEqual(range(110, 120), []);
    assert.deepEqual(range(90, 100), []);
  }
});

test("a part with a known key is a repeat: in flight, after a seal, and after restarts", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  const dedupeKey = routerKey(new Uint8Array(8).fill(1), 77);
  const other = { dedupeKey: idempotencyPartKey("default", "k", 0) };
  const both = await Promise.all([
    rig.append(["a"], { dedupeKey }),
    rig.append(["a"], { dedupeKey }),
  ]);
  assert.deepEqual(
    both.map(({ kind }) => kind),
    ["committed", "repeat"],
  );
  await rig.store.seal();
  await rig.append(["b"], other);
  for (let restart = 0; restart < 3; restart++) {
    const kinds = [await rig.append(["a"], { dedupeKey }), await rig.append(["b"], other)];
    assert.deepEqual(
      kinds.map(({ kind }) => kind),
      ["repeat", "repeat"],
    );
    assert.deepEqual(rig.read(), ["a", "b"]);
    assert.equal(rig.store.status().counts.repeats, restart === 0 ? 3 : 2);
    await rig.close();
    rig = await openRig(directory);
    if (restart === 1) await rig.store.seal();
  }
  await rig.close();
});

test("a range of a source is stored only where the shard's knowledge of it ends", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  const range = (previous: bigint, through: bigint) => ({
    sourceRange: { source: "inbox", previous, from: previous + 1n, through },
  });
  assert.equal((await rig.append(["1-5"], range(0n, 5n))).kind, "committed");
  assert.deepEqual(await rig.append(["again"], range(0n, 5n)), {
    kind: "source-refused",
    held: 5n,
  });
  await rig.store.seal();
  await rig.append(["6-9"], range(5n, 9n));
  await rig.close();
  rig = await openRig(directory);
  assert.deepEqual(await rig.append(["gap"], range(10n, 12n)), {
    kind: "source-refused",
    held: 9n,
  });
  assert.equal((await rig.append(["10"], range(9n, 10n))).kind, "committed");
  assert.deepEqual(
    [...(await rig.store.lastStored("inbox"))],
    [
      [0, 10n],
      [1, 0n],
      [2, 0n],
    ],
  );
  assert.deepEqual(rig.read(), ["1-5", "6-9", "10"]);
  assert.equal(rig.arena.liveBytes, rig.store.status().shards[0]?.memoryBytes);
  await rig.close();
});

test("an idempotency key is kept with its versions, and refused with another body", async (t) => {
  const directory = temp(t);
  const record = { tenant: "default", key: "k", digest: "aa", pipelineVersion: 3, splitVersion: 1 };
  const later = { ...record, pipelineVersion: 4 };
  const repeat = { kind: "repeat", pipelineVersion: 3, splitVersion: 1 };
  let rig = await openRig(directory);
  assert.deepEqual(await rig.store.commitIdempotency(record), { ...repeat, kind: "first" });
  for (let restart = 0; restart < 3; restart++) {
    assert.deepEqual(await rig.store.commitIdempotency(later), repeat);
    const wrong = rig.store.commitIdempotency({ ...record, digest: "bb" });
    await assert.rejects(wrong, { code: "ingest.idempotency-mismatch" });
    await rig.append(["x"]);
    await rig.close();
    rig = await openRig(directory);
    await rig.store.seal();
  }
  await rig.close();
});

test("a cut stays readable while what it holds is sealed, merged and dropped", async (t) => {
  const directory = temp(t);
  const segments = { mergeWidth: 2, replacedKeepMs: 0, trashKeepMs: 0 };
  const rig = await rigAt(t, directory, { segments, retention: { bytesMax: 10 } });
  await rig.append(["a"]);
  const inMemory = rig.store.openCut("default", always);
  await rig.store.seal();
  await rig.append(["b"]);
  await rig.store.seal();
  const inTwo = rig.store.openCut("default", always);
  await rig.store.merge();
  const inOne = rig.store.openCut("default", always);
  await rig.append(["c"]);
  await rig.store.retain();
  assert.deepEqual(rig.read(), ["c"]);
  assert.deepEqual(readCut(inMemory, rig.arena), ["a"]);
  assert.deepEqual(readCut(inTwo, rig.arena), ["a", "b"]);
  assert.deepEqual(readCut(inOne, rig.arena), ["a", "b"]);
  for (const cut of [inMemory, inTwo, inOne]) cut.release();
  const left = (): string[] => [
    ...readdirSync(join(directory, "storage/shard-0000")),
    ...readdirSync(join(directory, "storage/trash")),
  ];
  const isGone = (): boolean => left().every((name) => name.startsWith("checkpoint"));
  for (const endMs = performance.now() + 30_000; !isGone() && performance.now() < endMs; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await rig.store.retain();
  }
  assert.ok(isGone(), left().join());
});

test("a damaged block is set aside, named in cuts and status, and remembered", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["a"]);
  await rig.append(["b"]);
  await rig.store.seal();
  const cut = rig.store.openCut("default", always);
  const ref = cut.parts[0]!.ref;
  assert.ok(ref.kind === "segment");
  cut.release();
  rig.store.reportDamage({ shard: 0, uuid: ref.uuid, block: 0, reason: "checksum differs" });
  for (let restart = 0; restart < 2; restart++) {
    assert.deepEqual(rig.read(), ["b"]);
    const again = rig.store.openCut("default", always);
    assert.deepEqual(again.missing, [`shard 0 segment ${ref.uuid} block 0`]);
    again.release();
    assert.equal(rig.store.status().damagedBlocks[0]?.reason, "checksum differs");
    await rig.close();
    rig = await openRig(directory);
  }
  await rig.close();
});

test("a merge that meets a damaged block sets it aside, and later ones leave its segment alone", async (t) => {
  const rig = await rigAt(t, temp(t), { segments: { mergeWidth: 2, replacedKeepMs: 0 } });
  for (const record of ["a", "b", "c"]) {
    await rig.append([record]);
    await rig.store.seal();
  }
  const cut = rig.store.openCut("default", always);
  const { ref } = cut.parts[1]!;
  assert.ok(ref.kind === "segment");
  cut.release();
  const { path: file, uuid } = ref;
  rig.segments.beforeWrite = () => {
    rig.segments.beforeWrite = () => undefined;
    throw new ServiceError("storage.damaged", "checksum differs", { file, block: 0 });
  };
  await rig.store.merge();
  assert.deepEqual(rig.store.status().damagedBlocks, [
    { shard: 0, uuid, block: 0, reason: "checksum differs" },
  ]);
  await rig.store.seal();
  await rig.store.merge();
  assert.equal(rig.store.status().shards[0]?.segments, 2);
  assert.deepEqual(rig.read(), ["a", "c"]);
});

test("a part that no entry can hold is refused before it has a place, and nothing else suffers", async (t) => {
  const rig = await rigAt(t, temp(t));
  const time = { ms: 0, ns: 0 };
  const source = { source: "x".repeat(256), previous: 0n, from: 1n, through: 1n };
  for (const over of [
    { tenant: "t".repeat(256) },
    { timeMin: { ms: 0, ns: -1 }, timeMax: time },
    { timeMin: time, timeMax: { ms: 0, ns: 1_000_000 } },
    { sourceRange: source },
    { sourceRange: { ...source, source: "s", through: 2n ** 64n } },
  ]) {
    await assert.rejects(rig.append(["x"], over), { name: "AssertionError" });
  }
  assert.equal(rig.arena.liveBytes, 0);
  assert.deepEqual(await rig.append(["fine"]), { kind: "committed", position: 2 });
});

test("listeners hear of each committed batch once, in order, when it is in every later cut", async (t) => {
  const rig = await rigAt(t, temp(t));
  const heard: string[] = [];
  const stop = rig.store.onCommitted((batch) => {
    heard.push(`${batch.shard}/${batch.position}`);
    assert.equal(rig.read().length, heard.length);
  });
  await Promise.all([rig.append(["a"]), rig.append(["b"], { shard: 1 }), rig.append(["c"])]);
  stop();
  await rig.append(["d"]);
  assert.deepEqual(heard.sort(), ["0/2", "0/3", "1/2"]);
});

test("files that no manifest lists are deleted when they are a day old", async (t) => {
  const directory = temp(t);
  const shard = join(directory, "storage/shard-0000");
  let rig = await openRig(directory);
  rig.coordinator.beforeCommit = () => Promise.reject(new Error("injected: coordinator closed"));
  await rig.append(["a"]);
  await rig.store.seal();
  await rig.close();
  assert.equal(readdirSync(shard).length, 2);
  rig = await openRig(directory);
  assert.deepEqual(rig.read(), ["a"]);
  await rig.close();
  assert.equal(readdirSync(shard).length, 2);
  const now = (): number => Date.now() + 25 * 60 * 60 * 1000;
  rig = await openRig(directory, { clock: { now, monotonicMs: () => performance.now() } });
  assert.deepEqual(readdirSync(shard), []);
  assert.deepEqual(rig.read(), ["a"]);
  await rig.close();
});
