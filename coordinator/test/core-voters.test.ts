// Which sets of voters decide: majorities, and groups with weights as ZooKeeper's hierarchical quorums have them.
import assert from "node:assert/strict";
import test from "node:test";

import { GroupedVoters } from "../src/core/grouped-voters.ts";
import { type Quorums, Voters } from "../src/core/voters.ts";

/** The sets that are a quorum, each as bits. */
function quorumsOf(quorums: Quorums): readonly number[] {
  const sets: number[] = [];
  for (let set = 0; set < 1 << quorums.ids.length; set++) {
    if (quorums.isQuorum((id) => (set & (1 << quorums.ids.indexOf(id))) !== 0)) sets.push(set);
  }
  return sets;
}

/** Every way to put ids into groups. */
function partitions(ids: readonly number[]): readonly (readonly (readonly number[])[])[] {
  const [first, ...rest] = ids;
  if (first === undefined) return [[]];
  return partitions(rest).flatMap((groups) => [
    [[first], ...groups],
    ...groups.map((_, at) => groups.map((group, i) => (i === at ? [first, ...group] : group))),
  ]);
}

function weightings(ids: readonly number[], max: number): readonly ReadonlyMap<number, number>[] {
  let all: ReadonlyMap<number, number>[] = [new Map()];
  for (const id of ids) {
    const weights = Array.from({ length: max + 1 }, (_, weight) => weight);
    all = all.flatMap((before) => weights.map((weight) => new Map([...before, [id, weight]])));
  }
  return all.filter((weights) => [...weights.values()].some((weight) => weight > 0));
}

function check(quorums: Quorums, what: string): void {
  const sets = quorumsOf(quorums);
  const everyone = (1 << quorums.ids.length) - 1;
  assert.equal(sets.at(-1), everyone, `all together are no quorum: ${what}`);
  const counts = quorums.ids.reduce((bits, id, i) => bits | (quorums.canLead(id) ? 1 << i : 0), 0);
  const isQuorum = new Set(sets);
  for (const set of sets) {
    // Enough for every pair of quorums: what is left over is none, and a quorum with more is one.
    assert(!isQuorum.has(everyone & ~set), `two quorums share nobody: ${what}`);
    for (let bit = 1; bit <= everyone; bit <<= 1) {
      assert(isQuorum.has(set | bit), `more voters are less: ${what}`);
    }
    assert(isQuorum.has(set & counts), `who weighs nothing decides: ${what}`);
  }
}

test("any two majorities share a voter", () => {
  for (let count = 1; count <= 9; count++) {
    check(new Voters(Array.from({ length: count }, (_, i) => i + 1)), `${count} voters`);
  }
});

test("any two quorums of groups with weights share a voter that has weight", () => {
  let checked = 0;
  for (const [count, weightMax] of [
    [1, 3],
    [2, 3],
    [3, 3],
    [4, 2],
    [5, 2],
    [6, 1],
  ] as const) {
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    for (const groups of partitions(ids)) {
      for (const weights of weightings(ids, weightMax)) {
        const what = `${JSON.stringify(groups)} ${JSON.stringify([...weights])}`;
        check(new GroupedVoters(groups, weights), what);
        checked++;
      }
    }
  }
  assert(checked > 20_000, `${checked}`);
});

test("one group in which all weigh the same is a majority", () => {
  for (let count = 1; count <= 7; count++) {
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    const grouped = quorumsOf(new GroupedVoters([ids], new Map()));
    assert.deepEqual(grouped, quorumsOf(new Voters(ids)));
  }
});

// As Apache's QuorumHierarchical answers for the same groups and weights.
const three = [
  [1, 2, 3],
  [4, 5, 6],
  [7, 8, 9],
];
const cases: {
  readonly what: string;
  readonly groups?: readonly (readonly number[])[];
  readonly weights?: Readonly<Record<number, number>>;
  readonly who: readonly number[];
  readonly isQuorum: boolean;
}[] = [
  { what: "two of three in two of three groups", who: [1, 2, 4, 5], isQuorum: true },
  { what: "all of one group and one of each other", who: [1, 2, 3, 4, 7], isQuorum: false },
  { what: "half of a group's weight", who: [1, 4, 5], weights: { 1: 2 }, isQuorum: false },
  { what: "more than half by weight", who: [1, 4, 5], weights: { 1: 3 }, isQuorum: true },
  {
    what: "one group of two, the third without weight",
    who: [1, 2],
    weights: { 7: 0, 8: 0, 9: 0 },
    isQuorum: false,
  },
  {
    what: "both groups that have weight",
    who: [1, 2, 4, 5],
    weights: { 7: 0, 8: 0, 9: 0 },
    isQuorum: true,
  },
  { what: "nobody", who: [], isQuorum: false },
];

for (const { what, groups = three, weights = {}, who, isQuorum } of cases) {
  test(`groups: ${what} ${isQuorum ? "are" : "are not"} a quorum`, () => {
    const weightOf = new Map(Object.entries(weights).map(([id, weight]) => [Number(id), weight]));
    const quorums = new GroupedVoters(groups, weightOf);
    assert.equal(
      quorums.isQuorum((id) => who.includes(id)),
      isQuorum,
    );
  });
}

test("a set of voters that could decide nothing, or twice, is refused", () => {
  assert.throws(() => new Voters([]), /at least one voter/);
  assert.throws(() => new Voters([1, 1]), /listed twice/);
  assert.throws(() => new GroupedVoters([[1, 2], [2]], new Map()), /in one group/);
  assert.throws(() => new GroupedVoters([[1]], new Map([[1, 0]])), /somebody has weight/);
  assert.throws(() => new GroupedVoters([[1]], new Map([[1, 0.5]])), /whole number/);
});
