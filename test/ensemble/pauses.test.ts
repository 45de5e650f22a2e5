// Goal: a process that was held and goes on where it was does no harm: a deposed leader acknowledges nothing and shows
// nothing old behind a sync.
// Method: SIGSTOP past the time after which the others give a member up, then SIGCONT.
import { setTimeout as sleep } from "node:timers/promises";
import { story } from "./story.ts";
import { whileAsked } from "./sync-and-read.ts";

/** Past `syncLimit` ticks, in which the others turn away. */
const heldMs = 3_000;

story("a leader that is held and goes on is deposed and knows it", { members: 3 }, async (told) => {
  const { ensemble, workload } = told;
  const leader = await ensemble.serving();
  await whileAsked(leader, workload.notes, async () => {
    leader.pause();
    await sleep(heldMs);
    await ensemble.serving();
    await workload.answered(200);
    leader.resume();
    await ensemble.serving();
  });
});

story("a follower that is held and goes on joins the others anew", { members: 3 }, async (told) => {
  const { ensemble, workload, prng } = told;
  const follower = prng.pick(await ensemble.others());
  follower.pause();
  await sleep(heldMs);
  await workload.answered(200);
  follower.resume();
  await ensemble.serving();
});

story(
  "a leader that is held shorter than the others wait goes on as if nothing was",
  { members: 3 },
  async (told) => {
    const { ensemble, workload } = told;
    const leader = await ensemble.serving();
    leader.pause();
    await sleep(800);
    leader.resume();
    await workload.answered(200);
    await ensemble.serving();
  },
);
