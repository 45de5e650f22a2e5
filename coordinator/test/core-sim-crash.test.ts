// Goal: there is no moment at which a crash breaks a promise: before each thing that a core asks of its host, a member
// may end, and start again with what its disk has come to.
// Method: runs of one seed differ only in where the crash is, at moments spread over all of it. Soak takes other seeds and
// moments; a failure prints both.
import assert from "node:assert/strict";
import test from "node:test";

import * as core from "../src/core/peer.ts";
import { firstSeed, seedsOf } from "./sim/seeds.ts";
import { runSeed } from "./sim/world.ts";

const count = seedsOf({ few: 8, whole: 50 });
const steps = 1500;

test("a crash before any effect breaks no promise", (context) => {
  const seed = Number(process.env["SEED"] ?? firstSeed());
  const { effects } = runSeed({ seed, core, steps, crashAt: Number.POSITIVE_INFINITY });
  const stride = Math.max(1, Math.floor(effects / count));
  const first = 1 + (firstSeed() % stride);
  let runs = 0;
  for (let crashAt = first; crashAt <= effects; crashAt += stride) {
    try {
      runSeed({ seed, core, steps, crashAt });
    } catch (thrown) {
      throw new Error(`SEED=${seed}, a crash at effect ${crashAt} of ${effects}`, {
        cause: thrown,
      });
    }
    runs++;
  }
  context.diagnostic(`seed ${seed}: ${runs} crashes over ${effects} effects`);
  assert(runs >= Math.min(count, effects), "fewer moments than were asked for");
});
