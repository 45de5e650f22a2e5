// Goal: what core-sim.test.ts holds is held while the ensemble changes and while disks are emptied: any change that a
// leader takes, at any moment, with crashes, partitions and slow disks meanwhile; every commit has quorums of the
// ensembles that it needs, and a member that has forgotten what it acknowledged takes nothing back.
// Method: the same simulated world; a failure prints the seed, and SEED=<n> replays it.
import assert from "node:assert/strict";
import test from "node:test";

import * as core from "../src/core/peer.ts";
import { firstSeed, seedsOf } from "./sim/seeds.ts";
import { type RunReport, runSeed } from "./sim/world.ts";

const seedGiven = process.env["SEED"];
const seedCount = seedGiven === undefined ? seedsOf({ few: 3, whole: 20 }) : 1;
const steps = 5000;

const cases: {
  readonly what: string;
  readonly options: { readonly reconfigures?: boolean; readonly wipes?: boolean };
  readonly counted: (report: RunReport) => number;
}[] = [
  {
    what: "it changes",
    options: { reconfigures: true },
    counted: ({ reconfigured }) => reconfigured,
  },
  { what: "disks are emptied", options: { wipes: true }, counted: ({ wiped }) => wiped },
  {
    what: "it changes and disks are emptied",
    options: { reconfigures: true, wipes: true },
    counted: ({ reconfigured, wiped }) => Math.min(reconfigured, wiped),
  },
];

for (const { what, options, counted } of cases) {
  test(`an ensemble keeps its promises while ${what}`, (context) => {
    const from = Number(seedGiven ?? firstSeed());
    let sum = 0;
    for (let seed = from; seed < from + seedCount; seed++) {
      try {
        sum += counted(runSeed({ seed, core, steps, ...options }));
      } catch (thrown) {
        throw new Error(`SEED=${seed} node --test coordinator/test/core-reconfig.test.ts`, {
          cause: thrown,
        });
      }
    }
    context.diagnostic(
      `${seedCount} seeds from ${from}: ${(sum / seedCount).toFixed(1)} times each`,
    );
    if (seedCount >= 20) assert(sum >= seedCount / 10, "too seldom to mean anything");
  });
}
