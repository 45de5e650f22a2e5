// Goal: what a start hands to the core of its history, epochs and newest txns, is never more than what is on disk.
import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";

import { epochRead, epochWrite } from "../src/log/epoch-files.ts";
import { recentBytesMax } from "../src/log/limits.ts";
import { RecentTxns } from "../src/log/recent-txns.ts";
import { snapshotWriteNow } from "../src/log/snapshots.ts";
import type { Tree } from "../src/tree/tree.ts";
import { createTxn, entryBytes, logWrite, recoverAll, temporaryDirectory } from "./log-harness.ts";
import { statesDuring } from "./log-states.ts";

const epoch1 = 2 ** 32;

function zxids(epoch: number, from: number, through: number): number[] {
  return Array.from({ length: through - from + 1 }, (_, index) => epoch1 * epoch + from + index);
}

/** A snapshot that this zxid names, as a leader's that was installed over the rest. */
function snapshotAt(directory: string, tree: Tree, zxid: number): void {
  const before = tree.zxidLast;
  tree.zxidLast = zxid;
  snapshotWriteNow(directory, tree);
  tree.zxidLast = before;
}

function recentOf(dataDir: string, recentMax = 10_000): readonly number[] {
  return recoverAll(dataDir, { recentMax }).history.recent.map(({ zxid }) => zxid);
}

function fresh(context: TestContext): { readonly dataDir: string; readonly directory: string } {
  const dataDir = temporaryDirectory(context);
  return { dataDir, directory: recoverAll(dataDir).directory };
}

test("the newest txns are those of the logs, one more than asked for, each with its own bytes", async (context) => {
  const { dataDir, directory } = fresh(context);
  await logWrite(directory, zxids(1, 1, 10));
  await logWrite(directory, zxids(1, 11, 15));
  await logWrite(directory, zxids(2, 1, 3));
  const all = [...zxids(1, 1, 15), ...zxids(2, 1, 3)];
  assert.deepEqual(recentOf(dataDir), all);
  assert.deepEqual(recentOf(dataDir, 4), all.slice(-5));
  assert.deepEqual(recentOf(dataDir, 0), []);
  for (const { zxid, body } of recoverAll(dataDir).history.recent) {
    assert.equal(Number(body.entry.header.zxid), zxid);
    // Small copies share a pool; a view would keep a whole file in memory.
    assert.equal(body.bytes.buffer.byteLength, Buffer.poolSize);
  }
});

test("txns that a snapshot holds are among them, back to the beginning of their epoch", async (context) => {
  const { dataDir, directory } = fresh(context);
  await logWrite(directory, zxids(1, 1, 4));
  await logWrite(directory, zxids(2, 1, 3));
  await logWrite(directory, zxids(2, 4, 6));
  snapshotWriteNow(directory, recoverAll(dataDir).tree);
  assert.deepEqual(recentOf(dataDir), zxids(2, 1, 6));
  await logWrite(directory, zxids(2, 7, 8));
  assert.deepEqual(recentOf(dataDir), zxids(2, 1, 8));
  await logWrite(directory, zxids(3, 1, 2));
  assert.deepEqual(recentOf(dataDir), [...zxids(2, 1, 8), ...zxids(3, 1, 2)]);
});

test("where a leader's snapshot stands for txns, none from before it are among them", async (context) => {
  for (const gap of [zxids(3, 0, 0), zxids(2, 9, 9)]) {
    const { dataDir, directory } = fresh(context);
    await logWrite(directory, zxids(2, 1, 4));
    snapshotAt(directory, recoverAll(dataDir).tree, gap[0]!);
    assert.deepEqual(recentOf(dataDir), []);
    const next = zxids(
      gap[0]! >= epoch1 * 3 ? 3 : 2,
      (gap[0]! % epoch1) + 1,
      (gap[0]! % epoch1) + 2,
    );
    await logWrite(directory, next);
    assert.deepEqual(recentOf(dataDir), next);
  }
});

test("within one file, too, what a snapshot bridges is no neighbour", async (context) => {
  const { dataDir, directory } = fresh(context);
  // As Apache's servers write on in the file they have after they took a snapshot from a leader.
  await logWrite(directory, [...zxids(2, 1, 4), ...zxids(2, 8, 9)]);
  await assert.rejects(async () => recoverAll(dataDir), { code: "storage.damaged" });
  const { tree } = recoverAll(temporaryDirectory(context));
  snapshotAt(directory, tree, epoch1 * 2 + 7);
  assert.deepEqual(recentOf(dataDir), zxids(2, 8, 9));
  snapshotAt(directory, tree, epoch1 * 2 + 8);
  assert.deepEqual(recentOf(dataDir), zxids(2, 8, 9));
});

test("a log that is damaged and not needed any more only ends what learners get", async (context) => {
  const { dataDir, directory } = fresh(context);
  await logWrite(directory, zxids(1, 1, 4));
  await logWrite(directory, zxids(1, 5, 8));
  snapshotWriteNow(directory, recoverAll(dataDir).tree);
  await logWrite(directory, zxids(1, 9, 10));
  writeFileSync(join(directory, "log.100000001"), "nothing that could be read as a log");
  const { history, warnings } = recoverAll(dataDir);
  assert.deepEqual(
    history.recent.map(({ zxid }) => zxid),
    zxids(1, 5, 10),
  );
  assert.equal(warnings.length, 1);
});

test("what is kept is bounded in bytes, and keeps its last", () => {
  const recent = new RecentTxns(10_000, recentBytesMax);
  const bytes = Buffer.alloc(8 * 1024 * 1024);
  for (let zxid = 1; zxid <= 9; zxid++) recent.push(zxid, bytes);
  recent.fileEnd();
  assert.deepEqual(
    recent.proposals().map(({ zxid }) => zxid),
    [6, 7, 8, 9],
  );
  recent.push(10, Buffer.alloc(recentBytesMax + 1));
  recent.fileEnd();
  assert.deepEqual(
    recent.proposals().map(({ zxid }) => zxid),
    [10],
  );
});

test("a thousand txns through a window of ten leave the last ten", () => {
  const recent = new RecentTxns(9, recentBytesMax);
  for (let zxid = 1; zxid <= 1000; zxid++) {
    const view = Buffer.alloc(64, zxid);
    recent.push(zxid, view);
    if (zxid % 7 === 0) {
      recent.fileEnd();
      view.fill(0);
    }
  }
  recent.fileEnd();
  const kept = recent.proposals();
  assert.deepEqual(
    kept.map(({ zxid }) => zxid),
    Array.from({ length: 10 }, (_, index) => 991 + index),
  );
  for (const { zxid, body } of kept) assert.equal(body.bytes[5], zxid % 256);
});

const epochCases = [
  { says: "both files are there and agree", accepted: 2, current: 2, end: [2, 2] },
  { says: "an epoch was promised and not begun", accepted: 5, current: 2, end: [5, 2] },
  { says: "txns of an epoch are there and its file is not", accepted: 2, current: 1, end: [2, 2] },
  { says: "neither file is there", accepted: undefined, current: undefined, end: [2, 2] },
  { says: "the promise is behind", accepted: 1, current: 3, end: [3, 3] },
  { says: "the promise is missing", accepted: undefined, current: 4, end: [4, 4] },
] as const;

for (const { says, accepted, current, end } of epochCases) {
  test(`epochs when ${says}`, async (context) => {
    const { dataDir, directory } = fresh(context);
    await logWrite(directory, [...zxids(1, 1, 2), ...zxids(2, 1, 1)]);
    if (accepted !== undefined) epochWrite(directory, "acceptedEpoch", accepted);
    if (current !== undefined) epochWrite(directory, "currentEpoch", current);
    writeFileSync(join(directory, "currentEpoch.tmp"), "9");
    let found: readonly number[] = [];
    const states = await statesDuring(dataDir, temporaryDirectory(context), async () => {
      const { acceptedEpoch, currentEpoch } = recoverAll(dataDir).history;
      found = [acceptedEpoch, currentEpoch];
    });
    assert.deepEqual(found, end);
    // They are in the files: the log may be cut below its epoch next.
    assert.equal(epochRead(directory, "acceptedEpoch"), end[0]);
    assert.equal(epochRead(directory, "currentEpoch"), end[1]);
    for (const state of states) {
      const { acceptedEpoch, currentEpoch } = recoverAll(state).history;
      assert.deepEqual([acceptedEpoch, currentEpoch], end);
    }
  });
}

test("no epoch is current before its history is in the log", async (context) => {
  const { dataDir, directory } = fresh(context);
  await logWrite(directory, zxids(1, 1, 3));
  epochWrite(directory, "acceptedEpoch", 7);
  epochWrite(directory, "currentEpoch", 1);
  assert.equal(recoverAll(dataDir).history.currentEpoch, 1);
  snapshotAt(directory, recoverAll(dataDir).tree, epoch1 * 7);
  assert.equal(recoverAll(dataDir).history.currentEpoch, 7);
});

test("a directory whose log outlived every snapshot, or lies where no log should, does not start", async (context) => {
  const { dataDir, directory } = fresh(context);
  await logWrite(directory, zxids(1, 1, 3));
  const dataLogDir = temporaryDirectory(context);
  assert.throws(() => recoverAll(dataDir, { dataLogDir }), { code: "storage.damaged" });
  assert.throws(() => recoverAll(dataLogDir, { dataLogDir: dataDir }), { code: "storage.damaged" });
  rmSync(join(directory, "snapshot.0"));
  assert.throws(() => recoverAll(dataDir), { code: "storage.damaged" });
  const other = fresh(context);
  rmSync(join(other.directory, "snapshot.0"));
  writeFileSync(join(other.directory, "snapshot.100000009.gz"), "compressed");
  assert.throws(() => recoverAll(other.dataDir), { code: "storage.damaged" });
  assert.deepEqual(readdirSync(other.directory), ["snapshot.100000009.gz"]);
  writeFileSync(join(other.directory, "log.ffffffffffffff"), entryBytes(1, createTxn("/a", 1)));
  assert.throws(() => recoverAll(other.dataDir), { code: "storage.damaged" });
});
