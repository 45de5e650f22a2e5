// Goal: the figures of availability are those of the Markov chain that the observed states make, and
// say how little a few observations tell. Method: chains with known answers, a chain walked for years with a seed, and
// properties of any chain.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import test from "node:test";

import fc from "fast-check";

import {
  availabilityModel,
  type ByState,
  type EnsembleState,
  ensembleStates,
  type StateHistory,
} from "../src/server/availability.ts";
import {
  availabilityPath,
  availabilityRead,
  availabilityWrite,
} from "../src/server/availability-file.ts";
import { poissonInterval } from "../src/server/poisson.ts";
import { PropagationWindow } from "../src/server/propagation.ts";
import { historyNone, StateRecorder } from "../src/server/state-recorder.ts";
import { temporaryDirectory } from "./log-harness.ts";

const hourMs = 3_600_000;

function states(led: number, electing: number, recovering: number): ByState {
  return { led, electing, recovering };
}

function about(actual: number | undefined, wanted: number, share = 1e-9): void {
  const isAbout = actual !== undefined && Math.abs(actual - wanted) <= share * Math.abs(wanted);
  assert(isAbout, `${actual} is not ${wanted}`);
}

/** A hundred hours led, left four times; an election takes 36 s, what follows 72 s. */
const history: StateHistory = {
  inMs: states(100 * hourMs, 4 * 36_000, 4 * 72_000),
  counts: {
    led: states(0, 4, 0),
    electing: states(0, 0, 4),
    recovering: states(4, 0, 0),
  },
};

test("a cycle's rates, shares and time to recover are what was put in", () => {
  const model = availabilityModel(history, "led");
  const rate = (from: EnsembleState, to: EnsembleState): number | undefined =>
    model.rates.find((each) => each.from === from && each.to === to)?.perHour;
  about(rate("led", "electing"), 0.04);
  about(rate("electing", "recovering"), 100);
  about(rate("recovering", "led"), 50);
  assert.equal(rate("led", "recovering"), 0);
  about(model.recoverMsMean, 108_000);
  // 25 hours, then 108 seconds.
  about(model.availability, 25 / 25.03);
  about(model.steadyState?.electing, 0.01 / 25.03);
  about(model.steadyState?.recovering, 0.02 / 25.03);
  // Of four observations up to 10.24 may have been meant.
  about(model.availabilityLow, 1 / (1 + 0.1024159 * 0.03), 1e-6);
});

test("one transition says little: its interval reaches from nearly nothing to five times as often", () => {
  const counts = { ...history.counts, led: states(0, 1, 0) };
  const { rates } = availabilityModel({ ...history, counts }, "led");
  const left = rates.find(({ from, to }) => from === "led" && to === "electing")!;
  about(left.perHour, 0.01);
  about(left.perHourLow, 0.000253178, 1e-5);
  about(left.perHourHigh, 0.0557164, 1e-5);
  const never = rates.find(({ from, to }) => from === "led" && to === "recovering")!;
  assert.deepEqual([never.perHour, never.perHourLow], [0, 0]);
  about(never.perHourHigh, 0.0368888, 1e-5);
});

test("who never lost a leader is available as far as was seen, and no more is claimed", () => {
  const seen = new StateRecorder("electing", 0);
  seen.see("recovering", 100);
  seen.see("led", 400);
  for (let second = 1; second <= 3600; second++) seen.look(400 + second * 1_000);
  const model = availabilityModel(seen.history, "led");
  assert.deepEqual(model.steadyState, states(1, 0, 0));
  about(model.recoverMsMean, 400);
  // 3.69 times an hour, 400 ms each.
  about(model.availabilityLow, 1 / (1 + (3.6888794 * 400) / hourMs), 1e-6);
});

test("what was never observed has no figure", () => {
  const none = availabilityModel(historyNone, "led");
  assert.deepEqual(none.steadyState, states(1, 0, 0));
  assert.deepEqual([none.recoverMsMean, none.availabilityLow], [undefined, undefined]);
  assert(none.rates.every(({ perHour, perHourHigh }) => (perHour ?? perHourHigh) === undefined));
  const lost = availabilityModel(
    {
      inMs: states(1_000, 1_000, 0),
      counts: { ...historyNone.counts, led: states(0, 1, 0) },
    },
    "electing",
  );
  assert.equal(lost.availability, 0);
  assert.equal(lost.recoverMsMean, undefined);
  // Runs that ended in different states: where this one ends is chance.
  const split = availabilityModel(
    {
      inMs: states(1_000, 1_000, 1_000),
      counts: { ...historyNone.counts, recovering: states(1, 1, 0) },
    },
    "recovering",
  );
  assert.equal(split.steadyState, undefined);
});

test("the shares of any chain balance: what flows into a state flows out of it", () => {
  const amount = fc.double({ min: 1, max: 1e9, noNaN: true });
  const count = fc.integer({ min: 0, max: 1_000_000 });
  const three = fc.tuple(count, count, count).map((each) => states(...each));
  const chain = fc.record({
    inMs: fc.tuple(amount, amount, amount).map((each) => states(...each)),
    counts: fc.record({ led: three, electing: three, recovering: three }),
  });
  fc.assert(
    fc.property(chain, fc.constantFrom(...ensembleStates), (given, state) => {
      const { steadyState: share, rates } = availabilityModel(given, state);
      if (share === undefined) return;
      about(share.led + share.electing + share.recovering, 1);
      for (const one of ensembleStates) {
        const flow = (direction: "from" | "to"): number =>
          rates
            .filter((rate) => rate[direction] === one)
            .reduce((sum, rate) => sum + share[rate.from] * rate.perHour!, 0);
        const [into, out] = [flow("to"), flow("from")];
        assert(Math.abs(into - out) <= 1e-9 * Math.max(into, out, 1e-300), `${into} ${out}`);
      }
    }),
    { seed: 7, numRuns: 500 },
  );
});

test("shares and time to recover agree: led is 1/(1 + λ·MTTR) of the time", () => {
  const count = fc.integer({ min: 1, max: 1_000 });
  const three = fc.tuple(count, count, count).map((each) => states(...each));
  const counts = fc.record({ led: three, electing: three, recovering: three });
  fc.assert(
    fc.property(counts, (given) => {
      const inMs = states(7 * hourMs, 50_000, 80_000);
      const model = availabilityModel({ inMs, counts: given }, "led");
      const perHour = (given.led.electing + given.led.recovering) / 7;
      about(model.availability, 1 / (1 + (perHour * model.recoverMsMean!) / hourMs));
    }),
    { seed: 8, numRuns: 200 },
  );
});

test("intervals are those of the tables, and pass into the approximation without a step", () => {
  // Garwood's limits as in any table of the Poisson distribution.
  const rows: readonly (readonly [number, number, number])[] = [
    [0, 0, 3.6889],
    [1, 0.0253, 5.5716],
    [2, 0.2422, 7.2247],
    [5, 1.6235, 11.6683],
    [10, 4.7954, 18.3904],
    [100, 81.364, 121.6268],
  ];
  for (const [count, low, high] of rows) {
    const found = poissonInterval(count);
    assert(Math.abs(found.low - low) < 1e-4 && Math.abs(found.high - high) < 1e-4, `${count}`);
  }
  const [below, above] = [poissonInterval(100), poissonInterval(101)];
  assert(above.low - below.low > 0.8 && above.low - below.low < 1.2);
  assert(above.high - below.high > 0.8 && above.high - below.high < 1.2);
});

test("time is counted to the state it was spent in, and time that nobody saw to none", () => {
  const recorder = new StateRecorder("electing", 1_000);
  recorder.look(1_600);
  assert.equal(recorder.see("recovering", 2_000), true);
  assert.equal(recorder.see("recovering", 2_500), false);
  recorder.see("led", 3_000);
  assert.equal(recorder.sinceMs, 3_000);
  recorder.look(4_000);
  // The machine slept for a minute; what the ensemble did meanwhile is not known.
  recorder.see("electing", 64_000);
  recorder.look(64_500);
  assert.deepEqual(recorder.history.inMs, states(1_000, 1_500, 1_000));
  assert.equal(recorder.pausedMs, 60_000);
  assert.equal(recorder.history.counts.led.electing, 1);
  // The next run begins where it begins: nothing followed the last state of this one.
  const next = new StateRecorder("electing", 10, recorder.history);
  next.see("led", 30);
  assert.deepEqual(next.history.inMs, states(1_000, 1_520, 1_000));
  assert.equal(next.history.counts.electing.led, 1);
  assert.equal(next.history.counts.electing.recovering, 1);
});

test("a record is read as it was written, and what is none is refused", async (context) => {
  const path = availabilityPath(temporaryDirectory(context));
  assert.equal(availabilityRead(path), undefined);
  const record = { history, beganMs: 1, savedMs: 2, runs: 3, unobservedMs: 4.5 };
  await availabilityWrite(path, record);
  assert.deepEqual(availabilityRead(path), record);
  const text = readFileSync(path, "utf8");
  assert(text.length < 500, text);
  for (const damaged of [
    "",
    "null",
    text.slice(0, -10),
    text.replace('"format":1', '"format":2'),
    text.replace('"runs":3', '"runs":-3'),
    text.replace('"led"', '"lad"'),
    `${text}${" ".repeat(100_000)}`,
  ]) {
    writeFileSync(path, damaged);
    assert.throws(() => availabilityRead(path), Error, damaged.slice(0, 40));
  }
});

test("figures of spreading are those of the last minute, by its own samples", () => {
  const window = new PropagationWindow();
  for (let second = 0; second < 100; second++) {
    // Two samples a second: one of them is too early.
    const counts = { txns: second * 10, notifications: second < 90 ? 0 : (second - 89) * 4 };
    window.sample(counts, second * 1_000);
    window.sample(counts, second * 1_000 + 400);
  }
  const now = { txns: 1_000, notifications: 40 };
  const figures = window.figures(now, 3, 99_500);
  assert.equal(figures.durationMs, 59_500);
  assert.equal(figures.txns, 600);
  assert.equal(figures.txnsPerMember, 200);
  assert.equal(figures.txnsPerNotification, 15);
  const quiet = new PropagationWindow().figures(now, 1, 5);
  assert.deepEqual([quiet.txns, quiet.txnsPerMember, quiet.txnsPerNotification], [0, 0, undefined]);
});
