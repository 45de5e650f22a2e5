import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ServiceError } from "../../../kit/src/errors.ts";
import { silentLogger } from "../../../kit/src/logger.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { acceptLogLoss, type EpochsOf } from "../../src/log/accept-loss.ts";
import { CommitLog, type CommitLogOptions, type LogEntry } from "../../src/log/commit-log.ts";
import { nodeDisk } from "../../src/log/disk.ts";
import { entryBytesOf, headerBytesOf } from "../../src/log/entry.ts";
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

test("a file whose head is damaged stops the start, with what to do, unless it never had an entry", async (t) => {
  const directory = temp(t);
  const positions = Array.from({ length: 300 }, (_, i) => i + 1);
  await logOf(
    directory,
    positions.map((position) => entryOf(0, position, "x".repeat(500))),
  );
  const names = readdirSync(directory).sort();
  const headless = async (name: string, bytes: Buffer): Promise<RecoveredLog> => {
    const path = join(directory, name);
    const whole = readFileSync(path);
    writeFileSync(path, Buffer.concat([bytes, whole.subarray(bytes.length)]));
    try {
      return await started(directory);
    } catch (thrown) {
      writeFileSync(path, whole);
      throw thrown;
    }
  };
  const spare = names.at(-1)!;
  assert.ok(names.length >= 4);
  for (const name of names.slice(0, -1)) {
    await assert.rejects(headless(name, Buffer.alloc(logFileHeadBytes)), (thrown: ServiceError) => {
      assert.equal(thrown.code, "storage.damaged");
      assert.match(thrown.message, /head of the file is damaged.*keep the directory/);
      assert.deepEqual(thrown.fields, { file: name, offset: 0 });
      return true;
    });
  }
  for (const bytes of [Buffer.alloc(logFileHeadBytes), Buffer.alloc(33, 1)]) {
    const { damaged, shards } = await headless(spare, bytes);
    assert.deepEqual([...damaged], []);
    assert.equal(shards.get(0)?.entries.length, positions.length);
    assert.deepEqual(readdirSync(directory).sort(), names);
  }
});
