// Goal: while the coordinator has no quorum, records are taken and found by those that own their shards, and all is well after it.
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Ensemble } from "../ensemble/ensemble.ts";
import { Story } from "./story.ts";

/** How long there is no quorum, in milliseconds; soak has it longer. */
const lostMs = Number(process.env["LOGKEEP_QUORUM_LOST_MS"] ?? 15_000);

let ensemble: Ensemble;
let story: Story;

before(async () => {
  ensemble = await Ensemble.start({ kinds: ["logkeep", "logkeep", "logkeep"] });
  const connect = ensemble.addresses.map(({ host, port }) => `${host}:${port}`);
  story = await Story.begin({ count: 2, connect });
});

after(async () => {
  await story?.end();
  await ensemble?.end();
});

test("two of three coordinators die: writes go on until they are back, and after it", async (t) => {
  const { queriers, shippers } = story;
  const leader = await ensemble.serving();
  const [other] = await ensemble.others(leader);
  shippers.takeGapMs();
  const before = shippers.acknowledged.size;
  await Promise.all([leader.kill(), other!.kill()]);
  await sleep(lostMs);
  await shippers.more(200);
  await queriers.more(1);
  t.diagnostic(`${shippers.acknowledged.size - before} records acknowledged without a quorum`);
  t.diagnostic(`longest gap ${Math.round(shippers.takeGapMs())} ms`);
  leader.start();
  other!.start();
  await ensemble.serving();
  await shippers.more(400);
  await story.check(t);
});

test("the coordinator's leader dies again and again", async (t) => {
  const { shippers } = story;
  for (let round = 0; round < 2; round++) {
    const leader = await ensemble.serving();
    shippers.takeGapMs();
    await leader.kill();
    await ensemble.serving();
    await shippers.more(200);
    t.diagnostic(`longest gap ${Math.round(shippers.takeGapMs())} ms`);
    leader.start();
    await ensemble.serving();
  }
  await story.check(t);
});
