// Goal: whatever happens to an alert, what receivers are told makes sense.
// Method: tables for each edge of the state machine; random runs, also with clocks that jump, held to its promises.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { InstanceState } from "../src/entry.ts";
import { type StepInput, step, type Timing } from "../src/step.ts";

const identity = { key: '{"host":"a"}', labels: { host: "a" } };
const holds = (atMs: number, value = 7): StepInput => ({ kind: "tick", atMs, holds: true, value });
const not = (atMs: number, value: number | undefined = 1): StepInput => ({
  kind: "tick",
  atMs,
  holds: false,
  value,
});
const match = (atMs: number, count = 1): StepInput => ({ kind: "match", atMs, count });
const time = (atMs: number): StepInput => ({ kind: "time", atMs });

/** The phases and transitions of a run, as `pending` or `firing!` where receivers are told. */
function run(timing: Timing, inputs: readonly StepInput[]): string[] {
  let state: InstanceState | undefined;
  return inputs.map((input) => {
    const stepped = step(state, identity, timing, input);
    state = stepped.state;
    const phase = state?.phase ?? "-";
    return stepped.transition === undefined ? phase : `${phase} ${stepped.transition.status}!`;
  });
}

const at = (forMs: number, keepForMs: number): Timing => ({ forMs, keepForMs });

const stories: readonly {
  readonly name: string;
  readonly timing: Timing;
  readonly inputs: readonly StepInput[];
  readonly seen: readonly string[];
}[] = [
  {
    name: "a threshold fires at once and resolves at once without waits",
    timing: at(0, 0),
    inputs: [not(0), holds(10), holds(20), not(30), not(40), holds(50)],
    seen: ["-", "firing firing!", "firing", "- resolved!", "-", "firing firing!"],
  },
  {
    name: "a threshold is pending until it has held that long",
    timing: at(30, 0),
    inputs: [holds(0), holds(10), holds(29), holds(30), holds(40)],
    seen: ["pending", "pending", "pending", "firing firing!", "firing"],
  },
  {
    name: "what ceases while it is pending tells nobody, and begins anew",
    timing: at(30, 0),
    inputs: [holds(0), holds(20), not(29), holds(30), holds(59), holds(60)],
    seen: ["pending", "pending", "-", "pending", "pending", "firing firing!"],
  },
  {
    name: "an alert fires on for a while after it last held",
    timing: at(0, 20),
    inputs: [holds(0), not(10), holds(15), not(34), not(35)],
    seen: ["firing firing!", "firing", "firing", "firing", "- resolved!"],
  },
  {
    name: "a match fires with the first batch and resolves a while after the last",
    timing: at(0, 60),
    inputs: [time(0), match(1), match(50, 3), time(109), match(109, 0), time(110), time(200)],
    seen: ["-", "firing firing!", "firing", "firing", "firing", "- resolved!", "-"],
  },
  {
    name: "time alone neither fires nor clears what is pending",
    timing: at(30, 0),
    inputs: [holds(0), time(100), holds(101)],
    seen: ["pending", "pending", "firing firing!"],
  },
  {
    name: "a clock that was set back begins the waits anew",
    timing: at(30, 20),
    inputs: [holds(1000), holds(10), holds(39), holds(40), not(5), not(24), not(25)],
    seen: ["pending", "pending", "pending", "firing firing!", "firing", "firing", "- resolved!"],
  },
];

for (const { name, timing, inputs, seen } of stories) {
  test(`step: ${name}`, () => assert.deepEqual(run(timing, inputs), seen));
}

test("step: a match counts its records, a threshold tells the value that was compared", () => {
  const first = step(undefined, identity, at(0, 60), match(1, 2));
  const second = step(first.state, identity, at(0, 60), match(2, 5));
  assert.equal(second.state?.count, 7);
  const fired = step(undefined, identity, at(0, 0), holds(1, 9));
  assert.equal(fired.transition?.instance.count, 9);
  const resolved = step(fired.state, identity, at(0, 0), not(2, 3));
  assert.equal(resolved.transition?.instance.count, 3);
  const gone: StepInput = { kind: "tick", atMs: 2, holds: false, value: undefined };
  const vanished = step(fired.state, identity, at(0, 0), gone);
  assert.equal(vanished.transition?.instance.count, 9);
});

const moment = fc.integer({ min: 0, max: 200 });
const input: fc.Arbitrary<StepInput> = fc.oneof(
  fc.record({
    kind: fc.constant("tick" as const),
    atMs: moment,
    holds: fc.boolean(),
    value: fc.option(fc.integer(), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("match" as const), atMs: moment, count: fc.nat(3) }),
  fc.record({ kind: fc.constant("time" as const), atMs: moment }),
);
const timing = fc.record({ forMs: fc.nat(80), keepForMs: fc.nat(80) });

test("step: firing and resolved take turns, and an alert keeps when it began, whatever happens", () => {
  fc.assert(
    fc.property(timing, fc.array(input, { maxLength: 60 }), (waits, inputs) => {
      let state: InstanceState | undefined;
      let firedMs: number | undefined;
      for (const each of inputs) {
        const before = state;
        const { state: next, transition } = step(state, identity, waits, each);
        state = next;
        if (transition?.status === "firing") {
          assert.equal(firedMs, undefined, "it did not fire before");
          assert.equal(state?.firingMs, each.atMs);
          firedMs = each.atMs;
        } else if (transition?.status === "resolved") {
          assert.equal(transition.instance.firingMs, firedMs, "what resolves is what fired");
          assert.equal(state, undefined);
          firedMs = undefined;
        }
        assert.equal(state?.phase === "firing", firedMs !== undefined);
        assert.equal(state?.firingMs, firedMs);
        if (before !== undefined && state?.phase === "firing" && before.phase === "firing") {
          assert.equal(state.activeMs, before.activeMs);
        }
      }
    }),
    { seed: 7, numRuns: 500 },
  );
});

test("step: a threshold fires only after it has held for its wait, and then does", () => {
  const ticks = fc.array(fc.record({ gap: fc.integer({ min: 1, max: 30 }), holds: fc.boolean() }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(timing, ticks, (waits, gaps) => {
      let state: InstanceState | undefined;
      let atMs = 0;
      let sinceMs: number | undefined;
      let lastMs = 0;
      for (const each of gaps) {
        atMs += each.gap;
        const wasFiring = state?.phase === "firing";
        const input = each.holds ? holds(atMs) : not(atMs);
        const { state: next, transition } = step(state, identity, waits, input);
        state = next;
        if (each.holds) {
          sinceMs ??= atMs;
          lastMs = atMs;
          const isDue = atMs - sinceMs >= waits.forMs;
          assert.equal(transition?.status === "firing", !wasFiring && isDue);
        } else {
          sinceMs = undefined;
          const isOver = wasFiring && atMs - lastMs >= waits.keepForMs;
          assert.equal(transition?.status === "resolved", isOver);
        }
      }
    }),
    { seed: 11, numRuns: 500 },
  );
});
