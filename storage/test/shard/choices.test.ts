import assert from "node:assert/strict";
import { test } from "node:test";
import { partitionsMax } from "../../src/shard/limits.ts";
import type { SegmentEntry, SegmentPartition } from "../../src/shard/manifest.ts";
import type { MemoryBatch } from "../../src/shard/memtable.ts";
import { chooseMerge } from "../../src/shard/merge-choice.ts";
import { sealGroups } from "../../src/shard/partitions.ts";
import { chooseDrops } from "../../src/shard/retention.ts";

const dayMs = 24 * 60 * 60 * 1000;
const now = 1_000 * dayMs;

function partition(over: Partial<SegmentPartition> = {}): SegmentPartition {
  const time = { ms: now, ns: 0 };
  return {
    ...{ tenant: "default", class: "default", internal: false, rows: 10 },
    ...{ timeMin: time, timeMax: time, receiptMsMax: now },
    ...over,
  };
}

function segment(
  name: string,
  bytes: number,
  partitions: readonly SegmentPartition[] = [partition()],
): SegmentEntry {
  const position = Number(name.replaceAll(/\D/g, "")) || 1;
  return {
    ...{ uuid: name, file: name, epoch: 1, positionFrom: position, positionThrough: position },
    ...{ rows: 10, bytes, level: 0, replaces: [], partitions },
  };
}

const mergeLimits = { mergeWidth: 3, mergeBytesMax: 64 << 20, receiptSpanMsMax: dayMs };
const kib = 1024;
const mib = 1024 * kib;

const merges: readonly {
  readonly name: string;
  readonly segments: readonly SegmentEntry[];
  readonly chosen: readonly string[] | undefined;
}[] = [
  { name: "too few", segments: [segment("1", kib), segment("2", kib)], chosen: undefined },
  {
    name: "enough of one size, oldest first",
    segments: [segment("3", kib), segment("1", 2 * kib), segment("2", 3 * kib)],
    chosen: ["1", "2", "3"],
  },
  {
    name: "a large one among small ones stays",
    segments: [segment("1", 30 * mib), ...["2", "3", "4"].map((name) => segment(name, kib))],
    chosen: ["2", "3", "4"],
  },
  {
    name: "nothing beyond the largest size",
    segments: ["1", "2", "3", "4"].map((name) => segment(name, 30 * mib)),
    chosen: undefined,
  },
  {
    name: "what was received days apart stays apart",
    segments: ["1", "2", "3"].map((name, i) =>
      segment(name, kib, [partition({ receiptMsMax: now + i * 2 * dayMs })]),
    ),
    chosen: undefined,
  },
  {
    name: "classes with files of their own keep them",
    segments: ["1", "2", "3", "4", "5"].map((name, i) =>
      segment(name, kib, [partition({ class: i % 2 === 0 ? "short" : "default" })]),
    ),
    chosen: ["1", "3", "5"],
  },
  {
    name: "more partitions than an entry holds stay apart",
    segments: ["1", "2", "3"].map((name) =>
      segment(
        name,
        kib,
        Array.from({ length: partitionsMax / 2 }, (_, i) => partition({ tenant: `${name}/${i}` })),
      ),
    ),
    chosen: undefined,
  },
];

for (const { name, segments, chosen } of merges) {
  test(`merge choice: ${name}`, () => {
    const found = chooseMerge(segments, mergeLimits)?.map(({ uuid }) => uuid);
    assert.deepEqual(found, chosen);
  });
}

const days = (n: number) => ({ timeMax: { ms: now + n * dayMs, ns: 0 } });
const received = (n: number) => ({ receiptMsMax: now + n * dayMs });
const drops: readonly {
  readonly name: string;
  readonly partitions: readonly SegmentPartition[];
  readonly isDropped: boolean;
}[] = [
  { name: "in time", partitions: [partition({ ...days(-6), ...received(-6) })], isDropped: false },
  {
    name: "past its time",
    partitions: [partition({ ...days(-7), ...received(-7) })],
    isDropped: true,
  },
  {
    name: "one partition past, one in time",
    partitions: [
      partition({ ...days(-9), ...received(-9) }),
      partition({ ...days(-1), ...received(-1) }),
    ],
    isDropped: false,
  },
  { name: "old when it came, today", partitions: [partition(days(-900))], isDropped: false },
  {
    name: "old when it came, yesterday",
    partitions: [partition({ ...days(-900), ...received(-1) })],
    isDropped: true,
  },
  {
    name: "from the far future, received long ago",
    partitions: [partition({ ...days(90_000), ...received(-8) })],
    isDropped: true,
  },
  {
    name: "a class that is kept longer",
    partitions: [partition({ class: "long", ...days(-29), ...received(-29) })],
    isDropped: false,
  },
];
const retentionMs = (name: string): number => (name === "long" ? 30 : 7) * dayMs;

for (const { name, partitions, isDropped } of drops) {
  test(`retention by time: ${name}`, () => {
    const limits = { retentionMs, bytesMax: Number.POSITIVE_INFINITY };
    const dropped = chooseDrops([{ shard: 0, entry: segment("1", 1, partitions) }], limits, now);
    assert.equal(dropped.length === 1, isDropped);
  });
}

test("retention by bytes takes the oldest, of tenants above their share first", () => {
  const of = (name: string, tenant: string, ageDays: number, bytes: number) => ({
    shard: 0,
    entry: segment(name, bytes, [partition({ tenant, ...days(-ageDays), ...received(-ageDays) })]),
  });
  const segments = [
    of("1", "small", 6, 10),
    of("2", "large", 3, 40),
    of("3", "large", 2, 40),
    of("4", "large", 1, 40),
  ];
  const dropped = (bytesMax: number) =>
    chooseDrops(segments, { retentionMs, bytesMax }, now).map(({ entry }) => entry.uuid);
  assert.deepEqual(dropped(130), []);
  assert.deepEqual(dropped(129), ["2"]);
  assert.deepEqual(dropped(60), ["2", "3"]);
  assert.deepEqual(dropped(5), ["1", "2", "3", "4"]);
});

test("batches are sealed in a file for each class, and few enough partitions a file", () => {
  const time = { ms: 0, ns: 0 };
  const batch = (position: number, over: Partial<MemoryBatch>): MemoryBatch => ({
    ...{ shard: 0, epoch: 1, position, receiptMs: position, offset: 0, length: 100, rows: 2 },
    ...{ timeMin: time, timeMax: { ms: position, ns: 0 } },
    ...{ tenant: "default", class: "default", internal: false },
    ...over,
  });
  const groups = sealGroups([
    batch(1, { length: mib }),
    batch(2, { class: "short" }),
    batch(3, { class: "_rejected", internal: true }),
    batch(4, {}),
    batch(5, { class: "shorter" }),
  ]);
  const positions = groups.map(({ batches }) => batches.map(({ position }) => position));
  assert.deepEqual(positions, [[1, 4], [2], [3], [5]]);
  assert.deepEqual(groups[0]?.partitions, [
    partition({ rows: 4, timeMin: time, timeMax: { ms: 4, ns: 0 }, receiptMsMax: 4 }),
  ]);
  const tenants = Array.from({ length: 2 * partitionsMax + 1 }, (_, i) =>
    batch(i, { tenant: `${i}` }),
  );
  const many = sealGroups([...tenants, ...tenants]);
  assert.deepEqual(
    many.map(({ partitions }) => partitions.length),
    [partitionsMax, partitionsMax, 1],
  );
  assert.equal(
    many.reduce((sum, { rows }) => sum + rows, 0),
    4 * tenants.length,
  );
});
