import assert from "node:assert/strict";
import test from "node:test";
import { systemClock } from "../../kit/src/clock.ts";
import { EvaluationGate } from "../src/alerts/evaluation-gate.ts";

const forever = new AbortController().signal;

function gateOf(runningMax: number) {
  const clock = { ...systemClock, nowMs: 0, monotonicMs: () => clock.nowMs };
  return { clock, gate: new EvaluationGate(runningMax, clock) };
}

test("rules whose queries take long run one at a time, and the others do not wait for them", async () => {
  const { clock, gate } = gateOf(1);
  for (const key of ["a", "b"]) {
    const late = gate.run(key, forever, () => {
      clock.nowMs += 30_000;
      return Promise.reject(new Error("the deadline"));
    });
    await assert.rejects(late, /the deadline/);
  }
  const held = Promise.withResolvers<string>();
  const slow = gate.run("a", forever, () => held.promise);
  const other = gate.run("b", forever, () => Promise.resolve(""));
  await assert.rejects(other, { code: "query.busy" });
  assert.equal(await gate.run("quick", forever, () => Promise.resolve("done")), "done");
  held.resolve("slow");
  assert.equal(await slow, "slow");
  assert.equal(await gate.run("b", forever, () => Promise.resolve("turn")), "turn");
});

test("a rule that was quick again waits in line as others do", async () => {
  const { clock, gate } = gateOf(1);
  await gate.run("a", forever, () => {
    clock.nowMs += 30_000;
    return Promise.resolve();
  });
  await gate.run("a", forever, () => Promise.resolve());
  const held = Promise.withResolvers<void>();
  const first = gate.run("b", forever, () => held.promise);
  let isDone = false;
  const second = gate.run("a", forever, () => {
    isDone = true;
    return Promise.resolve();
  });
  await Promise.resolve();
  assert.equal(isDone, false);
  held.resolve();
  await Promise.all([first, second]);
  assert.equal(isDone, true);
});
