import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { ArenaOwner, ArenaWriter, arenaLanes } from "../../src/shard/arena.ts";
import { slabBytes } from "../../src/shard/limits.ts";

test("a batch is read by the owner where a writer put it", () => {
  const owner = new ArenaOwner(2 * slabBytes);
  const writer = new ArenaWriter(owner.buffers, 0);
  writer.reserve(100);
  writer.commit(13);
  const second = writer.reserve(5);
  assert.equal(second?.offset, 16);
  second.view.set([1, 2, 3, 4, 5]);
  writer.commit(5);
  assert.deepEqual([...owner.view(16, 5)], [1, 2, 3, 4, 5]);
});

test("a slab is freed when it is closed and its last reference released, in either order", () => {
  const owner = new ArenaOwner(2 * slabBytes);
  const writer = new ArenaWriter(owner.buffers, 3);
  for (const closesFirst of [true, false]) {
    const at = writer.reserve(slabBytes)?.offset;
    assert.ok(at !== undefined);
    writer.commit(slabBytes);
    owner.retain(at, slabBytes);
    owner.retain(at, slabBytes);
    writer.close();
    if (closesFirst) owner.closed(writer.takeClosed());
    owner.release(at, slabBytes);
    assert.equal(owner.usedBytes, slabBytes);
    owner.release(at, slabBytes);
    if (!closesFirst) owner.closed(writer.takeClosed());
    assert.equal(owner.usedBytes, 0);
    assert.equal(owner.liveBytes, 0);
  }
});

test("a full arena refuses, and serves again from the lowest slab that was freed", () => {
  const owner = new ArenaOwner(2 * slabBytes);
  const writer = new ArenaWriter(owner.buffers, 0);
  for (let slab = 0; slab < 2; slab++) {
    assert.equal(writer.reserve(slabBytes)?.offset, slab * slabBytes);
    writer.commit(slabBytes);
  }
  assert.equal(writer.reserve(1), undefined);
  assert.deepEqual(writer.takeClosed(), [0]);
  owner.closed([0]);
  assert.equal(writer.reserve(1)?.offset, 0);
});

test("a shard's slabs are freed when it is sealed, whatever others hold; a full arena mixes them", () => {
  const owner = new ArenaOwner(4 * slabBytes);
  const writer = new ArenaWriter(owner.buffers, 0, 2);
  const half = slabBytes / 2;
  const put = (shard: number) => {
    const room = writer.reserve(half, shard);
    writer.commit(half);
    return room?.offset ?? -1;
  };
  const placed = [0, 1, 0, 1, 0, 1].map((shard) => {
    const offset = put(shard);
    owner.retain(offset, half);
    return { shard, offset };
  });
  owner.closed(writer.takeClosed());
  assert.equal(owner.usedBytes, 4 * slabBytes);
  assert.equal(writer.reserve(slabBytes, 0), undefined);
  for (const { shard, offset } of placed) if (shard === 0) owner.release(offset, half);
  // Its first slab; the one being filled stays.
  assert.equal(owner.usedBytes, 3 * slabBytes);
  const last = [put(0), put(0), put(0)].map((offset) => Math.floor(offset / slabBytes));
  // Its own slab and the one that was freed are full by then: what is left is in the other shard's.
  assert.equal(new Set(last).size, 2);
  assert.notEqual(put(0), -1);
  assert.equal(writer.reserve(half, 0), undefined);
});

test("workers have a lane for each shard while that leaves room for a large request", () => {
  assert.equal(arenaLanes(40 * slabBytes, 2, 4), 4);
  assert.equal(arenaLanes(24 * slabBytes, 2, 4), 2);
  assert.equal(arenaLanes(24 * slabBytes, 2, 1), 1);
  assert.equal(arenaLanes(8 * slabBytes, 2, 32), 1);
  assert.equal(arenaLanes(24 * slabBytes, 64, 4), 1);
});

test("the slabs of a writer that died are freed once nothing refers to them", () => {
  const owner = new ArenaOwner(2 * slabBytes);
  new ArenaWriter(owner.buffers, 0).reserve(8);
  const dead = new ArenaWriter(owner.buffers, 1);
  const at = dead.reserve(8)?.offset ?? -1;
  owner.retain(at, 8);
  owner.writerGone(1);
  assert.equal(owner.usedBytes, 2 * slabBytes);
  owner.release(at, 8);
  assert.equal(owner.usedBytes, slabBytes);
});

test("writers in several threads never claim one slab twice", async () => {
  const owner = new ArenaOwner(32 * slabBytes);
  const arenaUrl = new URL("../../src/shard/arena.ts", import.meta.url).href;
  const source = `
    import { parentPort, workerData } from "node:worker_threads";
    import { ArenaWriter } from ${JSON.stringify(arenaUrl)};
    const writer = new ArenaWriter(workerData.buffers, workerData.writer);
    const offsets = [];
    for (let at = writer.reserve(${slabBytes}); at; at = writer.reserve(${slabBytes})) {
      offsets.push(at.offset);
      writer.commit(${slabBytes});
    }
    parentPort.postMessage(offsets);`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const claimed = await Promise.all(
    [0, 1, 2].map(async (writer) => {
      const worker = new Worker(url, { workerData: { buffers: owner.buffers, writer } });
      const [offsets] = (await once(worker, "message")) as [number[]];
      return offsets;
    }),
  );
  const all = claimed.flat().sort((a, b) => a - b);
  assert.deepEqual(
    all,
    Array.from({ length: 32 }, (_, slab) => slab * slabBytes),
  );
});
