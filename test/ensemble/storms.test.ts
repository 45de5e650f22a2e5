// Goal: no order of faults, one on top of the other, breaks what single faults do not; members that come back get
// what they lack as txns, after a cut, or as a snapshot.
// Method: a seed draws the faults; snapshots are taken, and txns forgotten, every few seconds of load.
import assert from "node:assert/strict";
import { txnsOf } from "./logs.ts";
import { cuts, faults, forgetful, storm } from "./storm.ts";
import { rounds, story } from "./story.ts";

story(
  "a member that lacks more than the leader remembers gets a snapshot",
  { members: 3, settings: forgetful },
  async ({ ensemble, workload, prng }) => {
    const follower = prng.pick(await ensemble.others());
    await follower.kill();
    const before = Math.max(...txnsOf(follower.dataDir).keys());
    await workload.answered(800);
    follower.start();
    await ensemble.serving();
    await workload.answered(100);
    const after = [...txnsOf(follower.dataDir).keys()].filter((zxid) => zxid > before);
    assert.ok(after.length > 0 && Math.min(...after) > before + 60, "it got txns alone");
  },
);

const lasting = { clients: 12, timeoutMs: 40_000, settings: forgetful } as const;

// Once, five members show what three do.
if (rounds > 1) {
  story("three members in a storm of deaths and pauses", { members: 3, ...lasting }, (told) =>
    storm(told, faults),
  );
}

story(
  "five members in a storm of deaths, pauses and cuts",
  { members: 5, isNetworked: true, ...lasting },
  (told) => storm(told, [...faults, ...cuts]),
);
