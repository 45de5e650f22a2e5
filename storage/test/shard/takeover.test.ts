import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Disk, nodeDisk } from "../../src/log/disk.ts";
import { headerDecode } from "../../src/log/entry.ts";
import { headDecode } from "../../src/log/log-file.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { openRig } from "./rig.ts";

test("a shard that another replica owns is refused and named, its neighbours serve", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["a"]);
  rig.coordinator.depose(0, "2/other-disk/9");
  await rig.close();
  rig = await openRig(directory);
  closeAfter(t, () => rig.close());
  await assert.rejects(rig.append(["b"]), { code: "ingest.unavailable" });
  await rig.append(["c"], { shard: 1 });
  const [first, second] = rig.store.status().shards;
  assert.deepEqual([first?.state, first?.owner], ["foreign", "2/other-disk/9"]);
  assert.deepEqual([second?.state, second?.owner], ["serving", rig.coordinator.self]);
});

test("appends wait while a lost shard is acquired anew, and then have the new epoch", async (t) => {
  const rig = await openRig(temp(t));
  closeAfter(t, () => rig.close());
  await rig.append(["a"]);
  const before = rig.store.status().shards[0]!.epoch;
  const inFlight = rig.append(["b"]);
  rig.coordinator.lose([0, 1, 2]);
  await new Promise((resolve) => setImmediate(resolve));
  const during = rig.append(["c"]);
  await Promise.all([inFlight, during]);
  assert.deepEqual(rig.read(), ["a", "b", "c"]);
  const after = rig.store.status().shards[0]!;
  assert.equal(after.committed.epoch, before + 1);
  await rig.store.seal();
  assert.deepEqual(rig.store.status().shards[0]?.sealedThrough, after.committed);
});

test("a seal of a deposed owner changes nothing, and the shard's records stay", async (t) => {
  const rig = await openRig(temp(t));
  closeAfter(t, () => rig.close());
  await rig.append(["a"]);
  rig.coordinator.beforeCommit = () => {
    rig.coordinator.beforeCommit = () => undefined;
    // By itself, as after a session that expired while the seal was written.
    rig.coordinator.depose(0, rig.coordinator.self);
  };
  await rig.store.seal();
  const directory = join(rig.data.path, "storage/shard-0000");
  assert.deepEqual(readdirSync(directory), []);
  assert.deepEqual(rig.read(), ["a"]);
  await rig.append(["b"]);
  await rig.store.seal();
  assert.equal(rig.store.status().shards[0]?.segmentRows, 2);
  assert.deepEqual(rig.read(), ["a", "b"]);
});

test("an injected fdatasync error gives up all shards: what waits is told, committed records stay readable", async (t) => {
  let isFailing = false;
  const disk: Disk = {
    ...nodeDisk,
    fdatasync: async (fd) => {
      if (isFailing) throw Object.assign(new Error("injected"), { code: "EIO" });
      await nodeDisk.fdatasync(fd);
    },
  };
  const rig = await openRig(temp(t), { disk });
  closeAfter(t, () => rig.close());
  await rig.append(["a"]);
  isFailing = true;
  await assert.rejects(rig.append(["b"]), { code: "storage.failed" });
  isFailing = false;
  await assert.rejects(rig.append(["c"], { shard: 1 }), { code: "storage.failed" });
  assert.equal(rig.store.pressure()?.code, "storage.failed");
  assert.deepEqual(rig.read(), ["a"]);
  assert.ok(rig.store.status().shards.every(({ state }) => state === "stopped"));
  assert.equal(rig.arena.liveBytes, rig.store.status().shards[0]?.memoryBytes);
});

test("a disk injected as full answers 503 and serves again by itself when there is room", async (t) => {
  let isFull = false;
  const disk: Disk = {
    ...nodeDisk,
    write: async (fd, bytes, position) => {
      if (isFull) throw Object.assign(new Error("injected"), { code: "ENOSPC" });
      await nodeDisk.write(fd, bytes, position);
    },
  };
  const rig = await openRig(temp(t), { disk, logFileBytes: 64 * 1024 });
  closeAfter(t, () => rig.close());
  isFull = true;
  let stored = 0;
  const fill = async (): Promise<void> => {
    for (;;) {
      await rig.append([`${stored}`.padEnd(20_000)]);
      stored++;
    }
  };
  await assert.rejects(fill(), { code: "storage.full" });
  const atFull = stored;
  assert.equal(rig.read().length, atFull);
  isFull = false;
  const deadline = Date.now() + 60_000;
  while (stored === atFull && Date.now() < deadline) {
    const again = rig.append(["after"]).then(() => stored++);
    await again.catch(() => new Promise((resolve) => setTimeout(resolve, 50)));
  }
  assert.equal(rig.read().at(-1), "after");
});

test("damage in one shard's unsealed entries stops that shard alone, naming file and offset", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["good"], { shard: 1 });
  await rig.append(["will rot"], { shard: 2 });
  await rig.append(["good too"], { shard: 1 });
  await rig.close();
  const file = join(directory, "storage/log/log-000000000001");
  const bytes = readFileSync(file);
  bytes[bytes.indexOf("will rot")]! ^= 1;
  writeFileSync(file, bytes);
  rig = await openRig(directory);
  closeAfter(t, () => rig.close());
  assert.deepEqual(rig.read(), ["good", "good too"]);
  const stopped = rig.append(["x"], { shard: 2 });
  await assert.rejects(stopped, (error: { code: string; fields: Record<string, unknown> }) => {
    assert.equal(error.code, "storage.damaged");
    assert.equal(error.fields["file"], "log-000000000001");
    const { fileId } = headDecode(bytes)!;
    const header = headerDecode(bytes, Number(error.fields["offset"]), fileId)?.header;
    assert.deepEqual([header?.shard, header?.position], [2, 2]);
    return true;
  });
  assert.deepEqual(
    rig.store.status().shards.map(({ state }) => state),
    ["serving", "serving", "stopped"],
  );
});

test("a log that lost what was committed stops its shards, unless segments hold it", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["sealed"]);
  await rig.store.seal();
  await rig.append(["lost"], { shard: 1 });
  await rig.close();
  rmSync(join(directory, "storage/log"), { recursive: true });
  rig = await openRig(directory);
  closeAfter(t, () => rig.close());
  assert.deepEqual(rig.read(), ["sealed"]);
  await rig.append(["goes on"]);
  await assert.rejects(rig.append(["x"], { shard: 1 }), { code: "storage.damaged" });
  assert.deepEqual(rig.read(), ["sealed", "goes on"]);
});

test("a lost segment file is named in cuts and status, the rest is served", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["a"]);
  await rig.store.seal();
  await rig.append(["b"]);
  await rig.store.seal();
  await rig.close();
  const shard = join(directory, "storage/shard-0000");
  const [segment] = readdirSync(shard).filter((name) => !name.startsWith("checkpoint"));
  rmSync(join(shard, String(segment)));
  rig = await openRig(directory);
  closeAfter(t, () => rig.close());
  const lost = rig.store.status().shards[0]?.lostSegments;
  assert.deepEqual(lost, [String(segment).slice(2)]);
  assert.equal(rig.read().length, 1);
  const cut = rig.store.openCut("default", {
    from: { ms: 0, ns: 0 },
    to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 },
  });
  assert.deepEqual(cut.missing, [`shard 0 segment ${lost?.[0]}`]);
  cut.release();
});

test("a store that settled before it closed leaves no log, and starts from its segments, lost ones named", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["a"]);
  await rig.store.seal();
  await rig.append(["b"]);
  await rig.append(["c"], { shard: 1 });
  await rig.store.settle();
  await rig.close();
  assert.deepEqual(readdirSync(join(directory, "storage/log")), []);
  rig = await openRig(directory);
  assert.deepEqual(rig.read(), ["a", "b", "c"]);
  assert.deepEqual(await rig.append(["d"], { shard: 1 }), { kind: "committed", position: 4 });
  await rig.store.settle();
  await rig.close();

  const shard = join(directory, "storage/shard-0001");
  for (const name of readdirSync(shard)) {
    if (!name.startsWith("checkpoint")) rmSync(join(shard, name));
  }
  rig = await openRig(directory);
  closeAfter(t, () => rig.close());
  assert.deepEqual(rig.read(), ["a", "b"]);
  assert.equal(rig.store.status().shards[1]?.lostSegments.length, 2);
});

test("a store that closed with records in memory keeps the log that has them, without spare files", async (t) => {
  const directory = temp(t);
  let rig = await openRig(directory);
  await rig.append(["a"]);
  assert.equal(readdirSync(join(directory, "storage/log")).length, 2);
  await rig.close();
  assert.equal(readdirSync(join(directory, "storage/log")).length, 1);
  rig = await openRig(directory);
  closeAfter(t, () => rig.close());
  assert.deepEqual(rig.read(), ["a"]);
});
