// Goal: what once kept ZooKeeper's or Keeper's servers from starting, or let them start with less than they had,
// does not do so here. What the log's own tests hold (log-recovery, log-change) is not repeated.
import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { epochRead, epochWrite } from "../src/log/epoch-files.ts";
import { filesNamed } from "../src/log/files.ts";
import { snapshotWriteNow } from "../src/log/snapshots.ts";
import { treeFingerprint } from "../src/tree/fingerprint.ts";
import { TreeImage } from "../src/tree/image.ts";
import { treeRestore } from "../src/tree/restore.ts";
import { electionRead, electionWrite, initialRead, initialWrite } from "../src/wire/election.ts";
import { JuteWriter } from "../src/wire/writer.ts";
import { logWrite, recoverAll, temporaryDirectory } from "./log-harness.ts";
import { open, TreeHarness } from "./tree-harness.ts";

const epoch1 = 2 ** 32;

test("ZOOKEEPER-2307, 4269, 1387: a crash at each step of both epoch files leaves a member that starts and has kept its promise", async (context) => {
  const dataDir = temporaryDirectory(context);
  const { directory } = recoverAll(dataDir);
  await logWrite(directory, [epoch1 + 1, epoch1 + 2]);
  const steps: ((promised: number) => void)[] = [];
  for (const file of ["acceptedEpoch", "currentEpoch"] as const) {
    for (const text of ["", "1", "12", "12\n"]) {
      // Half or wholly written, and not renamed.
      steps.push(() => writeFileSync(join(directory, `${file}.tmp`), text));
    }
    steps.push((epoch) => epochWrite(directory, file, epoch));
  }
  for (let epoch = 2; epoch <= 4; epoch++) {
    for (const step of steps) {
      const before = epochRead(directory, "acceptedEpoch") ?? 1;
      step(epoch);
      const written = epochRead(directory, "acceptedEpoch") ?? 1;
      const { history } = recoverAll(dataDir);
      assert(history.acceptedEpoch >= history.currentEpoch);
      assert.equal(history.acceptedEpoch, Math.max(before, written));
      assert.deepEqual(
        readdirSync(directory).filter((name) => name.endsWith(".tmp")),
        [],
      );
    }
  }
  // As a server that did it in the other order left it.
  epochWrite(directory, "currentEpoch", 9);
  const { acceptedEpoch, currentEpoch } = recoverAll(dataDir).history;
  assert.deepEqual({ acceptedEpoch, currentEpoch }, { acceptedEpoch: 9, currentEpoch: 9 });
});

test("ZOOKEEPER-3306: a snapshot with many ACLs keeps count of them, whatever is deleted and created during and after it", () => {
  const harness = new TreeHarness(1n);
  const aclOf = (i: number) => [
    { perms: 31, id: { scheme: "ip", id: `10.0.${i >> 8}.${i & 255}` } },
  ];
  const create = (path: string, i: number) =>
    harness.run({ op: "create", path, data: null, acl: [...open, ...aclOf(i)], flags: 0 });
  for (let i = 0; i < 500; i++) create(`/n${i}`, i % 300);
  const expected = treeFingerprint(harness.tree);
  const image = new TreeImage(harness.tree);
  const pieces: Buffer[] = [];
  for (let i = 0; i < 500; i++) {
    pieces.push(image.next(1));
    if (i % 3 === 0) harness.run({ op: "delete", path: `/n${499 - i}`, version: -1 });
    if (i % 5 === 0) create(`/m${i}`, i);
    if (i % 7 === 0) harness.run({ op: "setACL", path: `/n${i}`, acl: open, version: -1 });
  }
  while (!image.isDone) pieces.push(image.next(100));
  const since = harness.log.filter(({ zxid }) => zxid > image.zxid);
  const restored = treeRestore(Buffer.concat(pieces), image.zxid);
  assert.equal(treeFingerprint(restored), expected);
  for (const logged of since) restored.apply(logged, logged.txn, logged.digest);
  assert.equal(treeFingerprint(restored), treeFingerprint(harness.tree));
  const sizes = [restored, harness.tree].map(({ acls }) => [...acls.entries()].length);
  assert.equal(sizes[0], sizes[1], "an ACL that nobody has any more is forgotten everywhere");
});

test("Keeper 31150: logs that are older than a snapshot may be gone, and those after it are replayed", async (context) => {
  const dataDir = temporaryDirectory(context);
  const { directory } = recoverAll(dataDir);
  await logWrite(directory, [epoch1 + 1, epoch1 + 2, epoch1 + 3]);
  const { tree } = recoverAll(dataDir);
  snapshotWriteNow(directory, tree);
  for (const { path } of filesNamed(directory, "log")) rmSync(path);
  assert.equal(treeFingerprint(recoverAll(dataDir).tree), treeFingerprint(tree));
  await logWrite(directory, [epoch1 + 4, epoch1 + 5]);
  const again = recoverAll(dataDir);
  assert.deepEqual([again.replayed, again.tree.zxidLast], [2, epoch1 + 5]);
});

test("Keeper 31150: a log that is missing between a snapshot and what follows is no start with less", async (context) => {
  const dataDir = temporaryDirectory(context);
  const { directory } = recoverAll(dataDir);
  await logWrite(directory, [epoch1 + 1, epoch1 + 2]);
  await logWrite(directory, [epoch1 + 3]);
  await logWrite(directory, [epoch1 + 4]);
  rmSync(join(directory, "log.100000003"));
  assert.throws(() => recoverAll(dataDir), { code: "storage.damaged" });
});

test("ZOOKEEPER-4787: names of hosts that are not ASCII are the same for everyone in an election", () => {
  const config =
    "server.1=zürich.example:2888:3888:participant\nserver.2=東京.example:2888:3888\nversion=0";
  const to = new JuteWriter();
  const vote = { leader: 2, zxid: epoch1 + 1, peerEpoch: 1 };
  electionWrite(to, { state: "looking", vote, electionEpoch: 3, config });
  const bytes = to.copy();
  // UTF-8, and its length in bytes.
  assert.equal(
    bytes.readInt32BE(bytes.length - 4 - Buffer.byteLength(config)),
    Buffer.byteLength(config),
  );
  assert.equal(electionRead(bytes).config, config);
  to.reset();
  initialWrite(to, 2, ["zürich.example:3888", "東京.example:3888"]);
  const initial = initialRead(to.copy());
  assert.equal(initial?.message.addresses, "zürich.example:3888|東京.example:3888");
  assert.equal(initial?.length, to.copy().length);
});
