// Goal: no order of faults, one on top of the other, breaks what single faults do not; members that come back get
// what they lack as txns, after a cut, or as a snapshot.
// Method: a seed draws the faults; snapshots are taken, and txns forgotten, every few seconds of load.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Prng } from "../../kit/src/prng.ts";
import type { Ensemble } from "./ensemble.ts";
import { txnsOf } from "./logs.ts";
import { story, type Told } from "./story.ts";

const forgetful = ["snapCount=200", "commitLogCount=60", "autopurge.snapRetainCount=3"];

/** What may happen next. Each is left as it is when the round ends. */
const faults: readonly ((ensemble: Ensemble, prng: Prng) => Promise<void> | void)[] = [
  (ensemble, prng) => prng.pick(ensemble.members).kill(),
  (ensemble, prng) => prng.pick(ensemble.members).stop(),
  (ensemble, prng) => {
    const member = prng.pick(ensemble.members);
    if (member.isAwake) member.pause();
    else if (member.isRunning) member.resume();
    else member.start();
  },
  (ensemble, prng) => {
    for (const member of ensemble.members)
      if (!member.isRunning && prng.chance(0.7)) member.start();
  },
  async (ensemble) => {
    const leader = await ensemble.leading();
    await leader?.kill();
  },
];

/** Those of members that have hosts of their own. */
const cuts: typeof faults = [
  ({ network, members }, prng) => {
    const ids = members.map(({ id }) => id);
    const some = ids.filter(() => prng.chance(0.5));
    network.split(
      some,
      ids.filter((id) => !some.includes(id)),
    );
  },
  ({ network, members }, prng) => {
    const ids = members.map(({ id }) => id);
    network.mute(prng.pick(ids), [prng.pick(ids), prng.pick(ids)]);
  },
  ({ network }) => network.heal(),
];

async function storm(told: Told, kinds: typeof faults): Promise<void> {
  const { ensemble, prng } = told;
  for (let left = 3 + prng.below(4); left > 0; left--) {
    await prng.pick(kinds)(ensemble, prng);
    await sleep(prng.below(1_500));
  }
  if (kinds.length > faults.length) ensemble.network.heal();
  for (const member of ensemble.members) {
    if (!member.isRunning) member.start();
    else if (!member.isAwake) member.resume();
  }
  await ensemble.serving();
}

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

const lasting = { clients: 12, timeoutMs: 20_000, settings: forgetful } as const;

story("three members in a storm of deaths and pauses", { members: 3, ...lasting }, (told) =>
  storm(told, faults),
);

story(
  "five members in a storm of deaths, pauses and cuts",
  { members: 5, isNetworked: true, ...lasting },
  (told) => storm(told, [...faults, ...cuts]),
);
