// Goal: the simulator bites while the ensemble changes and disks are emptied: with a rule of that taken away a run fails.
// Method: the rule is taken out of a copy of the core's source; seeds are run until one fails.
import assert from "node:assert/strict";
import test from "node:test";

import { corePlanted, type Plant } from "./sim/plant.ts";
import { runSeed } from "./sim/world.ts";

const steps = 5000;

const faults: readonly (Plant & { readonly what: string; readonly reconfigures: boolean })[] = [
  {
    what: "a change is decided by the old ensemble alone",
    file: "ensemble.ts",
    from: "const isSame = this.#seen.text === text;",
    to: "const isSame = true;",
    reconfigures: true,
  },
  {
    what: "a change is decided by the new ensemble alone",
    file: "voters.ts",
    from: "return this.#one.isQuorum(holds) && this.#other.isQuorum(holds);",
    to: "return this.#other.isQuorum(holds);",
    reconfigures: true,
  },
  {
    what: "the word of a member that has forgotten what it acknowledged counts",
    file: "epochs.ts",
    from: "return remembers || epoch === 1 || isFirstStart;",
    to: "return true;",
    reconfigures: false,
  },
];

for (const { what, reconfigures, ...plant } of faults) {
  test(`the simulator finds that ${what}`, async (context) => {
    const { core: planted, remove } = await corePlanted([plant]);
    context.after(remove);
    for (let seed = 1; seed <= 100; seed++) {
      try {
        runSeed({ seed, core: planted, steps, reconfigures, wipes: true });
      } catch (thrown) {
        assert(thrown instanceof Error);
        assert(["Violation", "AssertionError"].includes(thrown.name), thrown.stack);
        context.diagnostic(`seed ${seed}: ${thrown.message}`);
        return;
      }
    }
    assert.fail("100 seeds passed with the fault in place");
  });
}
