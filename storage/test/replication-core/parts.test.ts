// Goal: the parts of the replication core that are plain functions of their input.
import assert from "node:assert/strict";
import test from "node:test";
import { InSync, type InSyncInput } from "../../src/replication/core/in-sync.ts";
import {
  commonPoint,
  type Lineage,
  type LogShape,
  lineageRecovered,
  lineageThrough,
} from "../../src/replication/core/lineage.ts";

/** `1@1 2@5 ..8`: epoch 1 from 1, epoch 2 from 5, the last entry at 8. */
function shape(text: string): LogShape {
  const [end, ...steps] = text.split(" ").toReversed();
  const lineage = steps.toReversed().map(step);
  const position = Number(end?.slice(2));
  return { lineage, end: { epoch: lineage.at(-1)?.epoch ?? 0, position } };
}

function step(text: string): { epoch: number; firstPosition: number } {
  const [epoch, firstPosition] = text.split("@").map(Number) as [number, number];
  return { epoch, firstPosition };
}

function print(lineage: Lineage): string {
  return lineage.map(({ epoch, firstPosition }) => `${epoch}@${firstPosition}`).join(" ");
}

const common: readonly { owner: string; replica: string; at: string }[] = [
  { owner: "1@1 ..8", replica: "1@1 ..8", at: "1/8" },
  { owner: "1@1 2@9 ..9", replica: "1@1 ..8", at: "1/8" },
  { owner: "1@1 2@6 ..9", replica: "1@1 ..8", at: "1/5" },
  { owner: "1@1 2@6 4@8 ..9", replica: "1@1 2@6 3@9 ..12", at: "2/7" },
  { owner: "1@1 3@6 ..9", replica: "1@1 2@4 ..12", at: "1/3" },
  { owner: "1@1 ..3", replica: "..0", at: "0/0" },
  { owner: "2@1 ..3", replica: "1@1 ..3", at: "0/0" },
  { owner: "1@1 2@4 5@9 ..20", replica: "1@1 2@4 3@6 4@8 ..9", at: "2/5" },
];

for (const { owner, replica, at } of common) {
  test(`logs ${owner} and ${replica} are equal up to ${at}`, () => {
    const { epoch, position } = commonPoint(shape(owner), shape(replica));
    assert.equal(`${epoch}/${position}`, at);
  });
}

const recovered: readonly { noted: string; entries: string; base: string; is: string }[] = [
  { noted: "1@1 2@5", entries: "1@1 2@5", base: "0/0", is: "1@1 2@5" },
  // Entries before position 7 are gone.
  { noted: "1@1 2@5", entries: "2@7", base: "2/6", is: "1@1 2@5" },
  { noted: "1@1 2@5", entries: "2@7 3@9", base: "2/6", is: "1@1 2@5 3@9" },
  // The note is older than a truncation and what came behind it.
  { noted: "1@1 2@5", entries: "1@1 3@4", base: "0/0", is: "1@1 3@4" },
  // A base whose epoch was never noted.
  { noted: "1@1", entries: "4@9", base: "3/8", is: "1@1 3@8 4@9" },
  { noted: "", entries: "", base: "0/0", is: "" },
];

for (const { noted, entries, base, is } of recovered) {
  test(`a log behind ${base} with entries of ${entries || "none"} and ${noted || "nothing"} noted is ${is || "empty"}`, () => {
    const steps = (text: string): Lineage => (text === "" ? [] : text.split(" ").map(step));
    const [epoch, position] = base.split("/").map(Number) as [number, number];
    assert.equal(print(lineageRecovered(steps(noted), steps(entries), { epoch, position })), is);
  });
}

test("an epoch of which no entry is left begins nothing", () => {
  const { lineage } = shape("1@1 2@5 3@9 ..9");
  assert.equal(print(lineageThrough(lineage, 8)), "1@1 2@5");
  assert.equal(lineageThrough(lineage, 9), lineage);
});

const durable = (member: string, position: number): InSyncInput => {
  return { kind: "durable", member, position };
};

test("the committed position is what every member has, and while a set changes every member of both", () => {
  const set = new InSync(["a", "b"], 0);
  assert.equal(set.step(durable("a", 9)), 0);
  assert.equal(set.step(durable("b", 5)), 5);
  // Out goes b, in comes c.
  assert.equal(set.step({ kind: "change-asked", members: ["a", "c"] }), 5);
  assert.equal(set.step(durable("b", 7)), 5);
  assert.equal(set.step(durable("c", 6)), 6);
  assert.deepEqual(set.union, ["a", "b", "c"]);
  assert.equal(set.step({ kind: "change-settled", members: ["a", "b"] }), 7);
  assert.equal(set.step({ kind: "change-asked", members: ["a"] }), 7);
  assert.equal(set.step({ kind: "change-settled", members: ["a"] }), 9);
});

test("the committed position never goes back", () => {
  const set = new InSync(["a"], 4);
  assert.equal(set.step(durable("a", 2)), 4);
  assert.equal(set.step({ kind: "change-settled", members: ["a", "b"] }), 4);
});
