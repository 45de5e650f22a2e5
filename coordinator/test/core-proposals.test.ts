import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { Proposals } from "../src/core/proposals.ts";
import { Voters } from "../src/core/voters.ts";

function proposed(voters: readonly number[], count: number): Proposals<number> {
  const proposals = new Proposals<number>(new Voters(voters), 100);
  for (let i = 1; i <= count; i++) proposals.add({ zxid: 100 + i, body: i });
  return proposals;
}

test("a txn commits once a quorum has it on disk, and takes those before it along", () => {
  const proposals = proposed([1, 2, 3], 3);
  assert.deepEqual(proposals.ack(1, 101), []);
  assert.deepEqual(
    proposals.ack(2, 102).map(({ body }) => body),
    [1],
  );
  assert.deepEqual(
    proposals.ack(3, 103).map(({ body }) => body),
    [2],
  );
  assert.deepEqual(
    proposals.ack(1, 103).map(({ body }) => body),
    [3],
  );
});

test("an ack of a stranger, or a repeated one, commits nothing", () => {
  const proposals = proposed([1, 2, 3], 2);
  proposals.ack(1, 102);
  assert.deepEqual(proposals.ack(1, 102), []);
  assert.deepEqual(proposals.ack(7, 102), []);
});

test("an ensemble of one commits by its own disk", () => {
  assert.equal(proposed([5], 4).ack(5, 104).length, 4);
});

test("commits come in order, once each, whatever order the acks come in", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const prng = new Prng(seed);
    const voters = prng.pick([
      [1, 2, 3],
      [1, 2, 3, 4],
      [1, 2, 3, 4, 5],
    ]);
    const proposals = proposed(voters, 20);
    const durable = new Map<number, number>();
    const commits: number[] = [];
    for (let i = 0; i < 200; i++) {
      const voter = prng.pick(voters);
      const zxid = 101 + prng.below(20);
      durable.set(voter, Math.max(durable.get(voter) ?? 0, zxid));
      commits.push(...proposals.ack(voter, zxid).map(({ body }) => body));
      const have = voters.filter((id) => (durable.get(id) ?? 100) >= 100 + commits.length);
      assert(have.length * 2 > voters.length, `SEED=${seed}: committed without a quorum`);
    }
    assert.deepEqual(
      commits,
      commits.map((_, index) => index + 1),
      `SEED=${seed}`,
    );
  }
});
