import { setTimeout as sleep } from "node:timers/promises";
import type { Prng } from "../../kit/src/prng.ts";
import type { Ensemble } from "./ensemble.ts";
import type { Told } from "./story.ts";

/** Snapshots are taken, and txns forgotten, every few seconds of load. */
export const forgetful = ["snapCount=200", "commitLogCount=60", "autopurge.snapRetainCount=3"];

/** What may happen next. Each is left as it is when the round ends. */
export const faults: readonly ((ensemble: Ensemble, prng: Prng) => Promise<void> | void)[] = [
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
export const cuts: typeof faults = [
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

/** Some of these faults in turn; then all members run and hear each other. */
export async function storm(told: Told, kinds: typeof faults): Promise<void> {
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
