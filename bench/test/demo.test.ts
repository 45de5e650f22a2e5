import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { type DemoRecord, recordsPerStory, storyAt } from "../src/demo-fleet.ts";
import { loadAt, moments, troublesAt } from "../src/demo-traffic.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const fromMs = 20_000 * dayMs;

function fleetOfADay(seed: number, count: number): DemoRecord[] {
  const random = new Prng(seed);
  const span = { fromMs, toMs: fromMs + dayMs, count, random };
  return [...moments(span)].flatMap((ms) => storyAt(ms, random));
}

test("a day of the demo's fleet has eight services on twenty hosts, and about as many records as planned", () => {
  const stories = 20_000;
  const records = fleetOfADay(1, stories);
  assert.equal(new Set(records.map(({ service }) => service)).size, 8);
  assert.equal(new Set(records.map(({ host }) => host)).size, 20);
  const perStory = records.length / stories;
  assert.ok(Math.abs(perStory - recordsPerStory) < 0.1, `${perStory} records a story`);
});

test("moments ascend, are as many as asked for but for rounding, and follow the daily curve", () => {
  const random = new Prng(2);
  const found = [...moments({ fromMs, toMs: fromMs + dayMs, count: 50_000, random })];
  assert.deepEqual(
    found.toSorted((a, b) => a - b),
    found,
  );
  assert.ok(Math.abs(found.length - 50_000) <= 1, `${found.length} moments`);
  const within = (hour: number) =>
    found.filter((ms) => Math.floor((ms - fromMs) / hourMs) === hour).length;
  assert.ok(within(16) > 2 * within(4), `${within(16)} at 16, ${within(4)} at 4`);
  assert.ok(loadAt(fromMs + 16 * hourMs) > loadAt(fromMs + 4 * hourMs));
});

test("while something is wrong, the share of errors is several times what it is otherwise", () => {
  const records = fleetOfADay(3, 40_000);
  const shareOfErrors = (isTroubled: boolean): number => {
    const some = records.filter(
      ({ _time }) => troublesAt(Date.parse(String(_time))).size > 0 === isTroubled,
    );
    return some.filter(({ level }) => level === "error").length / some.length;
  };
  assert.ok(shareOfErrors(false) < 0.02, `${shareOfErrors(false)} of quiet times`);
  assert.ok(shareOfErrors(true) > 4 * shareOfErrors(false), `${shareOfErrors(true)} of troubled`);
});
