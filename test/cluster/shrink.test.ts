// Goal: an ensemble of three becomes one member and two nodes of its cluster, and no record is lost, refused for good or stored twice on the way.
// Method: real processes under constant ingest, restarted step by step as docs/cluster.md says.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { allInSync } from "./in-sync.ts";
import { Members } from "./members.ts";
import { faultsOf, Shippers } from "./shippers.ts";

let members: Members;
let shippers: Shippers | undefined;

before(async () => {
  members = await Members.open();
  await Promise.all([1, 2, 3].map((id) => members.start(id, members.ensemble([]))));
  shippers = new Shippers({ targets: () => members.running() });
});

after(async () => {
  await Promise.all([members.close(), shippers?.end()]);
});

test("three members with a vote become one while records come, and it goes on when one of the others dies", async () => {
  assert.ok(shippers !== undefined);
  await shippers.more(200);
  // The one that is to stay is the last: so it has what the others committed, and nobody leads beside it.
  for (const id of [3, 2, 1]) assert.equal(await members.node(id).stop(), 0);
  await Promise.all([1, 2, 3].map((id) => members.start(id, members.ensemble([2, 3]))));
  await members.until("two observers", async () => {
    return (await members.modes([1, 2, 3])) === "leader,observer,observer";
  });
  await shippers.more(200);
  for (const id of [2, 3, 1]) {
    assert.equal(await members.node(id).stop(), 0);
    await members.start(id, id === 1 ? [] : ["--join", members.peerOf(1)]);
    await shippers.more(200);
  }
  assert.equal(await members.modes([1]), "standalone");
  await allInSync(() => members.running());
  await members.node(3).kill();
  await shippers.more(200);
  await shippers.stop();
  for (const id of [1, 2]) {
    assert.deepEqual(await faultsOf(members.node(id), shippers.acknowledged), []);
  }
});
