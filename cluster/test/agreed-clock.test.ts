// Goal: one wrong clock does not decide what time it is; most nodes do.
// Method: groups of clocks as a table; then real nodes on loopback, each with a clock of its own.
import assert from "node:assert/strict";
import test from "node:test";
import { AgreedClock, agreedMs } from "../src/agreed-clock.ts";
import { clocksWithinMs, clockTrustedMs } from "../src/limits.ts";
import { until } from "./given.ts";
import { PeersRig } from "./peers-rig.ts";

const hourMs = 60 * 60_000;
const nowMs = Date.UTC(2026, 0, 10);

const cases: readonly {
  readonly name: string;
  /** Milliseconds ahead. */
  readonly clocks: readonly number[];
  readonly nodes: number;
  readonly agreed: number | undefined;
}[] = [
  { name: "a node that is all there is", clocks: [0], nodes: 1, agreed: 0 },
  { name: "the slowest of those that agree", clocks: [500, 0, 900], nodes: 3, agreed: 0 },
  { name: "one of three is an hour ahead", clocks: [hourMs, 0, 900], nodes: 3, agreed: 0 },
  { name: "one of three is an hour behind", clocks: [0, -hourMs, 900], nodes: 3, agreed: 0 },
  { name: "one of three is not heard of", clocks: [0, 900], nodes: 3, agreed: 0 },
  { name: "two of three are not heard of", clocks: [0], nodes: 3, agreed: undefined },
  { name: "two of two an hour apart", clocks: [0, hourMs], nodes: 2, agreed: undefined },
  { name: "half of four", clocks: [0, 0, hourMs, hourMs], nodes: 4, agreed: undefined },
  { name: "all differ", clocks: [0, hourMs, 2 * hourMs], nodes: 3, agreed: undefined },
  { name: "just ten minutes", clocks: [0, clocksWithinMs], nodes: 2, agreed: 0 },
  { name: "just more", clocks: [0, clocksWithinMs + 1], nodes: 2, agreed: undefined },
  {
    name: "a chain counts by its larger half",
    clocks: [0, clocksWithinMs, clocksWithinMs + 1, 2 * clocksWithinMs],
    nodes: 5,
    agreed: clocksWithinMs,
  },
];

for (const { name, clocks, nodes, agreed } of cases) {
  test(`most nodes agree or do not: ${name}`, () => {
    const ms = agreedMs(
      clocks.map((ahead) => nowMs + ahead),
      nodes,
    );
    assert.equal(ms, agreed === undefined ? undefined : nowMs + agreed);
  });
}

test("nodes tell each other their clocks, and a jump of one changes what none of them takes for the time", async (t) => {
  const rig = new PeersRig();
  t.after(() => rig.close());
  const aheadMs = [0, 0, 0];
  let monotonicMs = 1_000;
  const peers = await Promise.all([1, 2, 3].map((node) => rig.open(node)));
  const clocks = peers.map((each, at) => {
    const clock = { now: () => nowMs + monotonicMs + aheadMs[at]!, monotonicMs: () => monotonicMs };
    return new AgreedClock({ peers: each, nodes: () => new Set([1, 2, 3]), clock });
  });
  t.after(() => Promise.all(clocks.map((each) => each.close())));
  assert.equal(clocks[0]!.nowMs(), undefined);
  rig.announce(...peers);
  const timeIs = (ms: number): Promise<void> =>
    until(() => clocks.every((each) => each.nowMs() === ms));
  await timeIs(nowMs + monotonicMs);
  // The others' clocks go on from what they told.
  aheadMs[0] = hourMs;
  monotonicMs += 5_000;
  assert.equal(clocks[0]!.nowMs(), nowMs + monotonicMs);
  monotonicMs += clockTrustedMs;
  assert.equal(clocks[0]!.nowMs(), undefined);
});
