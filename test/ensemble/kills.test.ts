// Goal: what was acknowledged survives any death of processes, and every session lives through it.
// Method: real servers under load are killed, stopped and started; what clients noted meanwhile is judged.
import { story } from "./story.ts";

story(
  "a leader that is killed takes nothing acknowledged with it",
  { members: 3 },
  async (told) => {
    const { ensemble, workload } = told;
    const leader = await ensemble.serving();
    await leader.kill();
    await workload.answered(300);
    leader.start();
    await ensemble.serving();
  },
);

story(
  "a follower that is killed comes back to what went on without it",
  { members: 3 },
  async (told) => {
    const { ensemble, workload, prng } = told;
    const follower = prng.pick(await ensemble.others());
    await follower.kill();
    await workload.answered(300);
    follower.start();
    await ensemble.serving();
  },
);

story(
  "all members killed at once come back with all that was acknowledged",
  { members: 3 },
  async (told) => {
    const { ensemble, workload } = told;
    await workload.answered(200);
    await Promise.all(ensemble.members.map((member) => member.kill()));
    for (const member of ensemble.members) member.start();
    await ensemble.serving();
  },
);

story(
  "members that are restarted in turn, the leader last, end no session",
  { members: 3 },
  async (told) => {
    const { ensemble, workload } = told;
    const leader = await ensemble.serving();
    for (const member of [...(await ensemble.others(leader)), leader]) {
      await member.stop();
      await workload.answered(100);
      member.start();
      await ensemble.serving();
    }
  },
);

story("of five members two may be killed, the leader among them", { members: 5 }, async (told) => {
  const { ensemble, workload, prng } = told;
  const leader = await ensemble.serving();
  const other = prng.pick(await ensemble.others(leader));
  await Promise.all([leader.kill(), other.kill()]);
  await workload.answered(300);
  leader.start();
  other.start();
  await ensemble.serving();
});
