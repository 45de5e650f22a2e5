import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { crc32 } from "node:zlib";

import { Prng } from "../../kit/src/prng.ts";
import { crcBytes, crcStart, crcText } from "../src/tree/crc.ts";
import { DigestLog } from "../src/tree/digest-log.ts";
import { TreeImage } from "../src/tree/image.ts";
import { type ChangeRequest, Preparer, type WriteRequest } from "../src/tree/prepare.ts";
import { treeRestore } from "../src/tree/restore.ts";
import { Tree } from "../src/tree/tree.ts";
import { sumText, TreeDigest } from "../src/tree/tree-digest.ts";
import { adler32 } from "../src/wire/adler32.ts";
import { decode } from "../src/wire/codec.ts";
import type { MultiOp } from "../src/wire/multi.ts";
import { type Txn, TxnEntry } from "../src/wire/txns.ts";
import { open, TreeHarness } from "./tree-harness.ts";

const given = readFileSync(new URL("tree-digest.txt", import.meta.url), "utf8").split("\n");
const entries = bytesOf("entry").map((bytes) => decode(TxnEntry, bytes));
const snapshotZxid = 0x12;

function bytesOf(kind: string): Buffer[] {
  return given
    .filter((line) => line.startsWith(`${kind} `))
    .map((line) => Buffer.from(line.slice(kind.length + 1), "base64"));
}

function applyEntry(tree: Tree, { header, txn, digest }: TxnEntry): void {
  const { sessionId, zxid, timeMs } = header;
  tree.apply({ sessionId, zxid: Number(zxid), timeMs: Number(timeMs) }, txn, digest);
}

test("the digest after each txn is the one that Apache's server wrote behind it", () => {
  const tree = Tree.fresh();
  let compared = 0;
  for (const entry of entries) {
    applyEntry(tree, entry);
    if (entry.digest === undefined) continue;
    compared++;
    assert.equal(entry.digest.version, 2);
    assert.equal(sumText(tree.znodes.digest!), sumText(entry.digest), entry.txn.type);
  }
  assert.equal(compared, 17);
  assert.equal(tree.digests.mismatches, 0);
});

test("a tree from Apache's snapshot has the digest of the txns that led to it, and is compared with its own", () => {
  const restored = treeRestore(bytesOf("snapshot")[0]!, snapshotZxid);
  assert.equal(sumText(restored.znodes.digest!), sumText(entries.at(-1)!.digest!));
  assert.equal(restored.digests.mismatches, 0);
});

test("the preparer foresees the digests that Apache wrote, with many txns under way", () => {
  const { preparer, tree } = new TreeHarness();
  const session = entries[0]!.header.sessionId;
  const prepared: TxnEntry[] = [];
  for (const { header, txn, digest } of entries) {
    const stamp = { zxid: Number(header.zxid), timeMs: Number(header.timeMs) };
    const ask = requestOf(txn);
    const made = preparer.prepare(ask, { sessionId: session, ids: [] }, stamp);
    assert.deepEqual(made.txn, txn);
    assert.deepEqual(made.digest, digest, txn.type);
    prepared.push({ header, ...made });
    // The session is there before its first request; everything else waits.
    if (prepared.length === 1) applyEntry(tree, prepared[0]!);
  }
  for (const entry of prepared.slice(1)) applyEntry(tree, entry);
  assert.equal(tree.digests.mismatches, 0);
});

test("no digest goes with an error, and the one of a multi that failed is that before it", () => {
  const { preparer } = new TreeHarness(1n);
  const caller = { sessionId: 1n, ids: [] };
  const gone = { op: "delete", path: "/none", version: -1 } as const;
  const create = { op: "create", path: "/a", data: null, acl: open, flags: 0 } as const;
  const stamp = { zxid: 2 ** 32 + 9, timeMs: 5 };
  assert.equal(preparer.prepare(gone, caller, stamp).digest, undefined);
  const before = preparer.prepare({ op: "multi", ops: [] }, caller, stamp).digest;
  const failed = preparer.prepare({ op: "multi", ops: [create, gone] }, caller, stamp);
  assert.deepEqual(failed.digest, before);
  assert.notDeepEqual(preparer.prepare(create, caller, stamp).digest, before);
});

test("a digest that is not the tree's is counted and told, and the tree goes on", () => {
  const { tree } = new TreeHarness(1n);
  const at = { sessionId: 1n, zxid: 2 ** 32 + 50, timeMs: 1 };
  const txn = { type: "setData", path: "/", data: Buffer.from("x"), version: 1 } as const;
  tree.apply(at, txn, { version: 2, high: 3, low: 4 });
  assert.equal(tree.digests.mismatches, 1);
  const { high, low } = tree.znodes.digest!;
  assert.deepEqual(tree.digests.mismatch, {
    zxid: at.zxid,
    expected: { version: 2, high: 3, low: 4 },
    actual: { high, low },
  });
  tree.apply(
    { ...at, zxid: at.zxid + 1 },
    { type: "error", error: -101 },
    { version: 2, high, low },
  );
  tree.apply({ ...at, zxid: at.zxid + 2 }, { ...txn, version: 2 }, { version: 3, high: 0, low: 0 });
  assert.equal(tree.digests.mismatches, 1, "one that agrees, and one of another version");
});

test("a mismatch is told at first, and again when there are twice as many", () => {
  const log = new DigestLog();
  const told: number[] = [];
  assert.equal(log.untold(), undefined);
  for (let zxid = 1; zxid <= 20; zxid++) {
    log.applied(zxid, { high: 0, low: 1 }, { version: 2, high: 0, low: 0 });
    const untold = log.untold();
    if (untold !== undefined) told.push(untold.zxid);
  }
  assert.deepEqual(told, [1, 2, 4, 8, 16]);
});

test("until a snapshot's own zxid is reached no txn is compared, and there the snapshot is", () => {
  const actual = { high: 1, low: 2 };
  const wrong = { version: 2, high: 9, low: 9 };
  const log = new DigestLog();
  log.expect({ zxid: 12, version: 2, high: 1, low: 3 });
  for (const zxid of [10, 11]) log.applied(zxid, actual, wrong);
  assert.equal(log.mismatches, 0);
  log.applied(12, actual, { version: 2, ...actual });
  assert.equal(log.mismatches, 1);
  log.applied(13, actual, wrong);
  assert.equal(log.mismatches, 2);
});

test("when the zxid of a snapshot's digest never comes, txns are compared from behind it on", () => {
  const log = new DigestLog();
  log.expect({ zxid: 12, version: 2, high: 1, low: 3 });
  log.applied(2 ** 32 + 1, { high: 1, low: 2 }, { version: 2, high: 1, low: 2 });
  assert.equal(log.mismatches, 0);
  log.applied(2 ** 32 + 2, { high: 1, low: 2 }, { version: 2, high: 0, low: 2 });
  assert.equal(log.mismatches, 1);
});

test("of every 128 zxids one digest is kept, 1,024 of them", () => {
  const log = new DigestLog();
  for (let zxid = 1; zxid <= 128 * 1030; zxid++)
    log.applied(zxid, { high: 0, low: zxid }, undefined);
  const kept = log.entries();
  assert.equal(kept.length, 1024);
  assert.deepEqual(kept[0], { zxid: 128 * 7, high: 0, low: 128 * 7 });
  assert.deepEqual(kept.at(-1), { zxid: 128 * 1030, high: 0, low: 128 * 1030 });
});

test("a tree without digests keeps, proposes and compares none, and its snapshot has none", () => {
  const tree = Tree.fresh({ digests: false });
  const preparer = new Preparer(tree);
  const at = { sessionId: 1n, zxid: 1, timeMs: 1 };
  const { txn, digest } = preparer.prepare(
    { op: "createSession", timeoutMs: 4000 },
    { sessionId: 1n, ids: [] },
    at,
  );
  assert.equal(digest, undefined);
  tree.apply(at, txn, { version: 2, high: 7, low: 7 });
  assert.equal(tree.digests.mismatches, 0);
  const image = new TreeImage(tree);
  const restored = treeRestore(image.next(tree.znodes.idEnd), 1);
  assert.equal(restored.digests.mismatches, 0);
  assert.equal(sumText(restored.znodes.digest!), sumText(Tree.fresh().znodes.digest!));
});

test("a snapshot carries the digest of its moment, and a tree that is another is noticed", () => {
  const { tree } = new TreeHarness(1n);
  const image = new TreeImage(tree);
  const bytes = image.next(tree.znodes.idEnd);
  assert.equal(treeRestore(bytes, tree.zxidLast).digests.mismatches, 0);
  // The digest stands before two seals (13 bytes each) and the zxid (8): the seals of a changed one must be made anew.
  const digestEnd = bytes.length - 13 - 8 - 13;
  const changed = Buffer.from(bytes);
  changed.writeUInt32BE((changed.readUInt32BE(digestEnd - 4) ^ 1) >>> 0, digestEnd - 4);
  sealAnew(changed, digestEnd);
  sealAnew(changed, bytes.length - 13);
  assert.equal(treeRestore(changed, tree.zxidLast).digests.mismatches, 1);
});

test("a sum of 64 bits carries between its halves, wraps, and prints as Java's long", () => {
  const sum = new TreeDigest();
  sum.add(-1);
  assert.equal(sumText(sum), "-1");
  sum.add(0xffff_ffff);
  assert.equal(sumText(sum), String(2n ** 32n - 2n));
  sum.add(2);
  assert.deepEqual([sum.high, sum.low], [1, 0]);
  sum.add(-0xffff_ffff);
  assert.equal(sumText(sum), "1");
});

test("a CRC's register goes on from any byte of a text or of data as zlib does", () => {
  const prng = new Prng(7);
  for (let round = 0; round < 500; round++) {
    const data = Buffer.from(Array.from({ length: prng.below(300) }, () => prng.below(256)));
    const letters = Array.from({ length: prng.below(40) }, () =>
      prng.pick(["a", "/", "é", "数", "0"]),
    );
    const text = letters.join("");
    const whole = crc32(Buffer.concat([Buffer.from(text), data]));
    assert.equal(~crcBytes(crcText(crcStart, text), data) >>> 0, whole);
  }
});

function sealAnew(bytes: Buffer, at: number): void {
  bytes.writeUInt32BE(adler32(bytes, 0, at), at + 4);
}

/** The request that an entry of the log came of. */
function requestOf(txn: Txn): WriteRequest {
  if (txn.type === "createSession") return { op: "createSession", timeoutMs: txn.timeoutMs };
  if (txn.type === "closeSession") return { op: "closeSession" };
  if (txn.type === "multi")
    return { op: "multi", ops: txn.txns.map((each) => changeOf(each) as MultiOp) };
  return changeOf(txn);
}

function changeOf(txn: Txn): ChangeRequest {
  switch (txn.type) {
    case "create2":
      return { op: "create2", ...txn, flags: txn.ephemeral ? 1 : 0 };
    case "createContainer":
      return { op: "createContainer", ...txn, flags: 4 };
    case "createTTL":
      return { op: "createTTL", ...txn, flags: 5 };
    case "delete":
    case "check":
      return { op: txn.type, path: txn.path, version: -1 };
    case "setData":
      return { op: "setData", path: txn.path, data: txn.data, version: -1 };
    case "setACL":
      return { op: "setACL", path: txn.path, acl: txn.acl, version: -1 };
    case "error":
      return { op: "delete", path: "/nope", version: -1 };
    default:
      assert.fail(txn.type);
  }
}
