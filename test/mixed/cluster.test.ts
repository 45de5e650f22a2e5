// Goal: nodes of Logkeep work on an ensemble of Apache ZooKeeper as they do on their own: deaths of nodes and of servers lose nothing.
import { after, before, test } from "node:test";
import { Story } from "../cluster/story.ts";
import { Ensemble } from "../ensemble/ensemble.ts";
import type { MemberKind } from "../ensemble/member.ts";
import { missingZooKeeper } from "../servers/zookeeper.ts";

/** Rounds of deaths; soak raises them. */
const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 1);

const skip = missingZooKeeper();
const kinds: readonly MemberKind[] = ["apache", "apache", "apache"];

let ensemble: Ensemble;
let story: Story;

before(async () => {
  if (skip !== false) return;
  ensemble = await Ensemble.start({ kinds });
  const connect = ensemble.addresses.map(({ host, port }) => `${host}:${port}`);
  story = await Story.begin({ count: 2, connect });
});

after(async () => {
  await story?.end();
  await ensemble?.end();
});

test("two nodes on a real ZooKeeper: a node dies, then the ensemble's leader", {
  skip,
}, async (t) => {
  const { nodes, queriers, shippers } = story;
  for (let round = 0; round < rounds; round++) {
    const id = 1 + (round % 2);
    shippers.takeGapMs();
    await nodes.node(id).kill();
    await shippers.more(200);
    await queriers.more(1);
    t.diagnostic(`node ${id} killed: longest gap ${Math.round(shippers.takeGapMs())} ms`);
    await nodes.startNode(id);
    await nodes.serving();
    const leader = await ensemble.serving();
    await leader.kill();
    await ensemble.serving();
    await shippers.more(200);
    t.diagnostic(`leader killed: longest gap ${Math.round(shippers.takeGapMs())} ms`);
    leader.start();
    await ensemble.serving();
  }
  await story.check(t);
});
