import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { silentLogger } from "../../../kit/src/logger.ts";
import { nodeDisk } from "../../src/log/disk.ts";
import { SegmentRepair } from "../../src/replication/repair.ts";
import { DamageList } from "../../src/shard/damage-list.ts";
import type { LiveSegment } from "../../src/shard/segment-set.ts";
import { closeAfter, temp } from "../log/temp.ts";
import { type Node, Nodes, until } from "./nodes.ts";

const always = {
  from: { ms: Number.NEGATIVE_INFINITY, ns: 0 },
  to: { ms: Number.POSITIVE_INFINITY, ns: 0 },
};

/** An owner with a sealed segment, and where that lies. */
async function sealed(t: TestContext): Promise<{ owner: Node; path: string; uuid: string }> {
  const nodes = new Nodes(temp(t));
  closeAfter(t, () => nodes.closeAll());
  await nodes.found([1, 2]);
  const both = await Promise.all([nodes.start(1), nodes.start(2)]);
  await until("one serves", () => both.some(({ isServing }) => isServing));
  const owner = both.find(({ isServing }) => isServing)!;
  await owner.append(["a", "b"]);
  await owner.store.seal();
  const cut = await owner.store.cut("default", always);
  const { ref } = cut.parts[0]!;
  cut.release();
  assert.ok(ref.kind === "segment");
  return { owner, path: ref.path, uuid: ref.uuid };
}

test("a damaged block is set aside, then there again, from the other replica", async (t) => {
  const { owner, path, uuid } = await sealed(t);
  const whole = readFileSync(path);
  writeFileSync(path, Buffer.from(whole).fill(1, 0, 1));
  owner.store.reportDamage({ shard: 0, uuid, block: 0, reason: "checksum differs" });
  assert.equal(await owner.read(), undefined);
  await until("it is repaired", async () => (await owner.read()) !== undefined);
  assert.deepEqual(await owner.read(), ["a", "b"]);
  assert.deepEqual(readFileSync(path), whole);
  assert.deepEqual(owner.store.status().damagedBlocks, []);
});

test("a segment that is lost as a whole comes back from the other replica", async (t) => {
  const { owner, path, uuid } = await sealed(t);
  rmSync(path);
  owner.store.reportDamage({ shard: 0, uuid, block: undefined, reason: "the file is not there" });
  await until("it is repaired", async () => (await owner.read()) !== undefined);
  assert.deepEqual(await owner.read(), ["a", "b"]);
});

test("damage that is told while a repair ends is repaired too", async (t) => {
  const found = { shard: 0, uuid: "a", block: 0, reason: "checksum differs" };
  const segment = {
    entry: { uuid: found.uuid, file: "1-a", bytes: 10 },
    ...{ damagedBlocks: new Set([found.block]), isLost: false },
  } as unknown as LiveSegment;
  let renewals = 0;
  let isLate = true;
  let isDone = false;
  const disk = {
    ...nodeDisk,
    // The list is being written: the file is whole again, and the repair is not over.
    async fsync(fd: number) {
      if (isLate && renewals > 0) {
        isLate = false;
        segment.damagedBlocks.add(found.block);
        repair.begin(shard, segment);
      }
      await nodeDisk.fsync(fd);
    },
  };
  const damage = DamageList.open(disk, temp(t));
  await damage.add(found);
  const logger = {
    ...silentLogger,
    info() {
      isDone = true;
    },
  };
  const repair = new SegmentRepair(damage, logger);
  const shard = {
    ...{ shard: 0, others: () => ["2/disk"], isLive: () => true },
    held: { renew: async () => void renewals++ },
  };
  repair.begin(shard, segment);
  await until("it is repaired", () => isDone);
  assert.deepEqual([...segment.damagedBlocks], []);
  assert.equal(renewals, 2);
});
