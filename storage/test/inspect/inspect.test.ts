// Goal: whatever byte of a stored file is not what was written is found, with its place, and nothing whole is accused.
// Method: segments, a checkpoint and a commit log as a store makes them; bits are flipped and files cut one at a time.
import assert from "node:assert/strict";
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Prng } from "../../../kit/src/prng.ts";
import { describeLogFile, describeSegment } from "../../src/inspect/describe.ts";
import { storedFiles } from "../../src/inspect/stored-files.ts";
import { storedRecords } from "../../src/inspect/stored-records.ts";
import { type Verified, verifyFiles } from "../../src/inspect/verify.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { batchOf, randomRecords, recordsOf } from "../format/records.ts";
import { temp } from "../log/temp.ts";
import { openRig } from "../shard/rig.ts";

const uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
const other = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const rounds = Number(process.env["ROUNDS"] ?? 300);

function verified(path: string): readonly Verified[] {
  return [...verifyFiles(storedFiles(path), false)];
}

function reasons(path: string): string[] {
  return verified(path).flatMap(({ findings }) => findings.map(({ reason }) => reason));
}

/** A folder of a shard with one segment of two tenants. */
function segmentAt(t: TestContext): { folder: string; path: string } {
  const folder = join(temp(t), "shard-0003");
  mkdirSync(folder);
  const path = join(folder, `1-${uuid}`);
  const prng = new Prng(7);
  const batches = ["default", "acme"].map((tenant, at) => {
    return { bytes: batchOf(randomRecords(prng, 300), { tenant }), position: at + 1 };
  });
  const range = { epoch: 1, positionFrom: 1, positionThrough: 2 };
  sealSegment({ path, uuid, shard: 3, ...range, batches });
  return { folder, path };
}

test("a whole segment is found whole, with its records", (t) => {
  const { folder } = segmentAt(t);
  const [found] = verified(folder);
  assert.deepEqual(found?.findings, []);
  assert.deepEqual([found?.records, found?.file.kind, found?.file.shard], [600, "segment", 3]);
});

test("a flipped bit in a segment is found wherever it is, and in a block with the block's number", (t) => {
  const { folder, path } = segmentAt(t);
  const bytes = readFileSync(path);
  const { blocks } = describeSegment(path);
  const prng = new Prng(Number(process.env["SEED"] ?? 1));
  for (let i = 0; i < rounds; i++) {
    const at = prng.below(bytes.length);
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1 << prng.below(8);
    writeFileSync(path, flipped);
    const [found] = verified(folder);
    assert.ok((found?.findings.length ?? 0) > 0, `byte ${at}`);
    const first = 16 + (blocks[0]?.bytes ?? 0);
    if (at >= 16 && at < first) assert.ok(found?.findings.every(({ block }) => block === 0));
  }
  for (const length of [0, 15, bytes.length >> 1, bytes.length - 1]) {
    writeFileSync(path, bytes.subarray(0, length));
    assert.notDeepEqual(reasons(folder), [], `cut at ${length}`);
  }
});

test("each damaged block is told, and a file under a wrong name or in a wrong folder", (t) => {
  const { folder, path } = segmentAt(t);
  const bytes = readFileSync(path);
  const { blocks } = describeSegment(path);
  let at = 16;
  for (const block of blocks) {
    bytes[at + 20]! ^= 1;
    at += block.bytes;
  }
  writeFileSync(path, bytes);
  const [found] = verified(folder);
  assert.deepEqual(
    [...new Set(found?.findings.map(({ block }) => block))],
    blocks.map(({ ordinal }) => ordinal),
  );
  assert.equal(found?.recordsDamaged, found?.records);
  bytes[16 + 20]! ^= 1;
  writeFileSync(path, bytes);
  const [first, ...rest] = blocks;
  const [others] = verified(folder);
  assert.equal(others?.records, found?.records);
  assert.equal(
    others?.recordsDamaged,
    rest.reduce((sum, { rows }) => sum + rows, 0),
    `${first}`,
  );
  rmSync(path);
  const whole = segmentAt(t);
  const elsewhere = join(folder, "..", "shard-0004");
  mkdirSync(elsewhere);
  copyFileSync(whole.path, join(elsewhere, `1-${other}`));
  assert.deepEqual(reasons(elsewhere), [
    `the file holds segment ${uuid}`,
    "the file is of shard 3",
  ]);
});

test("a segment is described: partitions, blocks, columns by kind and bytes, templates", (t) => {
  const folder = temp(t);
  const path = join(folder, `1-${uuid}`);
  const records = Array.from({ length: 2_000 }, (_, i) => ({
    ...{ ms: 1_700_000_000_000 + i, ns: 0, stream: '{service="s"}', position: 1 },
    fields: { _msg: `request ${i * 7919} of user u${i % 90} took ${i % 317} ms`, level: "info" },
  }));
  const range = { epoch: 1, positionFrom: 1, positionThrough: 1 };
  const batches = [{ bytes: batchOf(records, { retentionClass: "30d" }), position: 1 }];
  sealSegment({ path, uuid, shard: 0, ...range, batches });
  const described = describeSegment(path);
  assert.deepEqual([described.records, described.version, described.uuid], [2_000, 2, uuid]);
  assert.deepEqual(
    described.partitions.map((each) => each.class),
    ["30d"],
  );
  const column = (name: string) => described.columns.find((each) => each.name === name);
  assert.deepEqual(column("level")?.kinds, { const: 1 });
  assert.deepEqual(column("_msg")?.kinds, { templates: 1 });
  const sum = described.columns.reduce((total, { bytes }) => total + bytes, 0);
  const ofBlocks = described.blocks.reduce((total, { bytes }) => total + bytes, 0);
  // Every stored byte is told, but for the rounding.
  assert.ok(Math.abs(sum - ofBlocks) <= described.columns.length, `${sum} of ${ofBlocks}`);
  assert.match(described.templates[0]?.text ?? "", /^request <\*> of user .*<\*> took <\*> ms$/);
  assert.equal(
    described.templates.reduce((total, { rows }) => total + rows, 0),
    2_000,
  );
});

test("records come as they lie, of one tenant, within times", (t) => {
  const { folder } = segmentAt(t);
  const choice = { tenant: "acme", internal: false, from: undefined, to: undefined };
  const all = [...storedRecords(storedFiles(folder), choice)];
  assert.equal(
    all.reduce((sum, { rows }) => sum + rows.length, 0),
    300,
  );
  const times = all.flatMap(({ block }) => recordsOf(block).map(({ ms }) => ms)).sort();
  const from = { ms: times[100] as number, ns: 0 };
  const later = [...storedRecords(storedFiles(folder), { ...choice, from })];
  const wanted = times.filter((ms) => ms >= from.ms).length;
  assert.equal(
    later.reduce((sum, { rows }) => sum + rows.length, 0),
    wanted,
  );
});

/** A data directory whose commit log has entries of three shards in several files; nothing is sealed. */
async function logAt(t: TestContext): Promise<{ data: string; logs: string[] }> {
  const data = temp(t);
  const rig = await openRig(data, { shardCount: 3 });
  for (let i = 0; i < 60; i++) await rig.append([`${i} ${"x".repeat(9_000)}`], { shard: i % 3 });
  await rig.store.close();
  rig.data.release();
  return { data, logs: globSync(join(data, "storage/log/log-*")).sort() };
}

test("a log is described file by file, and cut anywhere in its last it is torn and no damage", async (t) => {
  const { data, logs } = await logAt(t);
  assert.ok(logs.length >= 3);
  const described = logs.map((path) => describeLogFile(path));
  assert.equal(
    described.flatMap(({ shards }) => shards).reduce((sum, s) => sum + s.records, 0),
    60,
  );
  assert.deepEqual([...new Set(described.slice(0, -1).map(({ end }) => end))], ["closed"]);
  const last = described.findLast(({ shards }) => shards.length > 0);
  const path = last?.path ?? "";
  const bytes = readFileSync(path);
  const end = last?.usedBytes ?? 0;
  for (const cut of [end - 1, end - 4_000, end - 9_100]) {
    writeFileSync(path, Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(bytes.length - cut)]));
    // The rig's batches are no real ones: what their bodies hold is not looked at here.
    assert.deepEqual(accused(data), [], `cut at ${cut}`);
  }
});

test("damage in the middle of a log is found with its offset, and a file that is gone", async (t) => {
  const { data, logs } = await logAt(t);
  const [first = "", second = ""] = logs;
  const bytes = readFileSync(first);
  const { usedBytes } = describeLogFile(first);
  const prng = new Prng(3);
  for (let i = 0; i < 40; i++) {
    const at = 4_096 + prng.below(usedBytes - 4_096);
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1 << prng.below(8);
    writeFileSync(first, flipped);
    const found = accused(data);
    // Padding between entries is of no meaning.
    if (found.length === 0) assert.ok(isPadding(bytes, at), `byte ${at}`);
  }
  const headless = Buffer.from(bytes);
  headless[20]! ^= 1;
  writeFileSync(first, headless);
  assert.ok(accused(data).includes("head of the file is damaged"));
  writeFileSync(first, bytes);
  rmSync(second);
  assert.ok(accused(data).includes("the file before this one is missing"));
});

/** What is found, but for bodies of the rig, which are JSON and no batches. */
function accused(data: string): string[] {
  const found = verified(data).filter(({ file }) => file.kind !== "segment");
  return found
    .flatMap(({ findings }) => findings)
    .map(({ reason }) => reason)
    .filter((reason) => !/batch/.test(reason));
}

function isPadding(bytes: Buffer, at: number): boolean {
  const from = at - (at % 8);
  return bytes.subarray(at, from + 8).every((byte) => byte === 0);
}

test("a flipped bit in a checkpoint or in the file of epochs is found", async (t) => {
  const data = temp(t);
  const rig = await openRig(data);
  await rig.append(["a"], {});
  await rig.store.seal();
  await rig.close();
  const [checkpoint = ""] = globSync(join(data, "storage/shard-*/checkpoint-*"));
  for (const path of [checkpoint, join(data, "storage/epochs")]) {
    const bytes = readFileSync(path);
    assert.deepEqual(reasons(path), []);
    const flipped = Buffer.from(bytes);
    flipped[bytes.length >> 1]! ^= 4;
    writeFileSync(path, flipped);
    assert.match(reasons(path)[0] ?? "", /is damaged$/);
    writeFileSync(path, bytes);
  }
});

test("a place where nothing of a store is, is told", (t) => {
  assert.throws(() => storedFiles(temp(t)), { message: /^nothing of a store is here/ });
  assert.throws(() => storedFiles("/nowhere/at/all"), { message: /^there is no such file/ });
});
