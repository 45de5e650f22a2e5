// Goal: the simulator bites: each of the bugs that once lost txns in ZooKeeper, planted here, makes a run fail.
// Method: a bug of the core is planted in a copy of its source, one of its host in the simulated host; seeds are
// run until one fails. Without a plant the same seeds pass: that is the other test.
import assert from "node:assert/strict";
import test from "node:test";

import * as core from "../src/core/peer.ts";
import { faults } from "./sim/faults.ts";
import { corePlanted } from "./sim/plant.ts";
import { runSeed } from "./sim/world.ts";

const seedsMax = 60;
const steps = 6000;

for (const { bug, what, plants, inHost } of faults) {
  test(`the simulator finds ${bug}: ${what}`, async (context) => {
    const { core: planted, remove } = await corePlanted(plants);
    context.after(remove);
    const options = inHost === undefined ? { core: planted } : { core, faults: new Set([inHost]) };
    for (let seed = 1; seed <= seedsMax; seed++) {
      try {
        runSeed({ ...options, seed, steps });
      } catch (thrown) {
        assert(thrown instanceof Error);
        assert(["Violation", "AssertionError"].includes(thrown.name), thrown.stack);
        context.diagnostic(`seed ${seed}: ${thrown.message}`);
        return;
      }
    }
    assert.fail(`${seedsMax} seeds passed with the bug in place`);
  });
}
