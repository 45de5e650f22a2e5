import assert from "node:assert/strict";
import test from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { GroupedVoters } from "../src/core/grouped-voters.ts";
import { Proposals } from "../src/core/proposals.ts";
import { type Quorums, Voters } from "../src/core/voters.ts";

function proposed(quorums: Quorums, count: number): Proposals {
  const proposals = new Proposals(quorums, 100);
  for (let i = 1; i <= count; i++) proposals.add(100 + i);
  return proposals;
}

test("a txn commits once a quorum has it on disk, and takes those before it along", () => {
  const proposals = proposed(new Voters([1, 2, 3]), 3);
  const acks: readonly (readonly [number, number])[] = [
    [1, 101],
    [2, 102],
    [3, 103],
    [1, 103],
  ];
  const committed = acks.map(([from, zxid]) => [proposals.ack(from, zxid), proposals.committed]);
  assert.deepEqual(committed, [
    [false, 100],
    [true, 101],
    [true, 102],
    [true, 103],
  ]);
  assert.equal(proposals.size, 0);
});

test("an ack of a stranger, or a repeated one, commits nothing", () => {
  const proposals = proposed(new Voters([1, 2, 3]), 2);
  proposals.ack(1, 102);
  assert(!proposals.ack(1, 102));
  assert(!proposals.ack(7, 102));
  assert.equal(proposals.size, 2);
});

test("an ensemble of one commits by its own disk", () => {
  assert(proposed(new Voters([5]), 4).ack(5, 104));
});

const ensembles: readonly Quorums[] = [
  new Voters([1, 2, 3]),
  new Voters([1, 2, 3, 4]),
  new Voters([1, 2, 3, 4, 5]),
  new GroupedVoters([[1, 2], [3, 4], [5]], new Map([[1, 3]])),
  new GroupedVoters([[1, 2, 3]], new Map([[3, 0]])),
];

test("commits are what a quorum has on disk, whatever order the acks come in", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const prng = new Prng(seed);
    const quorums = prng.pick(ensembles);
    const proposals = proposed(quorums, 20);
    const durable = new Map<number, number>();
    for (let i = 0; i < 200; i++) {
      const voter = prng.pick(quorums.ids);
      const zxid = 101 + prng.below(20);
      durable.set(voter, Math.max(durable.get(voter) ?? 0, zxid));
      proposals.ack(voter, zxid);
      const has = (through: number) =>
        quorums.isQuorum((id) => (durable.get(id) ?? 100) >= through);
      assert(has(proposals.committed), `SEED=${seed}: committed without a quorum`);
      assert(!has(proposals.committed + 1), `SEED=${seed}: on a quorum's disks, not committed`);
    }
  }
});
