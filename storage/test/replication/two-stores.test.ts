import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ArenaOwner } from "../../src/shard/arena.ts";
import { slabBytes } from "../../src/shard/limits.ts";
import type { StoreOptions } from "../../src/shard/store-options.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { PlainSegments } from "../shard/plain-segments.ts";
import { type Node, Nodes, until } from "./nodes.ts";

async function nodesOf(t: TestContext, ids: readonly number[]): Promise<Nodes> {
  const nodes = new Nodes(temp(t));
  closeAfter(t, () => nodes.closeAll());
  await nodes.found(ids);
  return nodes;
}

/** Both nodes started, the owner first. */
async function startBoth(
  nodes: Nodes,
  over?: Partial<StoreOptions>,
): Promise<readonly [Node, Node]> {
  const [a, b] = await Promise.all([nodes.start(1, over), nodes.start(2, over)]);
  await until("one serves", () => a.isServing || b.isServing);
  return a.isServing ? [a, b] : [b, a];
}

async function appendMany(node: Node, from: number, to: number): Promise<string[]> {
  const names = Array.from({ length: to - from }, (_, i) => `record ${from + i}`);
  for (const name of names) await node.append([name]);
  return names;
}

function inSyncOf(nodes: Nodes): number {
  return nodes.coordinator.node(0).inSync.length;
}

test("an append is acknowledged when both replicas have it on disk, and read at the owner alone", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const [owner, follower] = await startBoth(nodes);
  const result = await owner.append(["first"]);
  assert.equal(result.kind, "committed");
  assert.deepEqual(await owner.read(), ["first"]);
  assert.equal(await follower.read(), undefined);
  assert.deepEqual([...owner.shard.members].sort(), nodes.coordinator.members);
  await assert.rejects(follower.append(["no"]), { code: "ingest.unavailable" });
});

test("a shard is taken over when its owner closes, with all that was acknowledged", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const [owner, other] = await startBoth(nodes);
  const expected = await appendMany(owner, 0, 20);
  await nodes.close(owner.id);
  await until("the other serves", () => other.isServing);
  assert.deepEqual(await other.read(), expected);
  await other.append(["after"]);
  assert.deepEqual(await other.read(), [...expected, "after"]);
});

test("a shard is taken over from an owner that nobody hears any more, which then acknowledges and shows nothing", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const [owner, other] = await startBoth(nodes);
  const expected = await appendMany(owner, 0, 5);
  nodes.isolate(owner);
  const unheard = owner.append(["unheard"]).catch(() => "refused");
  await until("the other serves", () => other.isServing);
  assert.deepEqual(await other.read(), expected);
  assert.equal(await owner.read(), undefined);
  await other.append(["heard"]);
  assert.deepEqual(await other.read(), [...expected, "heard"]);
  await nodes.close(owner.id);
  assert.equal(await unheard, "refused");
});

test("a tail that only the old owner had is cut off when it comes back, and what others have takes its place", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const [owner, other] = await startBoth(nodes);
  const expected = await appendMany(owner, 0, 5);
  nodes.isolate(owner);
  const key = new Uint8Array(16).fill(7);
  const lost = owner.append(["diverged"], { dedupeKey: key }).catch(() => "refused");
  await until("the other serves", () => other.isServing);
  await other.append(["other"]);
  await nodes.close(owner.id);
  await lost;
  const back = await nodes.start(owner.id);
  await until("both are in sync again", () => inSyncOf(nodes) === 2);
  await nodes.close(other.id);
  await until("it serves", () => back.isServing);
  assert.deepEqual(await back.read(), [...expected, "other"]);
  // The key went with the tail: what comes again is stored.
  assert.equal((await back.append(["diverged"], { dedupeKey: key })).kind, "committed");
  assert.deepEqual(await back.read(), [...expected, "other", "diverged"]);
});

test("a member that is away is taken out of the set, and comes back into it by the log", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const [owner, other] = await startBoth(nodes);
  const expected = await appendMany(owner, 0, 3);
  await nodes.close(other.id);
  expected.push(...(await appendMany(owner, 3, 40)));
  assert.equal(inSyncOf(nodes), 1);
  const back = await nodes.start(other.id);
  await until("both are in sync again", () => inSyncOf(nodes) === 2);
  expected.push(...(await appendMany(owner, 40, 45)));
  await nodes.close(owner.id);
  await until("it serves", () => back.isServing);
  assert.deepEqual(await back.read(), expected);
});

test("a member that was away while the log was sealed gets the segments, and the rest by the log", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const [owner, other] = await startBoth(nodes);
  await nodes.close(other.id);
  const key = new Uint8Array(16).fill(9);
  await owner.append(["keyed"], { dedupeKey: key });
  const expected = ["keyed", ...(await appendMany(owner, 0, 10))];
  await owner.store.seal();
  // Enough for the log to let go of its first files.
  for (let i = 0; i < 12; i++) {
    const record = `large ${i}`.padEnd(60_000, "x");
    await owner.append([record]);
    expected.push(record);
    await owner.store.seal();
  }
  await owner.store.merge();
  expected.push(...(await appendMany(owner, 10, 15)));
  const back = await nodes.start(other.id);
  await until("both are in sync again", () => inSyncOf(nodes) === 2);
  await nodes.close(owner.id);
  await until("it serves", () => back.isServing);
  assert.deepEqual(await back.read(), expected);
  assert.equal((await back.append(["keyed"], { dedupeKey: key })).kind, "repeat");
});

test("an owner that starts with thousands of small entries, none of them sealed, gives them to a member that lacks all", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const work = new PlainSegments(new ArenaOwner(slabBytes));
  work.beforeWrite = () => {
    throw new Error("no seal today");
  };
  const [owner, other] = await startBoth(nodes, { work });
  await nodes.close(other.id);
  await owner.append(["alone"]);
  const names = Array.from({ length: 5_000 }, (_, i) => `record ${i}`);
  await Promise.all(names.map((name) => owner.append([name])));
  await nodes.close(owner.id);
  const again = await nodes.start(owner.id, { work });
  await until("it serves", () => again.isServing);
  assert.equal(again.shard.sealedThrough.position, 0);
  const back = await nodes.start(other.id, { work });
  await until("both are in sync again", () => inSyncOf(nodes) === 2);
  await nodes.close(again.id);
  await until("it serves", () => back.isServing);
  assert.deepEqual(await back.read(), ["alone", ...names]);
});

test("seals and merges go on with two replicas, and both hold the files before the manifest names them", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const [owner, other] = await startBoth(nodes);
  const expected: string[] = [];
  for (let i = 0; i < 4; i++) {
    expected.push(...(await appendMany(owner, i * 10, i * 10 + 10)));
    await owner.store.seal();
    assert.equal(nodes.filesMissing(other.id), 0);
  }
  await owner.store.merge();
  assert.equal(nodes.filesMissing(other.id), 0);
  assert.deepEqual(await owner.read(), expected);
  await nodes.close(owner.id);
  await until("the other serves", () => other.isServing);
  assert.deepEqual(await other.read(), expected);
});

test("a follower tells of copies that are needed no more and still lie there", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const [owner, follower] = await startBoth(nodes, { segments: { replacedKeepMs: 600_000 } });
  for (let round = 0; round < 4; round++) {
    await appendMany(owner, round * 10, round * 10 + 10);
    await owner.store.seal();
  }
  assert.deepEqual(owner.store.keptCopies(), []);
  await owner.store.merge();
  await until("it is told", () => follower.store.keptCopies().length === 1);
  const [kept] = follower.store.keptCopies();
  assert.equal(kept?.shard, 0);
  assert.ok(kept!.agesMs.length > 0 && kept!.agesMs.every((ageMs) => ageMs >= 0));
});

test("both replicas stop and start again, in either order, and nothing is lost", async (t) => {
  const nodes = await nodesOf(t, [1, 2]);
  const [owner, other] = await startBoth(nodes);
  const expected = await appendMany(owner, 0, 10);
  await nodes.close(other.id);
  expected.push(...(await appendMany(owner, 10, 12)));
  await nodes.close(owner.id);
  // Not in sync any more: it may not have what it never saw.
  const stale = await nodes.start(other.id);
  assert.equal(stale.isServing, false);
  const back = await nodes.start(owner.id);
  await until("it serves", () => back.isServing);
  assert.deepEqual(await back.read(), expected);
  await until("both are in sync again", () => inSyncOf(nodes) === 2);
});
