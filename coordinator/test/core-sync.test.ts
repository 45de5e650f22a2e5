// How a leader tells from a learner's last zxid what that learner keeps, and what a log knows of itself.
import assert from "node:assert/strict";
import test from "node:test";

import { LogTail } from "../src/core/log-tail.ts";
import { type SyncPlan, syncPlan } from "../src/core/sync-plan.ts";
import { zxidOf } from "../src/core/zxid.ts";

/** A log as `1:1 1:2 3:1`. */
function logOf(text: string, recentMax = 100, recentBytesMax = 1000): LogTail<string> {
  const recent = text.split(" ").map((name) => ({ zxid: zxid(name), body: name }));
  const bounds = { recentMax, recentBytesMax, sizeOf: (body: string) => body.length };
  return new LogTail<string>(recent.at(-1)?.zxid ?? 0, { recent, floor: 0 }, bounds);
}

function zxid(name: string): number {
  const [epoch, counter] = name.split(":").map(Number);
  return zxidOf(epoch ?? 0, counter ?? 0);
}

const history = "1:4 1:5 1:6 3:1 3:2 4:1";
const cases: {
  readonly what: string;
  readonly last: string;
  readonly through?: string;
  readonly plan: SyncPlan;
}[] = [
  { what: "who has all gets nothing", last: "4:1", plan: { kind: "diff", after: zxid("4:1") } },
  {
    what: "who is behind gets what follows",
    last: "1:6",
    plan: { kind: "diff", after: zxid("1:6") },
  },
  {
    what: "the oldest known txn is where txns can still follow",
    last: "1:4",
    plan: { kind: "diff", after: zxid("1:4") },
  },
  {
    what: "who is further behind gets a snapshot",
    last: "1:3",
    plan: { kind: "snap", after: zxid("4:1") },
  },
  {
    what: "who has nothing gets a snapshot",
    last: "0:0",
    plan: { kind: "snap", after: zxid("4:1") },
  },
  {
    what: "txns that a dead leader proposed to nobody else go",
    last: "1:9",
    plan: { kind: "trunc", zxid: zxid("1:6"), after: zxid("1:6") },
  },
  {
    what: "txns beyond the end go",
    last: "4:7",
    plan: { kind: "trunc", zxid: zxid("4:1"), after: zxid("4:1") },
  },
  {
    what: "a snapshot of an epoch that never served cannot be cut, so another takes its place",
    last: "2:0",
    plan: { kind: "snap", after: zxid("4:1") },
  },
  {
    what: "who may have committed txns only loses those that are not",
    last: "3:2",
    through: "3:1",
    plan: { kind: "trunc", zxid: zxid("3:1"), after: zxid("3:1") },
  },
];

for (const { what, last, through = "4:1", plan } of cases) {
  test(`a learner at ${last}: ${what}`, () => {
    assert.deepEqual(syncPlan(logOf(history), zxid(last), zxid(through)), plan);
  });
}

test("a log takes only what may stand next", () => {
  const log = logOf("1:1 1:2");
  const isNext = (name: string) => log.isNext(zxid(name));
  assert.deepEqual(["1:2", "1:3", "1:4", "2:0", "2:1", "2:2", "0:3"].map(isNext), [
    false,
    true,
    false,
    false,
    true,
    false,
    false,
  ]);
  assert.throws(() => log.append({ zxid: zxid("1:4"), body: "gap" }), /skips no txn/);
});

test("txns that are not applied are kept, however few applied ones are", () => {
  const log = logOf("1:1", 2);
  for (let i = 2; i <= 11; i++) log.append({ zxid: zxid(`1:${i}`), body: `${i}` });
  assert.equal(log.take(zxid("1:8")).length, 7);
  assert.equal(log.between(zxid("1:8"), log.last).length, 3);
  assert(log.has(zxid("1:7")) && !log.has(zxid("1:5")));
  assert.deepEqual(
    log.take(zxid("1:10")).map(({ body }) => body),
    ["9", "10"],
  );
  assert.deepEqual(log.take(zxid("1:10")), []);
});

test("applied txns are kept up to a size, and those that are not applied whatever they take", () => {
  const log = logOf("1:1", 100, 10);
  for (let i = 2; i <= 9; i++) log.append({ zxid: zxid(`1:${i}`), body: "four" });
  assert.equal(log.unappliedBytes, 32);
  assert.equal(log.take(zxid("1:8")).length, 7);
  assert(log.has(zxid("1:7")) && log.base === zxid("1:6"), "two of four bytes each are within ten");
  assert.equal(log.unappliedBytes, 4);
  log.truncate(zxid("1:7"));
  for (let i = 8; i <= 9; i++) log.append({ zxid: zxid(`1:${i}`), body: "one" });
  assert.equal(log.take(zxid("1:9")).length, 2);
  assert.equal(log.base, zxid("1:6"), "what was cut counts no more");
  assert.equal(log.unappliedBytes, 0);
});

test("a log of recovery is kept up to a size too", () => {
  assert.equal(logOf("1:1 1:2 1:3 1:4", 100, 7).base, zxid("1:2"));
  assert.equal(logOf("1:1 1:2 1:3 1:4", 0).base, zxid("1:4"));
});

test("a log goes on for long, and keeps as much as it may", () => {
  const log = logOf("1:1", 10);
  for (let i = 2; i <= 10_000; i++) {
    log.append({ zxid: zxid(`1:${i}`), body: "b" });
    if (i % 7 === 0) assert.equal(log.take(zxid(`1:${i}`)).at(-1)?.zxid, zxid(`1:${i}`));
    if (i > 20) assert.equal(log.between(log.base, log.applied).length, 10);
  }
  assert.equal(log.newestThrough(zxid("1:9990")), zxid("1:9990"));
  assert.equal(log.newestThrough(zxid("1:9000")), undefined);
});

test("a log is not cut below the newest snapshot, whenever it was taken", () => {
  const log = logOf("1:1 1:2 1:3");
  log.snapshotTaken(zxid("1:2"));
  assert.throws(() => log.truncate(zxid("1:1")), /not cut below its snapshot/);
  log.append({ zxid: zxid("1:4"), body: "4" });
  assert.throws(() => log.snapshotTaken(zxid("1:4")), /holds what is applied/);
  log.truncate(zxid("1:2"));
  assert.equal(log.floor, zxid("1:2"));
});

test("a cut log ends where it was cut, on disk and off it", () => {
  const log = logOf("1:1 1:2 1:3");
  log.append({ zxid: zxid("1:4"), body: "4" });
  log.truncate(zxid("1:2"));
  assert.deepEqual([log.last, log.durable, log.applied], Array(3).fill(zxid("1:2")));
  assert(!log.has(zxid("1:3")) && log.isNext(zxid("1:3")));
});

test("a snapshot in place of everything leaves no txn that could be sent on", () => {
  const log = logOf("1:1 1:2 1:3");
  log.reset(zxid("5:0"));
  assert.deepEqual([log.base, log.last, log.durable, log.floor], Array(4).fill(zxid("5:0")));
  assert.throws(() => log.truncate(zxid("1:3")), /not cut below its snapshot/);
});
