// Goal: a snapshot that was written while the tree changed, as Apache's servers write theirs, becomes the right tree
// when what came meanwhile is replayed, once or twice: the same znodes, ephemerals, pzxids and sessions.
// Method: seeded stories with multis and sessions that come and go; the bugs that ZooKeeper had here, planted in a
// copy of the tree, are found by the same stories.
import assert from "node:assert/strict";
import test from "node:test";

import { Prng } from "../../kit/src/prng.ts";
import { treeFingerprint } from "../src/tree/fingerprint.ts";
import type { WriteRequest } from "../src/tree/prepare.ts";
import * as restoreReal from "../src/tree/restore.ts";
import type { Tree } from "../src/tree/tree.ts";
import { FuzzySnapshot } from "./fuzzy-snapshot.ts";
import { type Plant, sourcePlanted } from "./sim/plant.ts";
import { open, TreeHarness } from "./tree-harness.ts";

type Restore = Pick<typeof restoreReal, "treeRestore">;

const seedCount = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 40);
const paths = ["/a", "/a/b", "/a/c", "/d", "/d/e", "/d/e/f"];

function requestDraw(prng: Prng): WriteRequest {
  const path = prng.pick(paths);
  const data = Buffer.from([prng.below(256)]);
  const create = { op: "create", path, data, acl: open, flags: prng.chance(0.4) ? 1 : 0 } as const;
  const remove = { op: "delete", path: prng.pick(paths), version: -1 } as const;
  const acl = [{ perms: 1 + prng.below(31), id: { scheme: "world", id: "anyone" } }];
  switch (prng.below(8)) {
    case 0:
      return { op: "closeSession" };
    case 1:
      return { op: "setData", path, data, version: -1 };
    case 2:
      return { op: "setACL", path, acl: prng.chance(0.5) ? open : acl, version: -1 };
    case 3:
      return { op: "multi", ops: [remove, create] };
    case 4:
      return { op: "multi", ops: [create, { op: "setData", path, data, version: -1 }] };
    case 5:
      return remove;
    default:
      return { ...create, flags: prng.chance(0.2) ? 3 : create.flags };
  }
}

/** A snapshot written during a story, what came since it began, what came after it, and how all of it ended. */
function storyRun(prng: Prng): {
  readonly snapshot: Buffer;
  readonly zxid: number;
  readonly zxidAfter: number;
  readonly log: TreeHarness["log"];
  readonly end: string;
} {
  const sessions = [1n, 2n];
  const harness = new TreeHarness(...sessions);
  const step = (): void => {
    const at = prng.below(sessions.length);
    const request = requestDraw(prng);
    harness.run(request, sessions[at]);
    if (request.op !== "closeSession") return;
    sessions[at] = BigInt(harness.log.length);
    harness.run({ op: "createSession", timeoutMs: 4000 }, sessions[at]);
  };
  for (let i = 0; i < 30; i++) step();
  const fuzzy = new FuzzySnapshot(harness.tree);
  do for (let i = prng.below(4); i > 0; i--) step();
  while (fuzzy.step());
  const snapshot = fuzzy.bytes();
  const zxidAfter = harness.tree.zxidLast;
  for (let i = 0; i < 15; i++) step();
  const end = treeFingerprint(harness.tree);
  return { snapshot, zxid: fuzzy.zxid, zxidAfter, log: harness.log, end };
}

/** Throws where a replay ends in another tree. */
function replays(restore: Restore, isLabelledLate = false): void {
  for (let seed = 1; seed <= seedCount; seed++) {
    const { snapshot, zxid, zxidAfter, log, end } = storyRun(new Prng(seed));
    const label = isLabelledLate ? zxidAfter : zxid;
    const since = log.filter((each) => each.zxid > label);
    const tree = restore.treeRestore(snapshot, label) as Tree;
    for (const logged of since) tree.apply(logged, logged.txn);
    tree.quotas.rebuild();
    assert.equal(treeFingerprint(tree), end, `seed ${seed}, once`);
    for (const logged of since) tree.apply(logged, logged.txn);
    tree.quotas.rebuild();
    assert.equal(treeFingerprint(tree), end, `seed ${seed}, twice`);
  }
}

test("ZOOKEEPER-3144, 3145, 3127: a snapshot that the tree changed under, replayed once or twice, is right", () => {
  replays(restoreReal);
});

test("ZOOKEEPER-3127 is found when it is there: a snapshot labelled with what it holds in part", () => {
  assert.throws(() => replays(restoreReal, true), { name: "AssertionError" });
});

const planted: {
  readonly bug: string;
  readonly what: string;
  readonly plants: readonly Plant[];
}[] = [
  {
    bug: "ZOOKEEPER-3145",
    what: "a delete that is replayed where the znode is gone leaves its parent's pzxid",
    plants: [
      {
        file: "tree/tree.ts",
        from: `    if (zxid > this.znodes.pzxid(parent)) this.znodes.pzxidSet(parent, zxid);
    const id = this.znodes.find(path);
    if (id === none) return failed(errorNumbers.NONODE);`,
        to: `    const id = this.znodes.find(path);
    if (id === none) return failed(errorNumbers.NONODE);
    if (zxid > this.znodes.pzxid(parent)) this.znodes.pzxidSet(parent, zxid);`,
      },
    ],
  },
  {
    bug: "ZOOKEEPER-3144",
    what: "an ephemeral in a snapshot outlives its session, which began while that was written",
    plants: [
      {
        file: "tree/restore.ts",
        from: "if (session !== undefined) sessions.ephemeralAdd(session, path);",
        to: "if (session !== undefined && sessions.has(session)) sessions.ephemeralAdd(session, path);",
      },
      {
        file: "tree/tree.ts",
        from: "for (const path of paths ?? []) this.#delete(context, path);",
        to: "",
      },
    ],
  },
];

for (const { bug, what, plants } of planted) {
  test(`${bug} is found when it is there: ${what}`, async (context) => {
    const { load, remove } = sourcePlanted(plants);
    context.after(remove);
    const restore = await load<Restore>("tree/restore.ts");
    assert.throws(() => replays(restore), { name: "AssertionError" });
  });
}
