// Goal: whoever hears no quorum acknowledges nothing, whoever hears one goes on, and nothing is lost when all hear each
// other again.
// Method: members on hosts of their own; ways between them are closed, both or one of them.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { opCodes, versionAny } from "../../coordinator/src/wire/constants.ts";
import * as records from "../../coordinator/src/wire/records.ts";
import { base } from "./notes.ts";
import type { ClientSession, Outcome } from "./session.ts";
import { story } from "./story.ts";
import { whileAsked } from "./sync-and-read.ts";
import { withMember } from "./trees.ts";

/** A member is back after a second; one that waits until a lost packet is sent again, after ten and more. */
const backWithinMs = 7_000;

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
    await ensemble.left(follower);
    await workload.answered(200);
    ensemble.network.heal();
    await ensemble.serving();
  },
);

story("a member that was deaf for long is back soon after it hears", networked, async (told) => {
  const { ensemble, workload, prng } = told;
  const leader = await ensemble.serving();
  const follower = prng.pick(await ensemble.others(leader));
  const tookMs: number[] = [];
  // Again where it was late: the machine may be busy.
  while (tookMs.length < 4 && Math.min(...tookMs) >= backWithinMs) {
    const others = ensemble.members.filter((one) => one !== follower).map(({ id }) => id);
    ensemble.network.split([follower.id], others);
    await ensemble.left(follower);
    await workload.answered(200);
    // By then a packet that was lost is sent again after ten seconds and more.
    await sleep(14_000);
    const before = performance.now();
    ensemble.network.heal();
    await ensemble.serving();
    tookMs.push(performance.now() - before);
  }
  assert(Math.min(...tookMs) < backWithinMs, `it took ${tookMs.map(Math.round)} ms`);
});

story("a leader that wakes up where nobody hears it shows nothing old", networked, async (told) => {
  const { ensemble, workload } = told;
  const leader = await ensemble.serving();
  const others = (await ensemble.others(leader)).map(({ id }) => id);
  await whileAsked(leader, workload.notes, async () => {
    leader.pause();
    // It does not hear either that the others turned away.
    ensemble.network.split([leader.id], others);
    await ensemble.serving(others);
    await workload.answered(200);
    leader.resume();
    await sleep(1_000);
  });
  ensemble.network.heal();
  await ensemble.serving();
});

story("no write inside a minority is acknowledged", networked, async (told) => {
  const { ensemble, workload } = told;
  const leader = await ensemble.serving();
  const others = (await ensemble.others(leader)).map(({ id }) => id);
  await withMember(leader, async (session) => {
    assert.equal((await written(session)).kind, "ok");
    const sessionBefore = session.id;
    ensemble.network.split([leader.id], others);
    const outcomes: string[] = [];
    const majority = ensemble.serving(others).then(() => workload.answered(200));
    const isOver = majority.then(() => true);
    while (!(await Promise.race([isOver, sleep(50, false)]))) {
      outcomes.push((await written(session)).kind);
    }
    assert.deepEqual(
      outcomes.filter((kind) => kind === "ok"),
      [],
    );
    ensemble.network.heal();
    await ensemble.serving();
    // Its session is known to the quorum, which kept it.
    assert.ok(await session.ready(performance.now() + 90_000));
    assert.equal(session.id, sessionBefore);
    assert.equal((await written(session)).kind, "ok");
  });
});

function written(session: ClientSession): Promise<Outcome<unknown>> {
  const { SetDataRequest, StatResponse } = records;
  const body = { path: base, data: Buffer.from("inside"), version: versionAny };
  return session.ask(opCodes.setData, SetDataRequest, body, StatResponse);
}
