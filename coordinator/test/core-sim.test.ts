// Goal: whatever connections, disks, clocks and crashes do, no committed txn is lost, reordered or doubled, an epoch
// has one leader, nobody says what is not on its disk, and when faults end everyone serves the same again.
// Method: members run the real core in virtual time, and a seed draws all that happens to them. A failure prints
// the seed, and SEED=<n> replays that run.
import assert from "node:assert/strict";
import test from "node:test";

import * as core from "../src/core/peer.ts";
import { runSeed } from "./sim/world.ts";

const seedGiven = process.env["SEED"];
const seedCount = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 20);
const steps = 6000;

/** Who must have heard what, or the runs mean little. */
const heardBy: Readonly<Record<string, string>> = {
  leading: "ackEpoch ackNewLeader ack pong request revalidate sync learnerInfo",
  following: "proposal commit ping revalidated synced",
  observing: "inform ping revalidated synced",
  looking: "leaderInfo diff trunc snap proposal commit newLeader upToDate learnerInfo ackEpoch",
};

test("an ensemble keeps its promises in a world of faults", (context) => {
  const seeds =
    seedGiven === undefined
      ? Array.from({ length: seedCount }, (_, index) => index + 1)
      : [Number(seedGiven)];
  const coverage = new Map<string, number>();
  const sums = { elections: 0, restarts: 0, committed: 0 };
  for (const seed of seeds) {
    try {
      const report = runSeed({ seed, core, steps });
      sums.elections += report.elections;
      sums.restarts += report.restarts;
      sums.committed += report.committed;
      for (const [key, count] of report.coverage)
        coverage.set(key, (coverage.get(key) ?? 0) + count);
    } catch (thrown) {
      throw new Error(`SEED=${seed}`, { cause: thrown });
    }
  }
  const mean = (sum: number) => (sum / seeds.length).toFixed(1);
  const { elections, restarts, committed } = sums;
  context.diagnostic(
    `a seed: ${mean(elections)} elections, ${mean(restarts)} restarts, ${mean(committed)} txns`,
  );
  for (const [key, count] of [...coverage].sort()) context.diagnostic(`${count} × ${key}`);
  if (seeds.length < 10) return;
  for (const [role, kinds] of Object.entries(heardBy)) {
    const missing = kinds.split(" ").filter((kind) => !coverage.has(`${kind} ${role}`));
    assert.deepEqual(missing, [], `never heard while ${role}`);
  }
  assert(elections >= 3 * seeds.length, "too few elections to mean anything");
  assert(restarts >= 2 * seeds.length, "too few restarts to mean anything");
});
