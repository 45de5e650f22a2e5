// Goal: the simulator bites: each rule of replication, broken on purpose, makes a run fail.
// Method: the core breaks the rule that it is told to break; seeds are run until one fails. With all rules kept that very
// seed passes.
import assert from "node:assert/strict";
import test from "node:test";

import { ShardReplica } from "../src/replication/core/replica.ts";
import type { PlantedFault, ReplicaOptions } from "../src/replication/core/types.ts";
import { runSeed } from "./replication-sim/run.ts";

/** The rarest is found within some hundred; more than that, since any change of the core moves what a seed means. */
const seedsMax = 2000;
const steps = 6000;
const make = (options: ReplicaOptions): ShardReplica => new ShardReplica(options);

const faults: readonly PlantedFault[] = [
  "version-check-skipped",
  "acknowledged-before-fsync",
  "older-epoch-accepted",
  "no-truncation-on-return",
  "log-end-read-early",
  "shrink-assumed",
  "expansion-not-waited-for",
  "sealed-above-committed",
  "dedupe-lost-at-fail-over",
  "merge-without-check",
  "wiped-disk-acquires",
  "cut-without-lease",
  "lease-without-union",
  "dedupe-kept-after-truncation",
];

for (const fault of faults) {
  test(`the simulator finds it when a rule is broken: ${fault}`, (context) => {
    for (let seed = 1; seed <= seedsMax; seed++) {
      try {
        runSeed({ seed, make, steps, faults: new Set([fault]) });
      } catch (thrown) {
        assert(thrown instanceof Error);
        assert(["Violation", "AssertionError"].includes(thrown.name), thrown.stack);
        context.diagnostic(`seed ${seed}: ${thrown.message.split("\n")[0]}`);
        runSeed({ seed, make, steps });
        return;
      }
    }
    assert.fail(`${seedsMax} seeds passed with the rule broken`);
  });
}
