import assert from "node:assert/strict";
import test from "node:test";
import type { KeptCopies } from "../../storage/src/replication/kept-copies.ts";
import type { TombstoneStatus } from "../../storage/src/shard/tombstone-progress.ts";
import { copiesLateMs } from "../src/deletes/limits.ts";
import { withCopies } from "../src/deletes/node-progress.ts";

const settledForMs = 10 * copiesLateMs;
const done = {
  ...{ shard: 3, filesLeft: 0, filesKept: 0, settledForMs, isDone: true, isEnded: false },
} as TombstoneStatus;

function keptWith(copies: readonly KeptCopies[], status = done): number {
  const owner = { shards: [3], statuses: [status], copies: [] };
  const nodes = [owner, { shards: [1], statuses: [], copies }, { shards: [], statuses: [] }];
  const found = withCopies(status, nodes);
  if (found !== status) assert.deepEqual([found.isDone, found.isEnded], [false, false]);
  return found.filesKept;
}

test("a delete is not done while another node keeps copies from before its owner was done", () => {
  assert.equal(keptWith([]), 0);
  assert.equal(keptWith([{ shard: 3, agesMs: [settledForMs, settledForMs - copiesLateMs] }]), 2);
  assert.equal(keptWith([{ shard: 3, agesMs: [Number.POSITIVE_INFINITY] }]), 1);
  assert.equal(keptWith([{ shard: undefined, agesMs: [settledForMs + 1, 5] }]), 1);
});

test("copies of other shards, and those that were needed after its owner was done, hold no delete up", () => {
  assert.equal(keptWith([{ shard: 1, agesMs: [Number.POSITIVE_INFINITY] }]), 0);
  assert.equal(keptWith([{ shard: 3, agesMs: [0, settledForMs - copiesLateMs - 1] }]), 0);
});

test("what a node has in the trash counts once where it serves the shard itself", () => {
  const trash = { shard: undefined, agesMs: [Number.POSITIVE_INFINITY] };
  assert.equal(withCopies(done, [{ shards: [3], statuses: [done], copies: [trash] }]), done);
  const open = { ...done, settledForMs: undefined, filesLeft: 1, isDone: false };
  assert.equal(keptWith([trash], open), 0);
});
