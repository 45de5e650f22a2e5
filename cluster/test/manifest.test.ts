import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { aclOpen } from "../../coordinator/src/client/acl.ts";
import { Prng } from "../../kit/src/prng.ts";
import type { SegmentEntry } from "../../storage/src/shard/manifest.ts";
import type { Cluster, ClusterOptions } from "../src/cluster.ts";
import { ZnodeFolds } from "../src/folds.ts";
import { entriesMax } from "../src/limits.ts";
import { paths } from "../src/paths.ts";
import { acquire, expiringMs, Given, segment, until } from "./given.ts";

const shards = 4_096;
let given: Given;
let count = 0;
let opened: Cluster[] = [];

before(async () => {
  given = await Given.open();
});

afterEach(async () => {
  for (const cluster of opened) await cluster.close();
  opened = [];
});

after(() => given.close());

interface Owner {
  readonly cluster: Cluster;
  readonly shard: number;
  readonly epoch: number;
}

/** One whose session expires when its connection is down for long. */
function expiringOwner(connect: string): Promise<Owner> {
  return owner(connect, undefined, undefined, { sessionTimeoutMs: expiringMs });
}

/** An owner of a shard that no other test uses; the cluster has so many shards that entries fold soon. */
async function owner(
  connect = given.connect,
  shard = count++,
  foldDirectory = join(given.directory, "folds"),
  more: Partial<ClusterOptions> = {},
): Promise<Owner> {
  const cluster = await given.cluster({ connect, shards, foldDirectory, ...more });
  opened.push(cluster);
  const [epoch] = await acquire(cluster, [shard]);
  return { cluster, shard, epoch: epoch as number };
}

function seal({ shard, epoch }: Owner, segments: readonly SegmentEntry[], position: number) {
  const sealedThrough = { epoch, position };
  return { shard, epoch, sealedThrough, checkpoint: `checkpoint-${position}`, segments };
}

test("a shard without seals has an empty manifest", async () => {
  const { cluster, shard } = await owner();
  assert.deepEqual(await cluster.manifest.load(shard), {
    generation: 0,
    sealedThrough: { epoch: 0, position: 0 },
    checkpoint: undefined,
    segments: [],
  });
});

test("seals, merges and drops are read as they were committed", async () => {
  const own = await owner();
  const { cluster, shard, epoch } = own;
  const { manifest } = cluster;
  const [a, b, c] = [segment(epoch, 1, 5), segment(epoch, 1, 5), segment(epoch, 6, 9)];
  assert.deepEqual(await manifest.commitSeal(seal(own, [a, b], 5)), committed(1));
  assert.deepEqual(await manifest.commitSeal(seal(own, [c], 9)), committed(2));
  const merged = { ...segment(epoch, 1, 9), level: 1, replaces: [a.uuid, c.uuid] };
  const merge = { shard, epoch, inputs: [a.uuid, c.uuid], output: merged };
  assert.deepEqual(await manifest.commitMerge(merge), committed(3));
  assert.deepEqual(await manifest.commitDrop({ shard, epoch, uuids: [b.uuid] }), committed(4));
  const other = await given.cluster({ shards });
  opened.push(other);
  assert.deepEqual(await other.manifest.load(shard), {
    generation: 4,
    sealedThrough: { epoch, position: 9 },
    checkpoint: "checkpoint-9",
    segments: [merged],
  });
});

test("any node may look at what is sealed, and a shard that was not made has nothing", async () => {
  const own = await owner();
  const sealed = segment(own.epoch, 1, 5);
  await own.cluster.manifest.commitSeal(seal(own, [sealed], 5));
  const identity = { nodeId: 2, diskId: "disk-2", incarnation: "another" };
  const other = await given.cluster({ shards, identity });
  opened.push(other);
  assert.deepEqual((await other.manifest.look(own.shard))?.segments, [sealed]);
  assert.equal(await other.manifest.look(shards - 1), undefined);
});

test("a deposed owner commits nothing and is told the epoch", async () => {
  const old = await owner();
  const heir = await owner(given.connect, old.shard);
  const outcome = await old.cluster.manifest.commitSeal(seal(old, [segment(1, 1, 2)], 2));
  assert.deepEqual(outcome, { kind: "deposed", epoch: heir.epoch });
  assert.deepEqual((await heir.cluster.manifest.load(old.shard)).segments, []);
});

test("a commit whose answer was lost is known by its segment, and made once", async () => {
  const proxy = await given.proxy();
  const own = await owner(proxy.address + given.server.chroot);
  const direct = given.direct();
  const first = segment(own.epoch, 1, 5);
  await own.cluster.manifest.load(own.shard);
  proxy.hold();
  const outcome = own.cluster.manifest.commitSeal(seal(own, [first], 5));
  const directory = paths.shardSegments(own.shard);
  await until(async () => (await direct.getChildren(directory)).children.length > 0);
  proxy.cut("up");
  proxy.up();
  assert.deepEqual(await outcome, committed(1));
  assert.equal((await direct.getChildren(directory)).children.length, 1);
});

test("a commit waits for the coordinator, and survives the expiry of its session", async () => {
  const proxy = await given.proxy();
  const own = await expiringOwner(proxy.address + given.server.chroot);
  const direct = given.direct();
  proxy.cut("down");
  const outcome = own.cluster.manifest.commitSeal(seal(own, [segment(1, 1, 5)], 5));
  await until(async () => (await direct.exists(paths.shardOwner(own.shard))) === null);
  proxy.up();
  assert.deepEqual(await outcome, committed(1));
});

test("a change of the set by this owner does not stand in the way", async () => {
  const own = await owner();
  const path = paths.shard(own.shard);
  const { data } = await own.cluster.client.getData(path);
  await own.cluster.client.setData(path, data);
  const outcome = await own.cluster.manifest.commitSeal(seal(own, [segment(1, 1, 5)], 5));
  assert.deepEqual(outcome, committed(1));
});

test("a closed cluster leaves a commit's outcome open", async () => {
  const proxy = await given.proxy();
  const own = await expiringOwner(proxy.address + given.server.chroot);
  proxy.cut("down");
  const outcome = own.cluster.manifest.commitSeal(seal(own, [segment(1, 1, 5)], 5));
  const rejected = assert.rejects(outcome, { code: "coordinator.unavailable" });
  await own.cluster.close();
  await rejected;
});

test("entries fold above the limit, where any owner finds them, and merge and drop from there", async () => {
  const own = await owner();
  const { cluster, shard, epoch } = own;
  const limit = entriesMax(shards);
  const all: SegmentEntry[] = [];
  for (let position = 1; position <= limit + 1; position++) {
    all.push(segment(epoch, position, position));
    await cluster.manifest.commitSeal(seal(own, all.slice(-1), position));
  }
  const directory = paths.shardSegments(shard);
  assert.deepEqual((await cluster.client.getChildren(directory)).children, []);
  const before = await cluster.manifest.load(shard);
  assert.deepEqual(before.segments, all);
  assert.equal(before.generation, limit + 1, "folding is no change");

  const [a, b, c, ...rest] = all as [SegmentEntry, SegmentEntry, SegmentEntry];
  const output = { ...segment(epoch, 1, 2), level: 1, replaces: [a.uuid, b.uuid] };
  await cluster.manifest.commitMerge({ shard, epoch, inputs: [a.uuid, b.uuid], output });
  await cluster.manifest.commitDrop({ shard, epoch, uuids: [c.uuid] });
  // Of another node, with a disk of its own.
  const heir = await owner(given.connect, shard, join(given.directory, "others-folds"));
  assert.deepEqual((await heir.cluster.manifest.load(shard)).segments, [...rest, output]);
  const folds = await cluster.client.getChildren(paths.shardFolds(shard));
  assert.equal(folds.children.length, 1, "folds that nothing names are gone");
});

test("a fold of many entries lies in several znodes, and one that lacks a piece is none", async () => {
  const { cluster, shard, epoch } = await owner();
  const folds = new ZnodeFolds(cluster.client, aclOpen);
  const entries = Array.from({ length: 3000 }, (_, i) => segment(epoch, i, i));
  await folds.write(shard, "1-a", entries);
  assert.deepEqual(await folds.read(shard, "1-a"), entries);
  const directory = paths.shardFolds(shard);
  const { children } = await cluster.client.getChildren(directory);
  assert.ok(children.length > 1);
  await cluster.client.delete(`${directory}/${children[0]}`);
  assert.equal(await folds.read(shard, "1-a"), undefined);
  await assert.rejects(folds.keepOnly(shard, null, 4711), { code: "BADVERSION" });
  const version = (await cluster.client.exists(paths.shard(shard)))?.version as number;
  await folds.keepOnly(shard, null, version);
  assert.deepEqual((await cluster.client.getChildren(directory)).children, []);
});

test("a fold in a file of an earlier release is read, and is in znodes from then on", async () => {
  const own = await owner();
  const { cluster, shard, epoch } = own;
  const all = [segment(epoch, 1, 1), segment(epoch, 2, 2)];
  const body = all.map((entry) => `${JSON.stringify(entry)}\n`).join("");
  const directory = join(given.directory, "folds", String(shard));
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "1-kept"), `${hash("sha256", body)}\n${body}`);
  const sealedThrough = { epoch, position: 2 };
  const state = { generation: 2, sealedThrough, checkpoint: "c", folded: "1-kept" };
  await cluster.client.setData(paths.shardSegments(shard), Buffer.from(JSON.stringify(state)));
  const next = await owner(given.connect, shard);
  assert.deepEqual((await next.cluster.manifest.load(shard)).segments, all);
  assert.deepEqual(await readdir(directory), []);
  const heir = await owner(given.connect, shard, join(given.directory, "others-folds"));
  assert.deepEqual((await heir.cluster.manifest.load(shard)).segments, all);
});

test("random changes leave what a list of them says", async () => {
  const own = await owner();
  const { cluster, shard, epoch } = own;
  const prng = new Prng(7);
  const model = new Map<string, SegmentEntry>();
  let position = 0;
  const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 60);
  for (let round = 0; round < rounds; round++) {
    const uuids = [...model.keys()];
    if (uuids.length < 2 || prng.chance(0.6)) {
      const made = Array.from({ length: prng.below(3) }, () =>
        segment(epoch, position + 1, position + 4),
      );
      position += 4;
      await cluster.manifest.commitSeal(seal(own, made, position));
      for (const entry of made) model.set(entry.uuid, entry);
    } else if (prng.chance(0.7)) {
      const inputs = uuids.slice(0, 2);
      const output = { ...segment(epoch, 1, position), replaces: inputs };
      await cluster.manifest.commitMerge({ shard, epoch, inputs, output });
      for (const uuid of inputs) model.delete(uuid);
      model.set(output.uuid, output);
    } else {
      const dropped = [prng.pick(uuids)];
      await cluster.manifest.commitDrop({ shard, epoch, uuids: dropped });
      for (const uuid of dropped) model.delete(uuid);
    }
  }
  const { segments, sealedThrough } = await cluster.manifest.load(shard);
  assert.equal(sealedThrough.position, position);
  assert.deepEqual(new Map(segments.map((entry) => [entry.uuid, entry])), model);
});

function committed(generation: number) {
  return { kind: "committed", generation } as const;
}
