import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLogger } from "../../../kit/src/logger.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { acceptLogLoss, type EpochsOf } from "../../src/log/accept-loss.ts";
import { CommitLog, type CommitLogOptions, type LogEntry } from "../../src/log/commit-log.ts";
import { nodeDisk } from "../../src/log/disk.ts";
import { entryBytesOf, fileEndHeader, headerBytesOf, headerEncode } from "../../src/log/entry.ts";
import { logFileHeadBytes } from "../../src/log/limits.ts";
import { logFileName } from "../../src/log/log-file.ts";
import type { RecoveredLog } from "../../src/log/recovery.ts";
import { entryOf, temp } from "./temp.ts";

const fileBytes = 64 * 1024;
const nothingKnown: EpochsOf = () => ({ lineage: [] });

function optionsOf(directory: string): CommitLogOptions {
  return {
    ...{ directory, disk: nodeDisk, logger: silentLogger, fileBytes, bytesMax: 64 * fileBytes },
    ...{ onSealWanted: () => undefined, onFailed: () => undefined },
  };
}

/** A log of these entries, each in a group of its own, in its first files. */
async function logOf(directory: string, entries: readonly LogEntry[]): Promise<void> {
  const { log } = await CommitLog.open(optionsOf(directory));
  for (const entry of entries) {
    if (!log.fits(entry.header)) await log.room();
    await log.append(entry);
  }
  await log.close();
}

/** What a start makes of the log, which is closed again. */
async function started(directory: string): Promise<RecoveredLog> {
  const { log, recovered } = await CommitLog.open(optionsOf(directory));
  await log.close();
  return recovered;
}

/** Positions of a shard that have their records, read as the running log reads them. */
async function readable(directory: string, shard: number): Promise<readonly number[]> {
  const { log } = await CommitLog.open(optionsOf(directory));
  const { base, end } = log.range(shard) ?? { base: { position: 0 }, end: { position: 0 } };
  const positions = Array.from(
    { length: end.position - base.position },
    (_, i) => base.position + 1 + i,
  );
  const found = positions.filter((at) => log.read(shard, at)?.header.kind === "records");
  await log.close();
  return found;
}

const text = (shard: number, position: number) => `text ${shard}/${position}`;
const one = (shard: number, position: number) => entryOf(shard, position, text(shard, position));
const size = entryBytesOf(one(0, 1).header);
const headerSize = headerBytesOf(one(0, 1).header);

/** Of shard 0: three entries. Of 1: one before them, one after. Of 2: one before them. 3 begins after them. */
const mixed = [one(1, 1), one(2, 1), one(0, 1), one(0, 2), one(0, 3), one(1, 2), one(3, 1)];
const second = logFileHeadBytes + 3 * size;

async function damagedLog(
  t: TestContext,
): Promise<{ directory: string; path: string; whole: Buffer }> {
  const directory = temp(t);
  await logOf(directory, mixed);
  const path = join(directory, logFileName(1));
  return { directory, path, whole: readFileSync(path) };
}

test("a bit flipped in any byte of a header loses that entry alone, and stops those shards that it may be of", async (t) => {
  const { directory, path, whole } = await damagedLog(t);
  const prng = new Prng(1);
  for (let at = second; at < second + headerSize; at++) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1 << prng.below(8);
    writeFileSync(path, bytes);
    const { damaged, files, shards } = await started(directory);
    assert.deepEqual(files[0]?.holes, [{ offset: second, end: second + size }], `byte ${at}`);
    assert.deepEqual(
      shards.get(0)?.entries.map(({ header }) => header.position),
      [1, 3],
    );
    // Entry 3 says that 2 is missing; of shard 2 nothing says that there was not another.
    assert.deepEqual([...damaged.keys()].sort(), [0, 2]);
    const file = logFileName(1);
    const [known] = damaged.get(0) ?? [];
    assert.deepEqual([known?.file, known?.offset, known?.position], [file, second, 2]);
    const [unknown] = damaged.get(2) ?? [];
    assert.deepEqual([unknown?.file, unknown?.offset], [file, second]);
    assert.equal(unknown?.position, Number.POSITIVE_INFINITY);
    assert.equal(damaged.get(1), undefined, "its next entry follows its last one");
    assert.equal(damaged.get(3), undefined, "its first entry is there");
    assert.equal(damaged.get(9)?.length, 1, "a shard may have had nothing but what is lost");
    damaged.emptied(9);
    assert.equal(damaged.get(9), undefined);
  }
});

test("a log without what it lost serves all that is left, once that is given up", async (t) => {
  const { directory, path, whole } = await damagedLog(t);
  for (let at = second; at < second + headerSize; at += 4) {
    const bytes = Buffer.from(whole);
    bytes.fill(0xa5, at, at + 3);
    writeFileSync(path, bytes);
    const accepted = await acceptLogLoss(nodeDisk, directory, nothingKnown);
    assert.deepEqual(accepted, {
      entries: [{ shard: 0, from: 2, through: 2 }],
      places: [{ file: logFileName(1), offset: second, bytes: size }],
    });
    const { damaged, shards } = await started(directory);
    assert.deepEqual([damaged.size, damaged.get(9), shards.size], [0, undefined, 4]);
    assert.deepEqual(await readable(directory, 0), [1, 3]);
    assert.deepEqual(await readable(directory, 2), [1]);
  }
  const { log } = await CommitLog.open(optionsOf(directory));
  await log.append(one(0, 4));
  await log.close();
  assert.deepEqual(await readable(directory, 0), [1, 3, 4]);
});

test("damage that takes the last entry of a shard and nothing else is given up without a gap", async (t) => {
  const directory = temp(t);
  await logOf(directory, [one(0, 1), one(0, 2), one(1, 1), one(1, 2)]);
  const path = join(directory, logFileName(1));
  const bytes = readFileSync(path);
  bytes[logFileHeadBytes + size + 20]! ^= 1;
  writeFileSync(path, bytes);
  assert.equal((await started(directory)).damaged.get(0)?.[0]?.position, Number.POSITIVE_INFINITY);
  const { entries } = await acceptLogLoss(nodeDisk, directory, nothingKnown);
  assert.deepEqual(entries, []);
  assert.equal((await started(directory)).damaged.get(0), undefined);
  assert.deepEqual(await readable(directory, 0), [1]);
  assert.deepEqual(await readable(directory, 1), [1, 2]);
});

test("a body that is damaged is given up with its entry, a source that it names is asked for it again", async (t) => {
  const directory = temp(t);
  const source = { source: "topic/7", previous: 3n, from: 4n, through: 9n };
  const sourced = entryOf(0, 2, "will rot", { source });
  await logOf(directory, [one(0, 1), sourced, one(0, 3)]);
  const path = join(directory, logFileName(1));
  const bytes = readFileSync(path);
  bytes[bytes.indexOf("will rot")]! ^= 1;
  writeFileSync(path, bytes);
  assert.equal((await started(directory)).damaged.get(0)?.[0]?.position, 2);
  const { entries } = await acceptLogLoss(nodeDisk, directory, nothingKnown);
  assert.deepEqual(entries, [{ shard: 0, from: 2, through: 2 }]);
  const { damaged, shards } = await started(directory);
  assert.equal(damaged.get(0), undefined);
  assert.equal(shards.get(0)?.entries[1]?.header.source, undefined);
  assert.deepEqual(await readable(directory, 0), [1, 3]);
});

test("damage anywhere in a log of several files is read past, and never stops the start", async (t) => {
  const directory = temp(t);
  const long = (position: number) =>
    entryOf(position % 3, Math.ceil(position / 3), "x".repeat(9_000));
  await logOf(
    directory,
    Array.from({ length: 24 }, (_, i) => long(i + 1)),
  );
  const prng = new Prng(7);
  for (let round = 0; round < 120; round++) {
    const path = join(directory, logFileName(1 + prng.below(3)));
    const whole = readFileSync(path);
    const bytes = Buffer.from(whole);
    const at = logFileHeadBytes + prng.below(bytes.length - logFileHeadBytes);
    const end = at + 1 + prng.below(prng.chance(0.3) ? 20_000 : 40);
    bytes.fill(prng.below(256), at, Math.min(end, bytes.length));
    writeFileSync(path, bytes);
    const { damaged, files, shards } = await started(directory);
    const about = `round ${round} ${path} at ${at}`;
    const found = [...shards.values()].flatMap(({ entries }) => entries);
    if (found.some(({ isDamaged }) => isDamaged) || found.length < 24) {
      assert.ok(damaged.size > 0, about);
      const copies = files.map(({ name }) => [name, readFileSync(join(directory, name))] as const);
      await acceptLogLoss(nodeDisk, directory, nothingKnown);
      const mended = await started(directory);
      assert.equal(mended.damaged.size, 0, about);
      assert.ok(
        mended.files.every(({ holes }) => holes.length === 0),
        about,
      );
      const left = found.filter(({ isDamaged }) => !isDamaged).length;
      const after = [...mended.shards.values()].flatMap(({ entries }) => entries);
      assert.equal(after.filter(({ header }) => header.kind === "records").length, left, about);
      for (const [name, copy] of copies) writeFileSync(join(directory, name), copy);
    }
    writeFileSync(path, whole);
  }
});

/** Several files, all of one shard but one entry of another in the first; returns the names, the last of which is spare. */
async function filesOf(directory: string): Promise<readonly string[]> {
  const positions = Array.from({ length: 300 }, (_, i) => i + 1);
  const long = positions.map((position) => entryOf(0, position, "x".repeat(500)));
  await logOf(directory, [one(1, 1), ...long]);
  const names = readdirSync(directory).sort();
  assert.ok(names.length >= 4);
  return names;
}

/** Puts these bytes over a file's from an offset on. */
function overwrite(path: string, bytes: Uint8Array, offset: number): void {
  const whole = readFileSync(path);
  whole.set(bytes, offset);
  writeFileSync(path, whole);
}

test("a bit flipped in any byte of the head of any file that has entries loses nothing, and is mended", async (t) => {
  const directory = temp(t);
  const names = await filesOf(directory);
  const used = names.slice(0, -1);
  const prng = new Prng(3);
  for (let at = 0; at < 36; at++) {
    const path = join(directory, used[at % used.length]!);
    const whole = readFileSync(path);
    overwrite(path, Uint8Array.of(whole[at]! ^ (1 << prng.below(8))), at);
    const { damaged, shards } = await started(directory);
    assert.deepEqual([damaged.size, damaged.get(9)], [0, undefined], `byte ${at}`);
    assert.equal(shards.get(0)?.entries.length, 300);
    assert.ok(readFileSync(path).equals(whole), `byte ${at} is as it was`);
  }
});

test("a file of whose head nothing is left loses nothing while its first entry is whole", async (t) => {
  const directory = temp(t);
  const names = await filesOf(directory);
  for (const name of names.slice(0, -1)) {
    overwrite(join(directory, name), Buffer.alloc(logFileHeadBytes, 0xa5), 0);
  }
  for (let round = 0; round < 2; round++) {
    const { damaged, shards } = await started(directory);
    assert.equal(damaged.size, 0);
    assert.equal(shards.get(0)?.entries.length, 300);
  }
  const { log } = await CommitLog.open(optionsOf(directory));
  await log.append(entryOf(0, 301, "goes on"));
  await log.close();
  assert.equal((await readable(directory, 0)).length, 301);
});

test("a file of whose head and first entry nothing is left is lost, and shards that may have had entries there are told", async (t) => {
  const directory = temp(t);
  const names = await filesOf(directory);
  // Of one in the middle, and of the last one that has entries.
  for (const [name, isLast] of [
    [names[1]!, false],
    [names.at(-2)!, true],
  ] as const) {
    const path = join(directory, name);
    const whole = readFileSync(path);
    overwrite(path, Buffer.alloc(logFileHeadBytes + 200, 0xa5), 0);
    const { damaged, files, shards } = await started(directory);
    const hole = { offset: logFileHeadBytes, end: whole.length };
    assert.deepEqual(files.find((file) => file.name === name)?.holes, [hole]);
    assert.ok(shards.get(0)!.entries.length < 300);
    const [found] = damaged.get(0) ?? [];
    assert.deepEqual([found?.file, found?.offset], [name, logFileHeadBytes]);
    assert.equal(found?.position === Number.POSITIVE_INFINITY, isLast);
    // The other shard may have had its last ones there, and one that nobody knows all.
    for (const shard of [1, 9]) {
      assert.equal(damaged.get(shard)?.[0]?.position, Number.POSITIVE_INFINITY);
    }
    assert.ok(readFileSync(path).subarray(0, 50).equals(Buffer.alloc(50, 0xa5)), "it is kept");
    writeFileSync(path, whole);
  }
});

test("a log goes on behind a lost file, and is whole without it once the loss is accepted", async (t) => {
  const directory = temp(t);
  const names = await filesOf(directory);
  const path = join(directory, names.at(-2)!);
  overwrite(path, Buffer.alloc(logFileHeadBytes + 200, 0xa5), 0);
  const { log } = await CommitLog.open(optionsOf(directory));
  for (const position of [1, 2]) await log.append(one(5, position));
  await log.close();
  const before = await readable(directory, 0);
  assert.equal((await started(directory)).damaged.get(5), undefined);
  const { entries, places } = await acceptLogLoss(nodeDisk, directory, nothingKnown);
  assert.deepEqual([entries, places.map(({ file }) => file)], [[], [names.at(-2)]]);
  const { damaged, files } = await started(directory);
  assert.equal(damaged.size, 0);
  assert.ok(files.every(({ holes }) => holes.length === 0));
  assert.deepEqual(await readable(directory, 0), before);
  assert.deepEqual(await readable(directory, 5), [1, 2]);
});

test("entries of a life before are never met again in a spare file without a head, though the one before it was ended", async (t) => {
  const directory = temp(t);
  const { log } = await CommitLog.open({ ...optionsOf(directory), bytesMax: 8 * fileBytes });
  for (let position = 1; position <= 100; position++) {
    const entry = entryOf(0, position, "x".repeat(9_000));
    if (!log.fits(entry.header)) await log.room();
    await log.append(entry);
    log.sealed(0, position - 1);
  }
  const { end } = log.range(0)!;
  await log.close();
  const { files, shards } = await started(directory);
  const tail = files.findLast(({ scan }) => scan.entries.length > 0)!;
  const spare = files.at(-1)!;
  assert.ok(spare !== tail && readFileSync(join(directory, spare.name)).includes("LKE1"));
  const mark = headerEncode(fileEndHeader(), { fileId: tail.fileId, groupOffset: 0 });
  overwrite(join(directory, tail.name), mark, tail.scan.endOffset);
  for (const { name } of files.slice(files.indexOf(tail) + 1)) {
    overwrite(join(directory, name), Buffer.alloc(logFileHeadBytes), 0);
  }
  const after = await started(directory);
  const positions = (of: typeof shards) => of.get(0)!.entries.map(({ header }) => header.position);
  assert.deepEqual(positions(after.shards), positions(shards));
  assert.equal(positions(shards).at(-1), end.position);
});

test("a spare file with a damaged head is made anew", async (t) => {
  const directory = temp(t);
  const names = await filesOf(directory);
  for (const bytes of [Buffer.alloc(logFileHeadBytes), Buffer.alloc(33, 1)]) {
    overwrite(join(directory, names.at(-1)!), bytes, 0);
    const { damaged, shards } = await started(directory);
    assert.deepEqual([...damaged], []);
    assert.equal(shards.get(0)?.entries.length, 300);
    assert.deepEqual(readdirSync(directory).sort(), names);
  }
});
