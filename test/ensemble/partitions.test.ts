// Goal: whoever hears no quorum acknowledges nothing, whoever hears one goes on, and nothing is lost when all hear each
// other again.
// Method: members on hosts of their own; ways between them are closed, both or one of them.
import { story } from "./story.ts";

const networked = { members: 3, isNetworked: true } as const;

story("a leader that is cut off from the others is replaced", networked, async (told) => {
  const { ensemble, workload } = told;
  const leader = await ensemble.serving();
  const others = (await ensemble.others(leader)).map(({ id }) => id);
  ensemble.network.split([leader.id], others);
  await ensemble.serving(others);
  await workload.answered(200);
  ensemble.network.heal();
  await ensemble.serving();
});

story("a leader that the others do not hear is replaced", networked, async (told) => {
  const { ensemble, workload } = told;
  const leader = await ensemble.serving();
  const others = (await ensemble.others(leader)).map(({ id }) => id);
  ensemble.network.mute(leader.id, others);
  await ensemble.serving(others);
  await workload.answered(200);
  ensemble.network.heal();
  await ensemble.serving();
});

story("a leader that does not hear the others gives up", networked, async (told) => {
  const { ensemble, workload } = told;
  const leader = await ensemble.serving();
  const others = (await ensemble.others(leader)).map(({ id }) => id);
  for (const id of others) ensemble.network.mute(id, [leader.id]);
  await ensemble.serving(others);
  await workload.answered(200);
  ensemble.network.heal();
  await ensemble.serving();
});

story(
  "a follower that the leader does not hear is left behind and catches up",
  networked,
  async (told) => {
    const { ensemble, workload, prng } = told;
    const leader = await ensemble.serving();
    const follower = prng.pick(await ensemble.others(leader));
    ensemble.network.mute(follower.id, [leader.id]);
    await workload.answered(300);
    ensemble.network.heal();
    await ensemble.serving();
  },
);
