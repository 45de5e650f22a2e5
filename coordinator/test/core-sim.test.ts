// Goal: whatever connections, disks, clocks and crashes do, the promises of ZAB hold (checker.ts names them), sessions
// end once and only when silent or closed, ephemerals go with them, watches go off before their change is
// seen, and when faults end everyone serves the same again.
// Method: members run the real core and tree in virtual time, and a seed draws all that happens to them. Each run takes
// seeds that once failed (core-sim-seeds.txt) and others, soak fresh ones; a failure prints the seed, and SEED=<n>
// replays it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { type TestContext } from "node:test";

import * as core from "../src/core/peer.ts";
import { firstSeed, seedsOf } from "./sim/seeds.ts";
import { type RunReport, runSeed } from "./sim/world.ts";

const seedGiven = process.env["SEED"];
const seedCount = seedsOf({ few: 15, whole: 200 });
const steps = 5000;

/** Who must have heard what, or the runs mean little. */
const heardBy: Readonly<Record<string, string>> = {
  leading: "ackEpoch ackNewLeader ack pong request revalidate sync learnerInfo",
  following: "proposal commit ping revalidated synced",
  observing: "inform ping revalidated synced",
  looking: "leaderInfo diff trunc snap proposal commit newLeader upToDate learnerInfo ackEpoch",
};

test("an ensemble keeps its promises in a world of faults", (context) => {
  const seeds = seedsDraw();
  context.diagnostic(`${seeds.length} seeds, the last of them ${seeds.at(-1)}`);
  const reports: RunReport[] = [];
  for (const seed of seeds) {
    try {
      reports.push(runSeed({ seed, core, steps }));
    } catch (thrown) {
      throw new Error(`SEED=${seed} node --test coordinator/test/core-sim.test.ts replays this`, {
        cause: thrown,
      });
    }
  }
  const mean = (of: (report: RunReport) => number) =>
    reports.reduce((sum, report) => sum + of(report), 0) / reports.length;
  const [elections, restarts] = [mean((each) => each.elections), mean((each) => each.restarts)];
  const txns = mean((each) => each.committed);
  const sessions = mean((each) => each.sessionsEnded);
  const rotted = mean((each) => each.rotted);
  context.diagnostic(
    `a seed: ${mean((each) => each.steps).toFixed(0)} steps, ${elections.toFixed(1)} elections, ` +
      `${restarts.toFixed(1)} restarts, ${txns.toFixed(0)} txns, ${sessions.toFixed(1)} sessions ended, ${rotted.toFixed(1)} logs rotted`,
  );
  const heard = coverageOf(reports);
  tablePrint(context, heard);
  if (seeds.length < 100) return;
  for (const [role, kinds] of Object.entries(heardBy)) {
    const missing = kinds.split(" ").filter((kind) => heard.get(kind)?.get(role) === undefined);
    assert.deepEqual(missing, [], `never heard while ${role}`);
  }
  assert(elections >= 3, "too few elections to mean anything");
  assert(restarts >= 2, "too few restarts to mean anything");
});

/** All that once failed, then others. */
function seedsDraw(): readonly number[] {
  if (seedGiven !== undefined) return [Number(seedGiven)];
  const text = readFileSync(new URL("core-sim-seeds.txt", import.meta.url), "utf8");
  const kept = text.split("\n").filter((line) => /^\d/.test(line));
  const seeds = kept.map((line) => Number.parseInt(line, 10));
  const from = firstSeed();
  while (seeds.length < seedCount) seeds.push(from + seeds.length);
  return seeds;
}

/** How often a kind of message came to members in a role. */
function coverageOf(reports: readonly RunReport[]): Map<string, Map<string, number>> {
  const heard = new Map<string, Map<string, number>>();
  for (const { coverage } of reports) {
    for (const [key, count] of coverage) {
      const at = key.lastIndexOf(" ");
      const [kind, role] = [key.slice(0, at), key.slice(at + 1)];
      const roles = heard.get(kind) ?? new Map<string, number>();
      heard.set(kind, roles.set(role, (roles.get(role) ?? 0) + count));
    }
  }
  return heard;
}

function tablePrint(context: TestContext, heard: Map<string, Map<string, number>>): void {
  const roles = ["looking", "following", "observing", "leading"];
  const row = (name: string, cells: readonly (number | string)[]) =>
    name.padEnd(28) + cells.map((cell) => String(cell).padStart(11)).join("");
  context.diagnostic(row("heard while", roles));
  for (const [kind, counts] of [...heard].sort(([a], [b]) => (a < b ? -1 : 1))) {
    context.diagnostic(
      row(
        kind,
        roles.map((role) => counts.get(role) ?? 0),
      ),
    );
  }
}
