import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { acceptLogLoss, acceptLoss } from "../../src/log/accept-loss.ts";
import { nodeDisk } from "../../src/log/disk.ts";
import { entryBytesOf } from "../../src/log/entry.ts";
import { EpochFile } from "../../src/log/epoch-file.ts";
import { logFileHeadBytes } from "../../src/log/limits.ts";
import { headDecode } from "../../src/log/log-file.ts";
import { scanFile } from "../../src/log/scan.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { openRig } from "../shard/rig.ts";
import { Nodes, until } from "./nodes.ts";

/** Flips a bit in the header of the entry with a shard's records at a position; gives the file as it was. */
function damageHeader(path: string, shard: number, position: number, byte: number): void {
  const bytes = readFileSync(path);
  const { fileId } = headDecode(bytes)!;
  const found = scanFile(bytes, fileId).entries.find(({ header }) => {
    return header.shard === shard && header.position === position && header.kind === "records";
  });
  assert.ok(found !== undefined && entryBytesOf(found.header) > byte);
  bytes[found.offset + byte]! ^= 0x10;
  writeFileSync(path, bytes);
}

async function nodesOf(t: TestContext): Promise<{ nodes: Nodes; directory: string }> {
  const directory = temp(t);
  const nodes = new Nodes(directory);
  closeAfter(t, () => nodes.closeAll());
  await nodes.found([1, 2]);
  return { nodes, directory };
}

const logPath = "storage/log/log-000000000001";

// Of the length, the shard, the checksum.
for (const byte of [8, 12, 4]) {
  test(`a follower with a flipped bit in byte ${byte} of a header of its log has all again from the owner`, async (t) => {
    const { nodes, directory } = await nodesOf(t);
    const both = await Promise.all([nodes.start(1), nodes.start(2)]);
    await until("one serves", () => both.some(({ isServing }) => isServing));
    const owner = both.find(({ isServing }) => isServing)!;
    const other = both.find(({ isServing }) => !isServing)!;
    const inSync = () => nodes.coordinator.node(0).inSync.length;
    await until("both are in sync", () => inSync() === 2);
    for (const text of ["a", "b", "c", "d"]) await owner.append([text]);
    await nodes.close(other.id);
    const path = join(directory, `${other.id}`, logPath);
    // The first entry is the beginning of an epoch.
    damageHeader(path, 0, 3, byte);
    const back = await nodes.start(other.id);
    await owner.append(["e"]);
    const isBack = () => inSync() === 2 && back.shard.committed.position >= 6;
    await until("both are in sync again", isBack);
    await nodes.close(owner.id);
    await until("it serves", () => back.isServing);
    assert.deepEqual(await back.read(), ["a", "b", "c", "d", "e"]);
    // What was repaired is no reason to stop for one who is alone and looks at the znodes again.
    await until("it is alone", () => inSync() === 1);
    const before = back.session.readCount;
    back.session.tellLost([0]);
    await until("it has looked", () => back.session.readCount > before);
    await back.append(["f"]);
    assert.ok(back.isServing);
  });
}

/** Leaves nothing of the head of a log file, nor of its first entry. */
function damageHead(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 0, logFileHeadBytes + 200);
  writeFileSync(path, bytes);
}

test("a follower whose log file has lost its head starts, and has all again from the owner", async (t) => {
  const { nodes, directory } = await nodesOf(t);
  const both = await Promise.all([nodes.start(1), nodes.start(2)]);
  await until("one serves", () => both.some(({ isServing }) => isServing));
  const owner = both.find(({ isServing }) => isServing)!;
  const other = both.find(({ isServing }) => !isServing)!;
  const inSync = () => nodes.coordinator.node(0).inSync.length;
  await until("both are in sync", () => inSync() === 2);
  for (const text of ["a", "b", "c"]) await owner.append([text]);
  await nodes.close(other.id);
  damageHead(join(directory, `${other.id}`, logPath));
  const back = await nodes.start(other.id);
  await owner.append(["d"]);
  const isBack = () => inSync() === 2 && back.shard.committed.position >= 5;
  await until("both are in sync again", isBack);
  await nodes.close(owner.id);
  await until("it serves", () => back.isServing);
  assert.deepEqual(await back.read(), ["a", "b", "c", "d"]);
  // What was lost once is of no interest to a later start either.
  await until("it is alone", () => inSync() === 1);
  await nodes.close(back.id);
  const again = await nodes.start(back.id);
  await until("it serves again", () => again.isServing);
  assert.deepEqual(await again.read(), ["a", "b", "c", "d"]);
});

test("a node alone whose log file has lost its head starts without what is not sealed, once that is given up", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["sealed"], { shard: 1 });
  await rig.store.seal();
  await rig.append(["logged"], { shard: 1 });
  await rig.close();
  damageHead(join(directory, logPath));
  for (let start = 0; start < 2; start++) {
    rig = await openRig(directory);
    const { shards } = rig.store.status();
    assert.deepEqual(
      shards.map(({ state }) => state),
      ["stopped", "stopped", "stopped"],
    );
    assert.match(shards[1]!.reason!, /entries are lost here.*logkeep storage accept-loss/);
    await rig.close();
  }
  // The file itself is gone by now: nothing in it was unsealed as far as anybody knows.
  const epochs = EpochFile.open(nodeDisk, join(directory, "storage"));
  const { entries, places } = await acceptLoss(nodeDisk, join(directory, "storage/log"), epochs);
  const [name] = logPath.split("/").slice(-1);
  assert.deepEqual(places, [{ file: name, offset: logFileHeadBytes, bytes: 0 }]);
  const [first] = entries.filter(({ shard }) => shard === 1);
  assert.deepEqual([first?.through, (first?.from ?? 9) <= 3], [3, true]);
  rig = await openRig(directory);
  closeAfter(t, () => rig.close());
  assert.deepEqual(rig.read(), ["sealed"]);
  await rig.append(["more"], { shard: 1 });
  assert.deepEqual(rig.read().sort(), ["more", "sealed"]);
});

test("a node alone says which shards may lack entries, serves the others, and all that is left once the loss is accepted", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  for (const text of ["a", "b", "c"]) await rig.append([text], { shard: 1 });
  await rig.append(["other"], { shard: 2 });
  await rig.append(["idle"], { shard: 0 });
  await rig.close();
  damageHeader(join(directory, logPath), 1, 3, 24);
  rig = await openRig(directory);
  const states = rig.store.status().shards.map(({ state }) => state);
  assert.deepEqual(states, ["serving", "stopped", "serving"]);
  assert.deepEqual(rig.read().sort(), ["idle", "other"]);
  await assert.rejects(
    rig.append(["x"], { shard: 1 }),
    (error: { code: string; message: string; fields: Record<string, unknown> }) => {
      assert.equal(error.code, "storage.damaged");
      assert.match(error.message, /entries are lost here; .*logkeep storage accept-loss/);
      const { file, offset, shard } = error.fields;
      assert.deepEqual([file, shard], ["log-000000000001", 1]);
      assert.ok(typeof offset === "number" && offset > 0);
      return true;
    },
  );
  await rig.close();
  const { entries } = await acceptLogLoss(nodeDisk, join(directory, "storage/log"), () => ({
    lineage: [],
  }));
  assert.deepEqual(entries, [{ shard: 1, from: 3, through: 3 }]);
  rig = await openRig(directory);
  closeAfter(t, () => rig.close());
  assert.deepEqual(rig.read().sort(), ["a", "c", "idle", "other"]);
  await rig.append(["more"], { shard: 1 });
  assert.deepEqual(rig.read().sort(), ["a", "c", "idle", "more", "other"]);
});
