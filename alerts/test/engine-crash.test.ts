// Goal: whenever the process dies, every alert is told exactly as if it had not, or told again under the same key.
// Method: random rules' values with crashes before and after each effect (append, question, send), and receivers that
// fail now and then; what arrived is held against the plain state machine. A failure prints its seed.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { InstanceState } from "../src/entry.ts";
import { DeliveryError } from "../src/notification.ts";
import type { AlertRecord } from "../src/ports.ts";
import { alertIdOf, timingOf } from "../src/rule-facts.ts";
import { step } from "../src/step.ts";
import { identityOf } from "../src/threshold.ts";
import { deliverAll, type Following, ruleOf, until, World } from "./world.ts";

const every = 15_000;
const groups = ["a", "b"] as const;

interface Run {
  /** Of each tick the groups that hold. */
  readonly ticks: readonly (readonly boolean[])[];
  readonly forTicks: number;
  /** Effects between crashes. */
  readonly gaps: readonly number[];
  /** Of each attempt to deliver: whether the receiver takes it. */
  readonly takes: readonly boolean[];
}

const run: fc.Arbitrary<Run> = fc.record({
  ticks: fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 8 }),
  forTicks: fc.nat(2),
  gaps: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 12 }),
  takes: fc.array(fc.boolean(), { maxLength: 10 }),
});

/** Dies after as many effects as each gap says. */
function crashing(world: World, gaps: readonly number[]): void {
  const left = [...gaps];
  world.crashesAt = () => {
    const [gap] = left;
    if (gap === undefined) return false;
    if (gap > 1) left[0] = gap - 1;
    else left.shift();
    return gap === 1;
  };
}

/** Does the work in as many lives as it takes. */
async function survive(world: World, work: () => Promise<unknown>): Promise<void> {
  for (let life = 0; ; life++) {
    assert.ok(life < 100, "it never ends");
    const isAlive = await Promise.race([work(), world.crashed]).then(
      () => true,
      () => false,
    );
    if (isAlive) return;
    await world.open();
  }
}

async function deliverTold(world: World): Promise<void> {
  // The scheduler is told behind what is written.
  await until(() => world.scheduler?.ids.size === world.engine?.figures().outboxWaiting);
  await deliverAll(world);
}

function expectedKeys(ruleId: string, form: object, { ticks }: Run, startMs: number): string[] {
  const timing = timingOf(ruleOf(form));
  const keys: string[] = [];
  for (const [g, group] of groups.entries()) {
    const identity = identityOf([["g", group]]);
    let state: InstanceState | undefined;
    for (const [i, holds] of ticks.entries()) {
      const atMs = startMs + (i + 1) * every;
      const input = { kind: "tick", atMs, holds: holds[g] === true, value: 9 } as const;
      const stepped = step(state, identity, timing, input);
      state = stepped.state;
      if (stepped.transition === undefined) continue;
      const { status, instance } = stepped.transition;
      const firingMs = instance.firingMs ?? 0;
      const alert = alertIdOf({ tenant: "t", ruleId, instance: identity.key, firingMs });
      keys.push(`${alert}-${status}`);
    }
  }
  return keys;
}

test("thresholds tell what they would have told without crashes, each at least once", async () => {
  await fc.assert(
    fc.asyncProperty(run, async (each) => {
      const world = new World();
      const form = {
        ...{ type: "threshold", query: "* | stats by (g) count() n", condition: "> 5" },
        for: `${(each.forTicks * every) / 1000}s`,
      };
      const { id } = await world.rules.put("t", ruleOf(form));
      const startMs = world.clock.nowMs;
      const takes = [...each.takes];
      world.receive = () =>
        takes.shift() === false
          ? Promise.reject(new DeliveryError("busy", { isTransient: true }))
          : Promise.resolve();
      await world.open();
      crashing(world, each.gaps);
      for (const [i, holds] of each.ticks.entries()) {
        const atMs = startMs + (i + 1) * every;
        world.clock.nowMs = Math.max(world.clock.nowMs, atMs);
        world.rows = (): AlertRecord[] =>
          groups.map((g, at) => ({ g, n: holds[at] === true ? "9" : "1" }));
        await survive(world, () => world.scheduler?.tick(id, atMs) ?? Promise.resolve());
        if (i % 2 === 0) await survive(world, () => deliverTold(world));
      }
      await survive(world, () => deliverTold(world));
      const expected = expectedKeys(id, form, each, startMs);
      assert.deepEqual([...world.keys()].sort(), expected.sort());
      assertSound(world);
      await world.close();
    }),
    { seed: 5, numRuns: 300 },
  );
});

test("matches are counted once and told once, whatever happens between the batches", async () => {
  const plan = fc.record({
    batches: fc.array(fc.nat(3), { minLength: 1, maxLength: 8 }),
    gaps: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ batches, gaps }) => {
      const world = new World();
      await world.rules.put("t", ruleOf({ type: "match", query: "x", keepFor: "1h" }));
      await world.open();
      let committed = 0;
      /** What a source would give: everything behind the progress. */
      const give = async (): Promise<void> => {
        const isFollowing = (each: Following): boolean =>
          each.life === world.life && !each.options.signal.aborted;
        await until(() => world.followings.some(isFollowing));
        const source = world.followings.findLast(isFollowing);
        const from = Number(given.get(source) ?? source?.options.after ?? 0);
        const count = committed - from;
        await source?.give({ count, lines: [], progress: String(committed) });
        given.set(source, committed);
      };
      const given = new Map<unknown, number>();
      await give();
      crashing(world, gaps);
      for (const count of batches) {
        committed += count;
        world.clock.nowMs += 1000;
        await survive(world, give);
        await survive(world, () => deliverTold(world));
      }
      const [alert] = world.engine?.alerts("t") ?? [];
      assert.equal(alert?.count, committed === 0 ? undefined : committed);
      assert.equal(world.keys().length, committed === 0 ? 0 : 1);
      assertSound(world);
      await world.close();
    }),
    { seed: 6, numRuns: 150 },
  );
});

/** A key stands for one notification, and an alert is not over before it fired. */
function assertSound({ sent }: World): void {
  const byKey = new Map<string, unknown>();
  for (const { notification } of sent) {
    const { dedupeKey, status } = notification;
    const before = byKey.get(dedupeKey);
    if (before === undefined) byKey.set(dedupeKey, notification);
    else assert.deepEqual(notification, before);
    if (status === "resolved") assert.ok(byKey.has(dedupeKey.replace("resolved", "firing")));
  }
}
