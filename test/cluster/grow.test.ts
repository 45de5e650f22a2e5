// Goal: a node alone becomes an ensemble of three with its records, and one of three does not go on alone by mistake.
// Method: real processes; first the new members follow without a vote, then all are restarted with one.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { run } from "./command.ts";
import { shipOnce } from "./insist.ts";
import { Members } from "./members.ts";

const members = await Members.open();

after(() => members.close());

async function ship(id: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({
    ...{ service: `s${i % 20}`, host: "h", _msg: `grown ${i}` },
  }));
  await shipOnce(members.node(id), records);
}

const found = (id: number): Promise<number> =>
  members.node(id).count("grown", { partial: "deny", timeout: "60s" });

test("a node alone leads two new members without a vote, which take over what it has", async () => {
  await members.start(1, []);
  await ship(1, 100);
  assert.equal(await members.node(1).stop(), 0);
  await Promise.all([1, 2, 3].map((id) => members.start(id, members.ensemble([2, 3]))));
  await members.until("two observers", async () => {
    return (await members.modes([1, 2, 3])) === "leader,observer,observer";
  });
  await members.until("each record", async () => (await found(3)) === 100);
});

test("with a vote each they are an ensemble of which any member may die", async () => {
  for (const id of [1, 2, 3]) assert.equal(await members.node(id).stop(), 0);
  await Promise.all([1, 2, 3].map((id) => members.start(id, members.ensemble([]))));
  await ship(2, 100);
  await members.until("each record", async () => (await found(1)) === 200);
  await members.node(1).kill();
  await members.until("a quorum of the others", async () => {
    return ["follower,leader", "leader,follower"].includes(await members.modes([2, 3]));
  });
});

test("a member of three does not start alone, and says how it may", async () => {
  const { dataDir, args = [] } = members.optionsOf(1, []);
  const { code, said } = await run(["start", "--data", dataDir, ...args, "--http", "127.0.0.1:0"]);
  assert.equal(code, 1, said);
  assert.match(said, /is a member of an ensemble with 2 and 3: start it with --ensemble/);
  await members.start(1, members.ensemble([]));
  await members.until("each record", async () => (await found(1)) === 200);
});
