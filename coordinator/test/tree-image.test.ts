// Goal: any number of images of one tree, each taken at its own pace, hold the moment each began; none costs more memory
// than it may; what a leader sends is what Apache's servers send.
import assert from "node:assert/strict";
import test from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { ImageScanner } from "../src/quorum/image-scanner.ts";
import type { ImageSource } from "../src/quorum/ports.ts";
import { treeFingerprint } from "../src/tree/fingerprint.ts";
import { TreeImage, WireImage } from "../src/tree/image.ts";
import { ImageOverrunError } from "../src/tree/image-body.ts";
import type { ByteSource } from "../src/tree/image-bytes.ts";
import { imageTurnBytes, imageWindowBytes } from "../src/tree/limits.ts";
import { treeRestore } from "../src/tree/restore.ts";
import type { Tree } from "../src/tree/tree.ts";
import { adler32 } from "../src/wire/adler32.ts";
import { encode } from "../src/wire/codec.ts";
import {
  FileHeader,
  fileVersion,
  SnapshotAcls,
  SnapshotNode,
  SnapshotSeal,
  SnapshotSessions,
  snapshotDbid,
  snapshotMagic,
} from "../src/wire/files.ts";
import { JuteReader } from "../src/wire/reader.ts";
import { open, TreeHarness } from "./tree-harness.ts";

const seeds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 10);

/** The body of an image as a file: with a header before it, and its seal. */
function fileOf(body: Buffer): Buffer {
  const header = { magic: snapshotMagic, version: fileVersion, dbid: snapshotDbid };
  const file = Buffer.concat([encode(FileHeader, header), body]);
  const seal = { checksum: BigInt(adler32(file)), path: "/" };
  return Buffer.concat([file, encode(SnapshotSeal, seal)]);
}

function allOf(image: ImageSource): Buffer {
  const pieces: Buffer[] = [];
  while (!image.isDone) pieces.push(image.next());
  return Buffer.concat(pieces);
}

interface Running {
  readonly image: TreeImage<object> | WireImage<object>;
  readonly isWire: boolean;
  readonly expected: string;
  readonly pieces: Buffer[];
}

function begin(tree: Tree, isWire: boolean): Running {
  const image = isWire ? new WireImage(tree) : new TreeImage(tree);
  return { image, isWire, expected: treeFingerprint(tree), pieces: [] };
}

/** One znode of a file's image, everything of one for the wire: these come at another pace. */
function advance({ image, pieces }: Running): void {
  pieces.push(image instanceof TreeImage ? image.next(1) : image.next());
}

function check({ image, isWire, expected, pieces }: Running): void {
  const bytes = Buffer.concat(pieces);
  const restored = treeRestore(isWire ? fileOf(bytes) : bytes, image.zxid);
  assert.equal(treeFingerprint(restored), expected);
}

function change(harness: TreeHarness, prng: Prng): void {
  const path = `/${prng.pick(["a", "b", "c", "d"])}`;
  const below = prng.chance(0.5) ? `${path}/${prng.pick(["x", "y"])}` : path;
  const data = Buffer.alloc(prng.below(60), prng.below(256));
  const acl = prng.chance(0.5) ? open : [{ perms: 3, id: { scheme: "world", id: "anyone" } }];
  const session = prng.pick([1n, 2n]);
  switch (prng.below(5)) {
    case 0:
    case 1:
      harness.run({ op: "create", path: below, data, acl, flags: prng.below(3) }, session);
      return;
    case 2:
      harness.run({ op: "setData", path: below, data, version: -1 }, session);
      return;
    case 3:
      harness.run({ op: "setACL", path: below, acl, version: -1 }, session);
      return;
    default:
      harness.run({ op: "delete", path: below, version: -1 }, session);
  }
}

test("many images under way at once each hold the moment they began", () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const prng = new Prng(seed);
    const harness = new TreeHarness(1n, 2n);
    let running: Running[] = [];
    let done = 0;
    for (let step = 0; step < 600; step++) {
      change(harness, prng);
      if (running.length < 6 && prng.chance(0.2))
        running.push(begin(harness.tree, prng.chance(0.3)));
      for (const each of running) if (prng.chance(0.2)) advance(each);
      if (prng.chance(0.02)) running.pop()?.image.abandon();
      for (const each of running.filter(({ image }) => image.isDone)) {
        check(each);
        done++;
      }
      running = running.filter(({ image }) => !image.isDone);
    }
    assert(done > 20, `SEED=${seed}: ${done} images came to their end`);
  }
});

test("an image whose taker is too slow is given up, and the others go on", () => {
  const harness = new TreeHarness(1n);
  for (let i = 0; i < 200; i++) harness.create(`/n${i}`);
  const image: ImageSource = new WireImage(harness.tree, 4_000);
  const file = new TreeImage(harness.tree, 1_000_000);
  const expected = treeFingerprint(harness.tree);
  for (let i = 0; i < 200; i++) {
    harness.run({ op: "setData", path: `/n${i}`, data: Buffer.alloc(100), version: -1 });
  }
  assert.equal(image.isDone, false);
  assert.throws(() => image.next(), ImageOverrunError);
  assert.throws(() => image.next(), { name: "ImageOverrunError", keptBytesMax: 4_000 });
  image.abandon();
  assert.equal(image.isDone, true);
  assert.equal(treeFingerprint(treeRestore(allOf(file), file.zxid)), expected);
});

test("an image that is taken in time keeps nothing of what it has given", () => {
  const harness = new TreeHarness(1n);
  for (let i = 0; i < 2_000; i++) harness.create(`/n${i}`);
  const image = new TreeImage(harness.tree, 4_000);
  const pieces: Buffer[] = [];
  const expected = treeFingerprint(harness.tree);
  for (let i = 0; !image.isDone; i++) {
    harness.run({ op: "setData", path: `/n${i}`, data: Buffer.alloc(9), version: -1 });
    if (i % 20 === 0) pieces.push(image.next(100));
  }
  assert.equal(treeFingerprint(treeRestore(Buffer.concat(pieces), image.zxid)), expected);
});

test("a piece of an image is bounded in bytes, whatever its znodes hold", () => {
  const harness = new TreeHarness(1n);
  const large = Buffer.alloc(200_000, 1);
  for (let i = 0; i < 20; i++) {
    harness.run({ op: "create", path: `/n${i}`, data: large, acl: open, flags: 0 });
  }
  const image = new WireImage(harness.tree);
  const pieces: Buffer[] = [];
  while (!image.isDone) pieces.push(image.next());
  assert(pieces.length >= 10);
  for (const { length } of pieces) assert(length < imageTurnBytes + large.length + 1_000);
});

test("on the wire goes what Apache's servers read: sessions, ACLs, znodes, the path that ends them", () => {
  const harness = new TreeHarness(1n, 2n);
  const acl = [{ perms: 3, id: { scheme: "digest", id: "a:b" } }];
  harness.run({ op: "create", path: "/a", data: Buffer.from("x"), acl, flags: 0 });
  harness.run({ op: "create", path: "/e", data: null, acl: open, flags: 1 }, 2n);
  const bytes = allOf(new WireImage(harness.tree));
  const from = new JuteReader(bytes);
  assert.deepEqual(SnapshotSessions.read(from), [
    { sessionId: 1n, timeoutMs: 4000 },
    { sessionId: 2n, timeoutMs: 4000 },
  ]);
  assert.deepEqual(
    SnapshotAcls.read(from).map((each) => each.acl),
    [[{ perms: 1, id: { scheme: "world", id: "anyone" } }], acl],
  );
  const paths: string[] = [];
  for (let path = from.string(); path !== "/"; path = from.string()) {
    paths.push(path);
    SnapshotNode.read(from);
  }
  from.end();
  const system = ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];
  assert.deepEqual(paths, [...system, "/a", "/e"]);
  // What looks for an image's end in a stream finds it there.
  const signature = Buffer.from("0000000a42656e57617348657265", "hex");
  const { image } = new ImageScanner().push(Buffer.concat([bytes, signature]));
  assert.equal(image, bytes.length);
});

test("a znode whose ACL a snapshot lacks lets nobody in until its create comes, and then those of its ACL", () => {
  const harness = new TreeHarness(1n);
  const acl = [{ perms: 31, id: { scheme: "digest", id: "a:b" } }];
  const before = harness.log.length;
  harness.run({ op: "create", path: "/late", data: null, acl, flags: 0 });
  harness.run({ op: "create", path: "/later", data: null, acl, flags: 0 });
  const bytes = allOf(new WireImage(harness.tree));
  const fuzzy = fileOf(withoutLastAcl(bytes));
  const tree = treeRestore(fuzzy, harness.log[before - 1]!.zxid);
  assert.equal(tree.acls.unlisted, 1);
  const late = tree.znodes.find("/late");
  assert.deepEqual(tree.aclOf(late), []);
  // An image of it lacks the list just the same, and does not make up an empty one.
  assert.equal(treeRestore(fileOf(allOf(new WireImage(tree))), 1).acls.unlisted, 1);
  for (const logged of harness.log.slice(before)) tree.apply(logged, logged.txn);
  assert.equal(tree.acls.unlisted, 0);
  assert.deepEqual(tree.aclOf(late), acl);
  assert.equal(treeFingerprint(tree), treeFingerprint(harness.tree));
});

/** As Apache's servers write it when the list goes out before the znode is created. */
function withoutLastAcl(body: Buffer): Buffer {
  const from = new JuteReader(body);
  const sessions = SnapshotSessions.read(from);
  const acls = SnapshotAcls.read(from);
  const rest = body.subarray(from.position);
  return Buffer.concat([
    encode(SnapshotSessions, sessions),
    encode(SnapshotAcls, acls.slice(0, -1)),
    rest,
  ]);
}

/** As a file is read: a part of it at a time, and fewer bytes than were asked for. */
function sourceOf(file: Buffer): ByteSource {
  const read: ByteSource["read"] = (into, at, length, position) =>
    file.copy(into, at, position, position + Math.min(length, 300_000));
  return { size: file.length, read };
}

test("a snapshot of many windows, read piece by piece, is the same tree, or an error when a bit is flipped", () => {
  const harness = new TreeHarness(1n);
  const lengths = [10, imageWindowBytes / 3, 0, imageWindowBytes - 100, imageWindowBytes * 2];
  for (let i = 0; i < 400; i++) {
    const length = i % 40 === 0 ? lengths[(i / 40) % 5]! : i * 7;
    const data = Buffer.alloc(length, i);
    harness.run({ op: "create", path: `/${i}-é`, data, acl: open, flags: 0 });
  }
  const { tree } = harness;
  const file = allOf(new TreeImage(tree));
  assert(file.length > 4 * imageWindowBytes);
  const restored = treeRestore(sourceOf(file), tree.zxidLast);
  assert.equal(treeFingerprint(restored), treeFingerprint(tree));
  assert.equal(restored.digests.mismatches, 0);
  const prng = new Prng(5);
  for (let round = 0; round < 25; round++) {
    const bytes = Buffer.from(file);
    const at = round < 5 ? file.length - 1 - round * 13 : prng.below(file.length);
    bytes[at]! ^= 1 << prng.below(8);
    assert.throws(() => treeRestore(sourceOf(bytes), tree.zxidLast), { name: "WireError" });
    const cut = sourceOf(file.subarray(0, at));
    assert.throws(() => treeRestore(cut, tree.zxidLast), { fault: "truncated" });
  }
});

test("a snapshot that holds a znode twice, nowhere, or with no root is refused", () => {
  const harness = new TreeHarness(1n);
  harness.create("/a");
  const body = allOf(new WireImage(harness.tree));
  const znode = body.subarray(body.lastIndexOf("/a") - 4, body.length - 5);
  const end = body.subarray(body.length - 5);
  const rest = body.subarray(0, body.length - 5);
  const renamed = (path: string) => {
    const copy = Buffer.from(znode);
    copy.write(path, 4);
    return copy;
  };
  const nested = Buffer.concat([Buffer.from("000000042f622f63", "hex"), znode.subarray(6)]);
  const rootAgain = Buffer.concat([Buffer.from("00000000", "hex"), znode.subarray(6)]);
  for (const strange of [znode, renamed("aa"), renamed("//"), nested, rootAgain]) {
    const bytes = fileOf(Buffer.concat([rest, strange, end]));
    assert.throws(() => treeRestore(bytes, 1), { name: "WireError" });
  }
  assert.equal(treeRestore(fileOf(Buffer.concat([rest, renamed("/b"), end])), 1).znodes.size, 6);
});
