// Goal: whatever links, disks, clocks, crashes and the coordinator do, a shard keeps its promises: one list of entries is
// committed; what was acknowledged or shown is in each later cut, exactly once; nothing with a key is stored twice; and when
// faults end the shard serves with its whole set again (checker.ts and invariants.ts say it in full).
// Method: processes run the real replication core in virtual time against a model of the coordinator, and a seed draws all
// that happens to them. Each run takes seeds that once failed (replication-sim-seeds.txt) and others, soak fresh ones; a failure prints
// the seed, and SEED=<n> replays it and prints what came last. REPLICATION_SEEDS and REPLICATION_STEPS make it longer.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import test, { type TestContext } from "node:test";

import { ShardReplica } from "../src/replication/core/replica.ts";
import type { ReplicaOptions } from "../src/replication/core/types.ts";
import { type RunReport, runSeed } from "./replication-sim/run.ts";

const seedGiven = process.env["SEED"];
const seedCount = Number(
  process.env["REPLICATION_SEEDS"] ?? process.env["LOGKEEP_SOAK_SEEDS"] ?? 200,
);
const steps = Number(process.env["REPLICATION_STEPS"] ?? 10_000);
/** Of a run with one crash: the crash is tried before each of its effects. */
const crashSteps = 1500;
const make = (options: ReplicaOptions): ShardReplica => new ShardReplica(options);

test("a shard keeps its promises in a world of faults", (context) => {
  const seeds = seedsDraw();
  context.diagnostic(`${seeds.length} seeds, the last of them ${seeds.at(-1)}`);
  const reports: RunReport[] = [];
  /** Inputs and effects of a seed that is replayed. */
  const last: string[] = [];
  for (const seed of seeds) {
    try {
      const trace = (line: string): void => void last.push(line.slice(0, 300));
      reports.push(runSeed({ seed, make, steps, ...(seedGiven === undefined ? {} : { trace }) }));
    } catch (thrown) {
      for (const line of last.slice(-200)) context.diagnostic(line);
      const how = `SEED=${seed} REPLICATION_STEPS=${steps}`;
      throw new Error(`${how} node --test storage/test/replication-sim.test.ts replays this`, {
        cause: thrown,
      });
    }
  }
  summaryPrint(context, reports);
  if (seeds.length < 100) return;
  const seen = coverageOf(reports);
  assert.deepEqual(
    mustBeSeen.filter((what) => !seen.has(what)),
    [],
    "never seen, so the runs mean little",
  );
});

test("a crash that once broke a promise breaks none any more", () => {
  for (const { seed, crashAt } of keptLines().crashes) {
    try {
      runSeed({ seed, make, steps: crashSteps, crashAt });
    } catch (thrown) {
      throw new Error(`seed ${seed}, a crash at effect ${crashAt}`, { cause: thrown });
    }
  }
});

test("a crash before any effect breaks no promise", (context) => {
  const seed = Number(seedGiven ?? firstSeed());
  const steps = crashSteps;
  const { effects } = runSeed({ seed, make, steps, crashAt: Number.POSITIVE_INFINITY });
  const count = Math.min(effects, Math.ceil(seedCount / 2));
  for (let at = 1; at <= count; at++) {
    const crashAt = Math.ceil((at * effects) / count);
    try {
      runSeed({ seed, make, steps, crashAt });
    } catch (thrown) {
      throw new Error(`SEED=${seed}, a crash at effect ${crashAt} of ${effects}`, {
        cause: thrown,
      });
    }
  }
  context.diagnostic(`seed ${seed}: ${count} crashes over ${effects} effects`);
});

/** Messages by the receiver's role, outcomes and inputs that 100 seeds cannot be without. */
const mustBeSeen: readonly string[] = [
  ...["announce follower", "append follower", "match follower", "reset follower", "hold follower"],
  ...["promised taking", "matched taking", "ack serving", "held serving"],
  ...["multi acquire", "multi change-set", "multi hand-over", "multi manifest"],
  ...["commit committed", "hand-over done", "query opened", "cut no-lease", "refuse moved"],
  ...["input session-expired", "input disk-failed", "input entries-read", "input strain"],
  ...["core failed", "core opened again"],
  ...["slow links", "full disk", "session ended in a takeover"],
];

/** The same in each run, so that a change is to blame for what fails; soak draws. */
function firstSeed(): number {
  return process.env["LOGKEEP_SOAK_SEEDS"] === undefined ? 1 : randomInt(1, 2 ** 31);
}

/** All that once failed, then others. */
function seedsDraw(): readonly number[] {
  if (seedGiven !== undefined) return [Number(seedGiven)];
  const seeds = [...keptLines().seeds];
  const from = firstSeed();
  while (seeds.length < seedCount) seeds.push(from + seeds.length);
  return seeds;
}

/** What once failed: whole runs, and runs with a crash before one effect, as `seed/effect`. */
function keptLines(): {
  readonly seeds: readonly number[];
  readonly crashes: readonly { readonly seed: number; readonly crashAt: number }[];
} {
  const text = readFileSync(new URL("replication-sim-seeds.txt", import.meta.url), "utf8");
  const lines = text.split("\n").filter((line) => /^\d/.test(line));
  const named = lines.map((line) => line.slice(0, line.indexOf(" ")).split("/").map(Number));
  return {
    seeds: named.filter(([, crashAt]) => crashAt === undefined).map(([seed]) => seed as number),
    crashes: named.flatMap(([seed, crashAt]) =>
      seed === undefined || crashAt === undefined ? [] : [{ seed, crashAt }],
    ),
  };
}

function coverageOf(reports: readonly RunReport[]): ReadonlyMap<string, number> {
  const seen = new Map<string, number>();
  for (const { coverage } of reports) {
    for (const [what, count] of coverage) seen.set(what, (seen.get(what) ?? 0) + count);
  }
  return seen;
}

function summaryPrint(context: TestContext, reports: readonly RunReport[]): void {
  const { coverage: _, ...numbers } = reports[0] as RunReport;
  const means = Object.keys(numbers).map((name) => {
    const sum = reports.reduce((total, report) => total + report[name as keyof typeof numbers], 0);
    return `${name} ${(sum / reports.length).toFixed(1)}`;
  });
  context.diagnostic(`a seed: ${means.join(", ")}`);
  for (const [what, count] of [...coverageOf(reports)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    context.diagnostic(`${what.padEnd(40)} ${String(count).padStart(10)}`);
  }
}
