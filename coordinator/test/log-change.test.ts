// Goal: a log that is cut, or replaced by a leader's snapshot, ends as it should, and a crash at any moment on the way
// leaves the old history, a beginning of it that holds what is kept, or the new one.
// Method: the directory is copied before every call that changes it, and every copy is recovered.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { directoryCreate, filesNamed } from "../src/log/files.ts";
import { installBegin, installFinish } from "../src/log/install.ts";
import { snapshotWriteNow } from "../src/log/snapshots.ts";
import { SnapshotSpool } from "../src/log/spool.ts";
import { TxnLog } from "../src/log/txn-log.ts";
import type { ImageSource } from "../src/quorum/ports.ts";
import { treeFingerprint } from "../src/tree/fingerprint.ts";
import { WireImage } from "../src/tree/image.ts";
import type { Tree } from "../src/tree/tree.ts";
import { createTxn, entryBytes, logWrite, recoverAll, temporaryDirectory } from "./log-harness.ts";
import { statesDuring } from "./log-states.ts";
import { TreeHarness } from "./tree-harness.ts";

const epoch1 = 2 ** 32;
const damaged = { name: "ServiceError", code: "storage.damaged" };
const megabyte = 1024 * 1024;

/** Snapshot of nothing, and logs of 1–4, 5–8 and, of the second epoch, 1–4. */
async function threeLogs(dataDir: string): Promise<string> {
  const { directory } = recoverAll(dataDir);
  await logWrite(
    directory,
    [1, 2, 3, 4].map((counter) => epoch1 + counter),
  );
  await logWrite(
    directory,
    [5, 6, 7, 8].map((counter) => epoch1 + counter),
  );
  await logWrite(
    directory,
    [1, 2, 3, 4].map((counter) => epoch1 * 2 + counter),
  );
  return directory;
}

function logOf(directory: string): TxnLog {
  return new TxnLog(directory, {
    onDurable: () => undefined,
    onFailed: (error) => assert.fail(error),
  });
}

function zxidsOf(dataDir: string): readonly string[] {
  return recoverAll(dataDir).history.recent.map(({ zxid }) => zxid.toString(16));
}

const all = [
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((counter) => epoch1 + counter),
  ...[1, 2, 3, 4].map((counter) => epoch1 * 2 + counter),
];

test("a log is cut after any txn, and goes on in a new file", async (context) => {
  for (const [index, zxid] of all.entries()) {
    const dataDir = temporaryDirectory(context);
    const directory = await threeLogs(dataDir);
    const log = logOf(directory);
    await log.truncate(zxid);
    const kept = all.slice(0, index + 1).map((each) => each.toString(16));
    assert.deepEqual(zxidsOf(dataDir), kept);
    log.append(zxid + 1, entryBytes(zxid + 1, createTxn("/after", 9)));
    await log.close();
    assert.deepEqual(zxidsOf(dataDir), [...kept, (zxid + 1).toString(16)]);
    assert.equal(filesNamed(directory, "log").at(-1)?.zxid, zxid + 1);
  }
});

test("a log is cut to the snapshot that it goes on from, and then holds nothing", async (context) => {
  const dataDir = temporaryDirectory(context);
  const directory = await threeLogs(dataDir);
  const log = logOf(directory);
  await log.truncate(0);
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith("log.")),
    [],
  );
  log.append(epoch1 + 1, entryBytes(epoch1 + 1, createTxn("/again", 1)));
  await log.close();
  assert.equal(recoverAll(dataDir).tree.znodes.size, 5);
});

test("a cut where the history does not reach, or below a snapshot, is refused and changes nothing", async (context) => {
  const dataDir = temporaryDirectory(context);
  const directory = await threeLogs(dataDir);
  snapshotWriteNow(directory, recoverAll(dataDir).tree);
  rmSync(join(directory, "snapshot.0"));
  await logWrite(directory, [epoch1 * 2 + 5]);
  const before = filesOf(directory);
  const log = logOf(directory);
  for (const zxid of [epoch1, epoch1 + 3, epoch1 + 9, epoch1 * 2 + 3, epoch1 * 3]) {
    await assert.rejects(log.truncate(zxid), damaged, zxid.toString(16));
  }
  assert.deepEqual(filesOf(directory), before);
  await log.truncate(epoch1 * 2 + 4);
  await log.close();
  assert.equal(recoverAll(dataDir).history.zxidLast, epoch1 * 2 + 4);
});

test("what was appended and not yet synced is cut as well, or kept", async (context) => {
  const dataDir = temporaryDirectory(context);
  const directory = await threeLogs(dataDir);
  const log = logOf(directory);
  for (let counter = 5; counter <= 30; counter++) {
    const zxid = epoch1 * 2 + counter;
    log.append(zxid, entryBytes(zxid, createTxn(`/u${counter}`, counter)));
    if (counter === 12) log.flush();
    if (counter === 20) log.roll();
  }
  await log.truncate(epoch1 * 2 + 15);
  await log.close();
  assert.equal(recoverAll(dataDir).history.zxidLast, epoch1 * 2 + 15);
});

test("a crash while a log is cut leaves it whole through some txn that is not below the cut", async (context) => {
  const dataDir = temporaryDirectory(context);
  await threeLogs(dataDir);
  const log = logOf(join(dataDir, "version-2"));
  const states = await statesDuring(dataDir, temporaryDirectory(context), () =>
    log.truncate(epoch1 + 2),
  );
  await log.close();
  const ends = states.map((state) => recoverAll(state).history.zxidLast);
  assert.deepEqual(new Set(ends), new Set([epoch1 * 2 + 4, epoch1 + 8, epoch1 + 4, epoch1 + 2]));
  assert.deepEqual(
    ends,
    [...ends].sort((a, b) => b - a),
  );
});

/** A tree of its own, and its image in a spool below the data directory. */
async function spoolOf(
  directory: string,
  zxid: number,
): Promise<{
  readonly spool: SnapshotSpool;
  readonly tree: Tree<object>;
}> {
  const { tree } = treeOf(zxid);
  const image: ImageSource = new WireImage(tree);
  const spool = new SnapshotSpool(directory, zxid, { bytesMax: megabyte });
  while (!image.isDone) await spool.write(image.next());
  await spool.end();
  return { spool, tree };
}

function treeOf(zxid: number): TreeHarness {
  const harness = new TreeHarness(7n);
  for (let i = 0; i < 20; i++) harness.create(`/leader-${i}`, i % 2, 7n);
  harness.tree.zxidLast = zxid;
  return harness;
}

for (const [name, zxid] of [
  ["above", epoch1 * 3],
  ["within", epoch1 + 6],
  ["at the end of", epoch1 * 2 + 4],
] as const) {
  test(`a snapshot ${name} the history replaces it, and a crash at any moment leaves either`, async (context) => {
    const dataDir = temporaryDirectory(context);
    const directory = await threeLogs(dataDir);
    const old = treeFingerprint(recoverAll(dataDir).tree);
    snapshotWriteNow(directory, recoverAll(dataDir).tree);
    const { spool, tree } = await spoolOf(directory, zxid);
    const log = logOf(directory);
    const states = await statesDuring(dataDir, temporaryDirectory(context), () =>
      log.replaceWith(spool),
    );
    const found = states.map((state) => {
      const recovered = recoverAll(state);
      // Once more: nothing may be left over that a second start takes for something else.
      assert.equal(treeFingerprint(recoverAll(state).tree), treeFingerprint(recovered.tree));
      assert.deepEqual(recovered.warnings, []);
      return treeFingerprint(recovered.tree);
    });
    const fresh = treeFingerprint(tree);
    const turn = found.indexOf(fresh);
    assert(turn > 0 && turn < found.length - 3, `${turn} of ${found.length}`);
    assert.deepEqual(found, [
      ...found.slice(0, turn).map(() => old),
      ...found.slice(turn).map(() => fresh),
    ]);
    assert.deepEqual(
      readdirSync(directory).filter((each) => !each.endsWith("Epoch")),
      [`snapshot.${zxid.toString(16)}`],
    );
    log.append(zxid + 1, entryBytes(zxid + 1, createTxn("/after", 1)));
    await log.close();
    assert.equal(recoverAll(dataDir).history.zxidLast, zxid + 1);
  });
}

test("an install goes on from any set of files that a crash left", async (context) => {
  const dataDir = temporaryDirectory(context);
  const directory = await threeLogs(dataDir);
  snapshotWriteNow(directory, recoverAll(dataDir).tree);
  const { spool, tree } = await spoolOf(directory, epoch1 + 6);
  installBegin(spool.path, spool.zxid, { snapshots: directory, logs: directory });
  const doomed = readdirSync(directory).filter((name) => /^(log|snapshot)\.[0-9a-f]+$/.test(name));
  assert.equal(doomed.length, 5);
  for (let gone = 0; gone < 2 ** doomed.length; gone++) {
    const state = join(temporaryDirectory(context), "state");
    cpSync(dataDir, state, { recursive: true });
    for (const [bit, name] of doomed.entries()) {
      if ((gone >> bit) % 2 === 1) rmSync(join(state, "version-2", name));
    }
    assert.equal(treeFingerprint(recoverAll(state).tree), treeFingerprint(tree));
  }
});

test("an install that was damaged before it was over removes nothing", async (context) => {
  const dataDir = temporaryDirectory(context);
  const directory = await threeLogs(dataDir);
  const { spool } = await spoolOf(directory, epoch1 * 3);
  const { path } = installBegin(spool.path, spool.zxid, { snapshots: directory, logs: directory });
  const bytes = readFileSync(path);
  bytes[bytes.length >>> 1]! ^= 4;
  writeFileSync(path, bytes);
  const before = filesOf(directory);
  assert.throws(() => recoverAll(dataDir), damaged);
  assert.deepEqual(filesOf(directory), before);
});

test("logs in a directory of their own are cut and replaced there", async (context) => {
  const dataDir = temporaryDirectory(context);
  const dataLogDir = temporaryDirectory(context);
  const { directory, logDirectory } = recoverAll(dataDir, { dataLogDir });
  await logWrite(
    logDirectory,
    [1, 2, 3].map((counter) => epoch1 + counter),
  );
  assert.equal(recoverAll(dataDir, { dataLogDir }).replayed, 3);
  const events = { onDurable: () => undefined, onFailed: (error: Error) => assert.fail(error) };
  const log = new TxnLog(logDirectory, events, directory);
  await log.truncate(epoch1 + 2);
  assert.equal(recoverAll(dataDir, { dataLogDir }).history.zxidLast, epoch1 + 2);
  const { spool, tree } = await spoolOf(directory, epoch1 * 2);
  await log.replaceWith(spool);
  await log.close();
  assert.deepEqual(readdirSync(logDirectory), []);
  const recovered = recoverAll(dataDir, { dataLogDir });
  assert.equal(treeFingerprint(recovered.tree), treeFingerprint(tree));
  installFinishIsIdempotent(directory, logDirectory);
});

function installFinishIsIdempotent(directory: string, logDirectory: string): void {
  const file = filesNamed(directory, "snapshot").at(-1)!;
  installFinish(file, { snapshots: directory, logs: logDirectory });
  assert.deepEqual(filesNamed(directory, "snapshot"), [file]);
}

function filesOf(directory: string): Readonly<Record<string, string>> {
  const names = readdirSync(directory).sort();
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(directory, name)).toString("base64")]),
  );
}

test("an image that is too large, cut short or given up leaves no file", async (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  const image = imageBytes();
  const large = new SnapshotSpool(directory, 5, { bytesMax: image.length - 1 });
  await assert.rejects(large.write(image), { code: "storage.full" });
  await assert.rejects(large.write(image), { code: "storage.failed" });
  const short = new SnapshotSpool(directory, 5, { bytesMax: megabyte });
  await short.write(image.subarray(0, image.length - 1));
  await assert.rejects(short.end(), { code: "storage.failed" });
  const none = new SnapshotSpool(directory, 5, { bytesMax: megabyte });
  await assert.rejects(none.end(), { code: "storage.failed" });
  const given = new SnapshotSpool(directory, 5, { bytesMax: megabyte });
  const writing = given.write(image);
  given.abandon();
  await Promise.allSettled([writing, given.end()]);
  await given.settled();
  assert.equal(given.isWhole, false);
  const whole = new SnapshotSpool(directory, 5, { bytesMax: megabyte });
  await whole.write(image);
  await whole.end();
  whole.abandon();
  await whole.settled();
  assert.deepEqual(readdirSync(directory), []);
});

test("an image comes in pieces of any size, and two of one zxid do not meet", async (context) => {
  const directory = directoryCreate(temporaryDirectory(context));
  const image = imageBytes();
  const spools = [1, 7].map((size) => ({
    size,
    spool: new SnapshotSpool(directory, 5, { bytesMax: megabyte }),
  }));
  for (const { size, spool } of spools) {
    for (let at = 0; at < image.length; at += size) {
      await spool.write(image.subarray(at, at + size));
    }
    await spool.end();
  }
  const [first, second] = spools.map(({ spool }) => spool);
  assert.deepEqual(readFileSync(first!.path), readFileSync(second!.path));
  first!.abandon();
  await first!.settled();
  assert.equal(readdirSync(directory).length, 1);
});

test("an image for which the disk has no place is given up with an error that says so", async (context) => {
  const directory = join(temporaryDirectory(context), "gone");
  mkdirSync(directory);
  const spool = new SnapshotSpool(directory, 5, { bytesMax: megabyte });
  rmSync(directory, { recursive: true });
  await assert.rejects(spool.write(imageBytes()), { code: "storage.failed" });
});

function imageBytes(): Buffer {
  const image = new WireImage(treeOf(5).tree);
  const pieces: Buffer[] = [];
  while (!image.isDone) pieces.push(image.next());
  return Buffer.concat(pieces);
}
