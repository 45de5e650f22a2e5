// Goal: observers serve clients and have no vote.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { story } from "./story.ts";

const observed = { members: 5, observers: [4, 5] } as const;

story("observers see everything, and their death stops nothing", observed, async (told) => {
  const { ensemble, workload } = told;
  const observers = [ensemble.member(4), ensemble.member(5)];
  for (const observer of observers) assert.equal(await observer.mode(), "observer");
  await Promise.all(observers.map((observer) => observer.kill()));
  await workload.answered(200);
  for (const observer of observers) observer.start();
  await ensemble.serving();
});

story("observers make no quorum", observed, async (told) => {
  const { ensemble, workload } = told;
  const leader = await ensemble.serving();
  const voters = [1, 2, 3].map((id) => ensemble.member(id)).filter((one) => one !== leader);
  await Promise.all(voters.map((voter) => voter.kill()));
  for (const member of [leader, ensemble.member(4), ensemble.member(5)]) {
    await ensemble.left(member);
  }
  // What they answered before may be on its way yet.
  await sleep(500);
  const { ok } = workload.notes.counts;
  await sleep(1_000);
  assert.equal(workload.notes.counts.ok, ok);
  for (const voter of voters) voter.start();
  await ensemble.serving();
});
