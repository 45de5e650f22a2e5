import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { nodeDisk } from "../../src/log/disk.ts";
import { EpochFile } from "../../src/log/epoch-file.ts";
import { recoverLog } from "../../src/log/recovery.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { type Node, Nodes, until } from "./nodes.ts";

async function three(t: TestContext): Promise<{ readonly nodes: Nodes; readonly all: Node[] }> {
  const nodes = new Nodes(temp(t));
  closeAfter(t, () => nodes.closeAll());
  await nodes.found([1, 2, 3]);
  const all = await Promise.all([1, 2, 3].map((id) => nodes.start(id)));
  await until("one serves", () => all.some(({ isServing }) => isServing));
  return { nodes, all };
}

function ownerOf(all: readonly Node[]): Node {
  return all.find(({ isServing }) => isServing)!;
}

test("records go on with one of three replicas away, and with each owner after the other", async (t) => {
  const { nodes, all } = await three(t);
  const expected: string[] = [];
  let left = all;
  for (let round = 0; round < 2; round++) {
    const owner = ownerOf(left);
    for (let i = 0; i < 5; i++) {
      const name = `${round}/${i}`;
      await owner.append([name]);
      expected.push(name);
    }
    await nodes.close(owner.id);
    left = left.filter((node) => node !== owner);
    await until("another serves", () => left.some(({ isServing }) => isServing));
  }
  const last = ownerOf(left);
  assert.deepEqual(await last.read(), expected);
  assert.deepEqual([...last.shard.members], [last.member]);
});

test("a shard is handed over to the member that is named, while records come in", async (t) => {
  const { all } = await three(t);
  const owner = ownerOf(all);
  const target = all.find((node) => node !== owner)!;
  const expected: string[] = [];
  for (let i = 0; i < 10; i++) {
    await owner.append([`${i}`]);
    expected.push(`${i}`);
  }
  const { isDone, reason } = await owner.store.handOver(0, target.member);
  assert.ok(isDone, reason);
  await until("the target serves", () => target.isServing);
  assert.equal(owner.isServing, false);
  await assert.rejects(owner.append(["moved"]), { code: "ingest.unavailable" });
  assert.deepEqual(await target.read(), expected);
  await target.append(["after"]);
  assert.deepEqual(await target.read(), [...expected, "after"]);
});

test("an order of other replicas makes a new one of them, hands the shard over to it and lets the old one go", async (t) => {
  const nodes = new Nodes(temp(t));
  closeAfter(t, () => nodes.closeAll());
  await nodes.found([1]);
  const first = await nodes.start(1);
  for (let i = 0; i < 5; i++) await first.append([`sealed ${i}`]);
  await first.store.seal();
  for (let i = 0; i < 5; i++) await first.append([`logged ${i}`]);
  const second = await nodes.start(2);
  const order = { replicas: [second.member], owner: second.member, minInSync: 1 };
  for (const { store } of [first, second]) store.assign(0, order);
  await until("the new one serves alone", () => {
    const { inSync, replicas } = nodes.coordinator.node(0);
    const isAlone = replicas.length === 1 && inSync.length === 1;
    return second.isServing && isAlone && inSync[0] === second.member;
  });
  const found = await second.read();
  assert.equal(found?.length, 10);
  await second.append(["after"]);
  assert.equal((await second.read())?.length, 11);
});

test("files of a shard that has gone elsewhere go after a while, and are there again before it is a member again", async (t) => {
  const nodes = new Nodes(temp(t));
  closeAfter(t, () => nodes.closeAll());
  await nodes.found([1]);
  const segments = { replacedKeepMs: 100, trashKeepMs: 300 };
  const first = await nodes.start(1, { segments });
  for (let i = 0; i < 5; i++) await first.append([`sealed ${i}`]);
  await first.store.seal();
  const second = await nodes.start(2, { segments });
  const order = (...replicas: readonly string[]): void => {
    for (const { store } of [first, second]) {
      store.assign(0, { replicas, owner: second.member, minInSync: 1 });
    }
  };
  const isSet = (...replicas: readonly string[]): boolean => {
    const { inSync, replicas: all } = nodes.coordinator.node(0);
    return inSync.length === replicas.length && all.length === replicas.length;
  };
  // Twice, since the second time it is the same owner and epoch that takes it in again.
  for (let round = 0; round < 2; round++) {
    order(second.member);
    await until("the other has it alone", () => second.isServing && isSet(second.member));
    await until("no file of it is left", () => nodes.files(1).length === 0);
    assert.equal(nodes.filesMissing(2), 0);
    await second.append([`logged ${round}`]);
    order(second.member, first.member);
    await until("both are in sync", () => isSet(second.member, first.member));
    assert.equal(nodes.filesMissing(1), 0);
  }
  await nodes.close(2);
  await until("the first serves", () => first.isServing);
  assert.equal((await first.read())?.length, 7);
});

test("log files that hold a shard which has gone elsewhere are let go after a while, and it is as new here after a restart", async (t) => {
  const directory = temp(t);
  const nodes = new Nodes(directory);
  closeAfter(t, () => nodes.closeAll());
  await nodes.found([1]);
  const segments = { replacedKeepMs: 100, trashKeepMs: 300 };
  const first = await nodes.start(1, { segments });
  const expected = Array.from({ length: 30 }, (_, i) => `${i}`.padEnd(20_000, "x"));
  for (const text of expected) await first.append([text]);
  const usedBytes = (): number => first.store.status().logBytes;
  assert.ok(usedBytes() > 2 * 256 * 1024, "its log has several files, of which nothing is sealed");
  const second = await nodes.start(2, { segments });
  const order = { replicas: [second.member], owner: second.member, minInSync: 1 };
  for (const { store } of [first, second]) store.assign(0, order);
  await until("the other has it alone", () => {
    const { inSync, replicas } = nodes.coordinator.node(0);
    return second.isServing && inSync.length === 1 && replicas.length === 1;
  });
  await until("one file is left, the one that is written", () => usedBytes() <= 256 * 1024);
  const copy = join(directory, "copy");
  await until("whoever begins from what is on disk has nothing but the promise", async () => {
    rmSync(copy, { recursive: true, force: true });
    try {
      cpSync(join(directory, "1", "storage"), copy, { recursive: true });
    } catch {
      // A file that was let go has just got another name.
      return false;
    }
    const { shards } = await recoverLog(nodeDisk, join(copy, "log"));
    const { promised, ...left } = EpochFile.open(nodeDisk, copy).of(0);
    const isEmpty = (shards.get(0)?.entries ?? []).length === 0;
    return isEmpty && promised > 0 && left.committed === 0 && left.lineage.length === 0;
  });
  await nodes.close(1);
  const again = await nodes.start(1, { segments });
  const both = { ...order, replicas: [second.member, again.member] };
  for (const { store } of [again, second]) store.assign(0, both);
  await until("both are in sync", () => nodes.coordinator.node(0).inSync.length === 2);
  await nodes.close(2);
  await until("the first serves", () => again.isServing);
  assert.deepEqual(await again.read(), expected);
});

test("below the least number of members in sync nothing is taken, until one comes back", async (t) => {
  const { nodes, all } = await three(t);
  const order = { replicas: all.map(({ member }) => member), owner: undefined, minInSync: 2 };
  for (const { store } of all) store.assign(0, order);
  const owner = ownerOf(all);
  const others = all.filter((node) => node !== owner);
  await owner.append(["three"]);
  for (const { id } of others) await nodes.close(id);
  await until("the set is one", () => nodes.coordinator.node(0).inSync.length === 1);
  await assert.rejects(owner.append(["one"]), { code: "ingest.unavailable" });
  assert.deepEqual(await owner.read(), ["three"]);
  const back = await nodes.start(others[0]!.id);
  back.store.assign(0, order);
  await until("two are in sync", () => nodes.coordinator.node(0).inSync.length === 2);
  await owner.append(["two"]);
  assert.deepEqual((await owner.read())?.at(-1), "two");
});

test("a follower whose log fills up has the owner seal, and frees its files", async (t) => {
  const nodes = new Nodes(temp(t));
  closeAfter(t, () => nodes.closeAll());
  await nodes.found([1, 2]);
  const small = { logFileBytes: 64 * 1024, logBytesMax: 512 * 1024 };
  const both = await Promise.all([nodes.start(1, small), nodes.start(2)]);
  await until("one serves", () => both.some(({ isServing }) => isServing));
  const [a, b] = both;
  if (a.isServing) {
    await a.store.handOver(0, b.member);
    await until("the one with the large log serves", () => b.isServing);
  }
  for (let i = 0; i < 60; i++) await b.append([`${i}`.padEnd(20_000, "x")]);
  assert.ok(b.store.status().counts.seals > 0);
  const follower = a.store.status();
  assert.ok(follower.logBytes <= follower.logBytesMax, `${follower.logBytes}`);
  assert.equal((await b.read())?.length, 60);
});
