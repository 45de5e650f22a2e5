import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { epochRead, epochWrite } from "../src/log/epoch-files.ts";
import { directoryCreate, filesNamed } from "../src/log/files.ts";
import { purgeable, snapshotWrite, snapshotWriteNow } from "../src/log/snapshots.ts";
import { TxnLog } from "../src/log/txn-log.ts";
import { treeFingerprint } from "../src/tree/fingerprint.ts";
import { createTxn, entryBytes, logWrite, recoverAll, temporaryDirectory } from "./log-harness.ts";

const epoch1 = 2 ** 32;
const damaged = { name: "ServiceError", code: "storage.damaged" };

/** A data directory with a fresh snapshot and a log of ten creates. */
async function tenCreates(context: TestContext): Promise<{
  readonly dataDir: string;
  readonly directory: string;
  readonly log: string;
}> {
  const dataDir = temporaryDirectory(context);
  const { directory } = recoverAll(dataDir);
  await logWrite(
    directory,
    Array.from({ length: 10 }, (_, index) => epoch1 + 1 + index),
  );
  return { dataDir, directory, log: join(directory, "log.100000001") };
}

test("an empty directory becomes a fresh tree with a snapshot", (context) => {
  const dataDir = temporaryDirectory(context);
  const { tree, history, directory } = recoverAll(dataDir);
  assert.equal(tree.znodes.size, 4);
  const epochs = { acceptedEpoch: 0, currentEpoch: 0 };
  assert.deepEqual(history, { ...epochs, zxidLast: 0, snapshotZxid: 0, recent: [] });
  assert.deepEqual(readdirSync(directory), ["snapshot.0"]);
  assert.equal(treeFingerprint(recoverAll(dataDir).tree), treeFingerprint(tree));
});

test("every txn of the log is in the recovered tree", async (context) => {
  const { dataDir } = await tenCreates(context);
  const { tree, replayed, history } = recoverAll(dataDir);
  assert.equal(replayed, 10);
  assert.equal(tree.znodes.size, 14);
  const { recent, ...rest } = history;
  const epochs = { acceptedEpoch: 1, currentEpoch: 1 };
  assert.deepEqual(rest, { ...epochs, zxidLast: epoch1 + 10, snapshotZxid: 0 });
  assert.deepEqual(
    recent.map(({ zxid }) => zxid - epoch1),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
});

test("a torn last entry is cut off, wherever it is torn", async (context) => {
  const { dataDir, log } = await tenCreates(context);
  const whole = readFileSync(log);
  const last = whole.length - recordLength(10);
  for (let length = last + 1; length < whole.length; length++) {
    writeFileSync(log, whole.subarray(0, length));
    assert.equal(recoverAll(dataDir).replayed, 9, `cut to ${length}`);
    // A record begins with four zeros, which are no trace of one.
    const left = Math.max(0, Math.min(length - last, 4) * Number(length - last <= 4));
    assert.equal(readFileSync(log).length, last + left);
  }
});

test("a torn last entry within preallocated zeros is cut off", async (context) => {
  const { dataDir, log } = await tenCreates(context);
  const whole = readFileSync(log);
  truncateSync(log, whole.length - 20);
  appendFileSync(log, Buffer.alloc(10_000));
  assert.equal(recoverAll(dataDir).replayed, 9);
  assert.equal(recoverAll(dataDir).tornBytes, 0);
});

test("a log that was created and never synced is no fault", async (context) => {
  const { dataDir, directory } = await tenCreates(context);
  writeFileSync(join(directory, "log.200000001"), Buffer.alloc(4096));
  assert.equal(recoverAll(dataDir).replayed, 10);
  assert.equal(filesNamed(directory, "log").length, 1);
});

test("a flipped bit anywhere but in the last entry stops with an error that names the file", async (context) => {
  const { dataDir, log } = await tenCreates(context);
  const whole = readFileSync(log);
  const prng = new Prng(1);
  for (let round = 0; round < 100; round++) {
    const bytes = Buffer.from(whole);
    const at = prng.below(whole.length - recordLength(10));
    // The database id is checked by nobody, Apache included.
    if (at >= 8 && at < 16) continue;
    bytes[at]! ^= 1 << prng.below(8);
    writeFileSync(log, bytes);
    assert.throws(
      () => recoverAll(dataDir),
      (error: { readonly code?: string; readonly fields?: { readonly path?: string } }) =>
        error.code === "storage.damaged" && error.fields?.path === log,
      `byte ${at}`,
    );
    assert.deepEqual(readFileSync(log), bytes, "a damaged file is left as it is");
  }
});

test("a damaged snapshot stops with an error, or is set aside when an older one and the logs make up for it", async (context) => {
  const { dataDir, directory, log } = await tenCreates(context);
  const { tree } = recoverAll(dataDir);
  await snapshotWrite(directory, tree, new AbortController().signal);
  const path = join(directory, "snapshot.10000000a");
  const aside = join(directory, "damaged.snapshot.10000000a");
  const whole = readFileSync(path);
  const damages = [
    // That any flipped bit is noticed is for log-damage; each of these is a start, which syncs files. An odd step meets each bit.
    ...Array.from({ length: Math.ceil(whole.length / 13) }, (_, step) => {
      const at = step * 13;
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1 << (at % 8);
      return bytes;
    }),
    ...Array.from({ length: 20 }, (_, cut) => whole.subarray(0, whole.length - 1 - cut * 29)),
  ];
  const logBytes = readFileSync(log);
  for (const bytes of damages) {
    writeFileSync(path, bytes);
    const recovered = recoverAll(dataDir);
    assert.equal(treeFingerprint(recovered.tree), treeFingerprint(tree));
    assert.equal(recovered.history.snapshotZxid, 0);
    assert.equal(recovered.warnings.length, 1);
    assert.deepEqual(readFileSync(aside), bytes);
    assert(!readdirSync(directory).includes("snapshot.10000000a"));
  }
  writeFileSync(path, damages[0]!);
  for (const length of [0, 16, logBytes.length - recordLength(10)]) {
    writeFileSync(log, logBytes.subarray(0, length));
    assert.throws(() => recoverAll(dataDir), damaged, `a log cut to ${length}`);
    assert.equal(readFileSync(log).length, length, "nothing is cut before it is clear");
  }
  writeFileSync(log, logBytes);
  rmSync(join(directory, "snapshot.0"));
  assert.throws(() => recoverAll(dataDir), damaged);
});

test("data after the end of a log stops with an error", async (context) => {
  const { dataDir, log } = await tenCreates(context);
  const whole = readFileSync(log);
  const later = whole.subarray(whole.length - recordLength(10));
  writeFileSync(log, Buffer.concat([whole, Buffer.alloc(64), later]));
  assert.throws(() => recoverAll(dataDir), damaged);
});

test("a torn tail in a log that is not the last stops with an error", async (context) => {
  const { dataDir, directory, log } = await tenCreates(context);
  await logWrite(directory, [epoch1 * 2 + 1]);
  truncateSync(log, readFileSync(log).length - 3);
  assert.throws(() => recoverAll(dataDir), damaged);
});

test("a missing txn within an epoch stops with an error", async (context) => {
  const { dataDir, directory } = await tenCreates(context);
  await logWrite(directory, [epoch1 + 12]);
  assert.throws(() => recoverAll(dataDir), damaged);
});

test("logs or epochs without any snapshot are refused, never taken for a new directory", async (context) => {
  const { dataDir, directory, log } = await tenCreates(context);
  rmSync(join(directory, "snapshot.0"));
  assert.throws(() => recoverAll(dataDir), damaged);
  rmSync(log);
  epochWrite(directory, "acceptedEpoch", 1);
  assert.throws(() => recoverAll(dataDir), damaged);
});

test("what a crash left half written is removed", async (context) => {
  const { dataDir, directory } = await tenCreates(context);
  const names = ["acceptedEpoch.tmp", "currentEpoch.tmp", "snapshot.7.tmp", "image.7.0a1b.tmp"];
  for (const name of names) writeFileSync(join(directory, name), "half");
  mkdirSync(join(directory, "snapshot.8.tmp", "full"), { recursive: true });
  writeFileSync(join(directory, "mine.tmp"), "not ours");
  assert.equal(recoverAll(dataDir).replayed, 10);
  assert.deepEqual(readdirSync(directory).sort(), [
    "acceptedEpoch",
    "currentEpoch",
    "log.100000001",
    "mine.tmp",
    "snapshot.0",
  ]);
});

test("an epoch file that holds no epoch stops with an error", (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  epochWrite(directory, "currentEpoch", 12);
  assert.equal(epochRead(directory, "currentEpoch"), 12);
  for (const text of ["", "x", "-1", "99999999", "1\n2"]) {
    writeFileSync(join(directory, "currentEpoch"), text);
    assert.throws(() => epochRead(directory, "currentEpoch"), damaged, JSON.stringify(text));
  }
});

test("replay starts at the snapshot and goes over several logs", async (context) => {
  const { dataDir, directory } = await tenCreates(context);
  snapshotWriteNow(directory, recoverAll(dataDir).tree);
  await logWrite(directory, [epoch1 + 11, epoch1 + 12]);
  await logWrite(directory, [epoch1 * 2 + 1]);
  const { tree, replayed, history } = recoverAll(dataDir);
  const { snapshotZxid } = history;
  assert.deepEqual({ replayed, snapshotZxid }, { replayed: 3, snapshotZxid: epoch1 + 10 });
  assert.equal(tree.znodes.size, 17);
});

test("three snapshots are kept, and the logs from the oldest of them on", async (context) => {
  const { dataDir, directory } = await tenCreates(context);
  for (let epoch = 2; epoch <= 5; epoch++) {
    snapshotWriteNow(directory, recoverAll(dataDir).tree);
    await logWrite(directory, [epoch1 * epoch + 1]);
  }
  const names = purgeable(directory).map(({ path }) => path.slice(directory.length + 1));
  assert.deepEqual(names, ["snapshot.0", "snapshot.10000000a", "log.100000001"]);
  for (const { path } of purgeable(directory)) rmSync(path);
  assert.equal(recoverAll(dataDir).tree.znodes.size, 18);
});

test("the log says what is durable, in order, while more is appended and files change", async (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  const durable: number[] = [];
  let flushed = 0;
  const log = new TxnLog(directory, {
    onDurable: (zxid) => {
      assert(zxid <= flushed, "durable before it was written");
      durable.push(zxid);
    },
    onFailed: (error) => assert.fail(error),
  });
  for (let counter = 1; counter <= 300; counter++) {
    const zxid = epoch1 + counter;
    log.append(zxid, entryBytes(zxid, createTxn(`/n${counter}`, counter)));
    // A new file writes what came before it.
    if (counter % 100 === 1) flushed = zxid - 1;
    if (counter % 7 === 0) {
      flushed = zxid;
      log.flush();
    }
    if (counter % 100 === 0) log.roll();
    if (counter % 10 === 0) await new Promise(setImmediate);
  }
  flushed = epoch1 + 300;
  await log.close();
  assert.equal(durable.at(-1), epoch1 + 300);
  assert.deepEqual(
    durable,
    [...durable].sort((a, b) => a - b),
  );
  assert.equal(filesNamed(directory, "log").length, 3);
});

test("a log that cannot be written says so once and promises nothing more", async (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  const failures: Error[] = [];
  const log = new TxnLog(directory, {
    onDurable: () => assert.fail("nothing was durable"),
    onFailed: (error) => failures.push(error),
  });
  writeFileSync(join(directory, "log.100000001"), "taken");
  log.append(epoch1 + 1, entryBytes(epoch1 + 1, createTxn("/a", 1)));
  log.flush();
  log.append(epoch1 + 2, entryBytes(epoch1 + 2, createTxn("/b", 2)));
  log.flush();
  await log.close();
  assert.equal(failures.length, 1);
});

function recordLength(counter: number): number {
  const framing = 13;
  return entryBytes(epoch1 + counter, createTxn(`/n${counter}`, counter)).length + framing;
}
