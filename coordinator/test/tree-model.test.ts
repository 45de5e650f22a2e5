// Goal: the tree does what a plain Map of znodes does, its image holds exactly one moment, and a replay of any
// suffix of the log over any snapshot, once or twice, ends in the same tree.
// Method: a seed draws operations, many of which fail; a failure prints the seed, and SEED=<n> replays that run.
import assert from "node:assert/strict";
import test from "node:test";
import { crc32 } from "node:zlib";

import { Prng } from "../../kit/src/prng.ts";
import { treeFingerprint } from "../src/tree/fingerprint.ts";
import { TreeImage } from "../src/tree/image.ts";
import { nameOf, parentOf } from "../src/tree/paths.ts";
import type { WriteRequest } from "../src/tree/prepare.ts";
import { treeRestore } from "../src/tree/restore.ts";
import { Tree } from "../src/tree/tree.ts";
import { sumText } from "../src/tree/tree-digest.ts";
import { none } from "../src/tree/znodes.ts";
import { type Logged, open, TreeHarness } from "./tree-harness.ts";

const seedGiven = process.env["SEED"];
const seedCount = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 30);
const seeds =
  seedGiven === undefined
    ? Array.from({ length: seedCount }, (_, index) => index + 1)
    : [Number(seedGiven)];
const operationCount = 300;
const sessions = [1n, 2n, 3n];

interface Model {
  readonly data: string;
  readonly version: number;
  readonly creates: number;
  /** The zxid of the last create or delete right below it, or of its own creation. */
  readonly pzxid: number;
}

function forEachSeed(name: string, run: (prng: Prng) => void): void {
  test(name, () => {
    for (const seed of seeds) {
      try {
        run(new Prng(seed));
      } catch (thrown) {
        throw new Error(`SEED=${seed}`, { cause: thrown });
      }
    }
  });
}

function pathDraw(prng: Prng): string {
  const depth = 1 + prng.below(3);
  return Array.from({ length: depth }, () => `/${prng.pick(["a", "b", "c"])}`).join("");
}

function changeDraw(prng: Prng): WriteRequest {
  const path = pathDraw(prng);
  const data = Buffer.alloc(prng.below(prng.chance(0.05) ? 5000 : 40), prng.below(256));
  const version = prng.chance(0.8) ? -1 : prng.below(3);
  switch (prng.below(6)) {
    case 0:
    case 1:
      if (prng.chance(0.1)) return { op: "createTTL", path, data, acl: open, flags: 5, ttlMs: 7n };
      return { op: "create", path, data, acl: open, flags: prng.below(5) };
    case 2:
      return { op: "delete", path, version };
    case 3:
      return { op: "setData", path, data: prng.chance(0.1) ? null : data, version };
    case 4: {
      const acl = [{ perms: 1 + prng.below(31), id: { scheme: "world", id: "anyone" } }];
      return { op: "setACL", path, acl: prng.chance(0.5) ? open : acl, version: -1 };
    }
    default:
      return { op: "check", path, version };
  }
}

function requestDraw(prng: Prng): WriteRequest {
  if (prng.chance(0.15)) {
    const ops = Array.from({ length: 1 + prng.below(4) }, () => changeDraw(prng));
    return { op: "multi", ops: ops.filter(({ op }) => op !== "setACL") as never };
  }
  if (prng.chance(0.02)) return { op: "closeSession" };
  if (prng.chance(0.05)) return { op: "expire", path: pathDraw(prng) };
  return changeDraw(prng);
}

/** Runs random requests, applying with random delay; sessions that close come back. */
function storyRun(prng: Prng, during?: (harness: TreeHarness) => void): TreeHarness {
  const harness = new TreeHarness(...sessions);
  for (let i = 0; i < operationCount; i++) {
    const session = prng.pick(sessions);
    const request = requestDraw(prng);
    harness.propose(request, session);
    if (request.op === "closeSession") {
      harness.propose({ op: "createSession", timeoutMs: 4000 + prng.below(100) }, session);
    }
    for (let applies = prng.below(4); applies > 0; applies--) harness.applyNext();
    during?.(harness);
  }
  harness.applyAll();
  return harness;
}

function replay<W extends object>(tree: Tree<W>, log: readonly Logged[]): string {
  for (const logged of log) tree.apply(logged, logged.txn, logged.digest);
  tree.quotas.rebuild();
  return treeFingerprint(tree);
}

function imageBytes(tree: Tree): Buffer {
  const image = new TreeImage(tree);
  const pieces: Buffer[] = [];
  while (!image.isDone) pieces.push(image.next());
  return Buffer.concat(pieces);
}

/** The digest as ZooKeeper's DigestCalculator defines it, from nothing but what the znodes are now. */
function digestCounted(tree: Tree): bigint {
  let sum = 0n;
  for (let id = 0; id < tree.znodes.idEnd; id++) {
    if (!tree.znodes.isLive(id)) continue;
    const path = tree.znodes.path(id);
    if (path.startsWith("/zookeeper/")) continue;
    const {
      data,
      acl: _,
      version,
      cversion,
      aversion,
      ephemeralOwner,
      ...times
    } = tree.znodes.state(id);
    const stat = Buffer.alloc(60);
    const { czxid, mzxid, pzxid, ctime, mtime } = times;
    for (const [index, value] of [czxid, mzxid, pzxid, ctime, mtime].entries()) {
      stat.writeBigInt64BE(BigInt(value), index * 8);
    }
    for (const [index, value] of [version, cversion, aversion].entries()) {
      stat.writeInt32BE(value, 40 + index * 4);
    }
    stat.writeBigInt64BE(ephemeralOwner, 52);
    const named = Buffer.from(path === "/" ? "" : path);
    sum += BigInt(crc32(Buffer.concat([named, data ?? Buffer.alloc(0), stat])));
  }
  return sum;
}

/** What ZooKeeper's documentation says, over a Map of paths. */
function modelApply(model: Map<string, Model>, { txn, zxid }: Logged): void {
  const all = txn.type === "multi" ? txn.txns : [txn];
  if (all.some(({ type }) => type === "error")) return;
  const parentMoves = (path: string, creates: number) => {
    const parent = model.get(parentOf(path));
    if (parent === undefined) return;
    model.set(parentOf(path), { ...parent, creates: parent.creates + creates, pzxid: zxid });
  };
  const remove = (path: string) => {
    model.delete(path);
    parentMoves(path, 0);
  };
  for (const one of all) {
    if (one.type === "create" || one.type === "createContainer" || one.type === "createTTL") {
      const data = Buffer.from(one.data ?? []).toString("latin1");
      model.set(one.path, { data, version: 0, creates: 0, pzxid: zxid });
      parentMoves(one.path, 1);
    }
    if (one.type === "delete" || one.type === "deleteContainer") remove(one.path);
    if (one.type === "closeSession") for (const path of one.paths ?? []) remove(path);
    if (one.type === "setData") {
      const before = model.get(one.path) as Model;
      const data = Buffer.from(one.data ?? []).toString("latin1");
      model.set(one.path, { ...before, data, version: before.version + 1 });
    }
  }
}

forEachSeed("the tree holds what a map of paths holds", (prng) => {
  const { log, tree } = storyRun(prng);
  const model = new Map<string, Model>();
  for (const logged of log) modelApply(model, logged);
  const { znodes } = tree;
  const system = 4;
  assert.equal(znodes.size, model.size + system);
  for (const [path, expected] of model) {
    const id = znodes.find(path);
    assert.notEqual(id, none, path);
    const data = Buffer.from(znodes.data(id) ?? []).toString("latin1");
    assert.deepEqual(
      {
        data,
        version: znodes.version(id),
        creates: znodes.creates(id),
        pzxid: znodes.pzxid(id),
      },
      expected,
      path,
    );
    const children = [...model.keys()].filter((each) => parentOf(each) === path && each !== path);
    assert.deepEqual(znodes.childNames(id).sort(), children.map(nameOf).sort(), path);
    assert.equal(znodes.stat(id).readInt32BE(56), children.length);
    assert.equal(znodes.stat(id).readInt32BE(36), expected.creates * 2 - children.length);
  }
});

forEachSeed("the digest is the sum of every znode's CRC, as every proposal foresaw it", (prng) => {
  const { log, tree } = storyRun(prng);
  assert.equal(tree.digests.mismatches, 0);
  assert(log.filter(({ digest }) => digest !== undefined).length > operationCount / 4);
  assert.equal(sumText(tree.znodes.digest!), String(digestCounted(tree)));
  const again = treeRestore(imageBytes(tree), tree.zxidLast);
  assert.equal(sumText(again.znodes.digest!), String(digestCounted(tree)));
});

forEachSeed("applying the log again ends in the same tree", (prng) => {
  const { log, tree } = storyRun(prng);
  const again = Tree.fresh<object>();
  assert.equal(replay(again, log), treeFingerprint(tree));
});

forEachSeed("a snapshot restores to the tree it was taken of", (prng) => {
  const { tree } = storyRun(prng);
  const restored = treeRestore(imageBytes(tree), tree.zxidLast);
  assert.equal(treeFingerprint(restored), treeFingerprint(tree));
  assert.deepEqual(imageBytes(tree), imageBytes(tree));
});

forEachSeed("an image holds the moment it began, however the tree moves on", (prng) => {
  let image: TreeImage<object> | undefined;
  let expected = "";
  const pieces: Buffer[] = [];
  const at = 20 + prng.below(operationCount - 40);
  let step = 0;
  storyRun(prng, ({ tree }) => {
    if (step++ === at) {
      expected = treeFingerprint(tree);
      image = new TreeImage(tree);
    }
    if (image !== undefined && !image.isDone && prng.chance(0.3)) pieces.push(image.next(1));
  });
  assert(image !== undefined);
  while (!image.isDone) pieces.push(image.next(5));
  const restored = treeRestore(Buffer.concat(pieces), image.zxid);
  assert.equal(treeFingerprint(restored), expected);
});

forEachSeed(
  "a suffix replayed over a later snapshot, once or twice, ends in the same tree",
  (prng) => {
    const harness = new TreeHarness(...sessions);
    const whole = storyRun(prng);
    const end = treeFingerprint(whole.tree);
    // A fuzzy snapshot is no older than some point of the log and no newer than another.
    const cut = prng.below(whole.log.length);
    const from = prng.below(cut + 1);
    for (const logged of whole.log.slice(sessions.length, cut)) {
      harness.tree.apply(logged, logged.txn);
    }
    const bytes = imageBytes(harness.tree);
    const suffix = whole.log.slice(from);
    const once = treeRestore(bytes, harness.tree.zxidLast);
    assert.equal(replay(once, suffix), end);
    const twice = treeRestore(bytes, harness.tree.zxidLast);
    replay(twice, suffix);
    assert.equal(replay(twice, suffix), end);
  },
);

test("a create that is applied again does not turn its parent's counter or pzxid back", () => {
  const { tree } = new TreeHarness();
  const txn = { type: "create", path: "/a", data: null, acl: open, ephemeral: false } as const;
  tree.apply({ sessionId: 1n, zxid: 50, timeMs: 1 }, { ...txn, parentCversion: 7 });
  const outcome = tree.apply({ sessionId: 1n, zxid: 40, timeMs: 1 }, { ...txn, parentCversion: 5 });
  assert.equal(outcome.error, -110);
  assert.deepEqual([tree.znodes.creates(0), tree.znodes.pzxid(0)], [7, 50]);
});
