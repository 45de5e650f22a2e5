// Goal: a shard whose whole set is gone is served again by an older copy once a person accepts the loss, and what comes back later follows it.
// Method: a node dies; the other one goes on alone and dies too; the first comes back, and lacks what was acknowledged meanwhile.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AuditAnswer } from "../../api/src/audit.ts";
import type { ShardListed, ShardsAnswer } from "../../api/src/cluster.ts";
import { run } from "./command.ts";
import { insist, shipOnce } from "./insist.ts";
import { Nodes } from "./nodes.ts";

let nodes: Nodes;

before(async () => {
  // The coordinator outlives both.
  nodes = await Nodes.start({ count: 1, args: ["--roles", "coordinator"] });
  await Promise.all([2, 3].map(start));
});

after(() => nodes?.close());

async function start(id: number): Promise<void> {
  await nodes.startNode(id, { join: 1, args: ["--roles", "ingest,query"] });
}

async function shards(): Promise<readonly ShardListed[]> {
  const response = await fetch(`${nodes.node(1).http}/api/v1/cluster/shards`);
  return ((await response.json()) as ShardsAnswer).shards;
}

async function until(what: string, claim: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 120_000;
  while (!(await claim().catch(() => false))) {
    if (performance.now() > endMs) {
      const all = JSON.stringify(await shards());
      throw new Error(`${what} did not come to be\n${all}\n${nodes.log}`);
    }
    await sleep(100);
  }
}

const every = (what: string, claim: (shard: ShardListed) => boolean) =>
  until(what, async () => (await shards()).every(claim));

/** Nodes whose copies are in sync and there. */
function inSync({ replicas }: ShardListed): number[] {
  return replicas.flatMap((one) => (one.isInSync && one.isLive ? [one.node] : [])).sort();
}

async function ship(id: number, word: string, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({
    ...{ service: `s${i % 20}`, host: "h", _msg: `${word} ${i}` },
  }));
  await shipOnce(nodes.node(id), records);
}

const found = (id: number, word: string) =>
  insist(() => nodes.node(id).count(word, { partial: "deny", timeout: "60s" }));

const recover = (shard: number, ...more: string[]) =>
  run(["shard", "recover", String(shard), ...more, "--url", nodes.node(2).http]);

test("the one copy that is left is not served by itself, since it lacks what was acknowledged", async () => {
  await every("two copies of each shard", (one) => inSync(one).join() === "2,3");
  await ship(2, "early", 80);
  await nodes.node(2).kill();
  await every("node 3 alone", (one) => inSync(one).join() === "3" && one.owner === 3);
  await ship(3, "lost", 80);
  await nodes.node(3).kill();
  await start(2);
  await every("nobody's shards", (one) => one.state === "offline" && inSync(one).length === 0);
  const status = await run(["status", "--url", nodes.node(2).http]);
  assert.match(status.said, /offline: 0, 1, 2, 3/);
  assert.equal(status.code, 1);
  const searched = await fetch(
    `${nodes.node(2).http}/api/v1/query?query=*&timeout=3s&partial=deny`,
  );
  assert.equal(searched.status, 503);
});

test("a person has it served at the price of the records that it lacks, and the journal says who gave up what", async () => {
  const unsaid = await recover(0);
  assert.deepEqual([unsaid.code, /--accept-loss/.test(unsaid.said)], [2, true], unsaid.said);
  for (const { id } of await shards()) {
    const { code, said } = await recover(id, "--accept-loss");
    assert.deepEqual([code, /given up: 3\//.test(said)], [0, true], said);
  }
  await every("node 2 alone", (one) => one.owner === 2 && inSync(one).join() === "2");
  assert.equal(await found(2, "early"), 80);
  assert.equal(await found(2, "lost"), 0);
  await ship(2, "later", 80);
  interface Noted {
    readonly action: string;
    readonly target: string;
    readonly after: string;
  }
  let noted: readonly Noted[] = [];
  await until("entries of the journal", async () => {
    const response = await fetch(`${nodes.node(2).http}/api/v1/audit`);
    const { entries } = (await response.json()) as AuditAnswer;
    const all = entries.map(({ entry }) => JSON.parse(entry) as Noted);
    noted = all.filter(({ action }) => action === "shard.recover");
    return noted.length === 4;
  });
  assert.deepEqual(noted.map(({ target }) => target).sort(), ["0", "1", "2", "3"]);
  assert.match(noted[0]?.after ?? "", /"lost":\["3\//);
});

test("a disk that comes back later is made equal to the copy that was chosen", async () => {
  await start(3);
  await every("two copies of each shard", (one) => inSync(one).join() === "2,3");
  // Node 3 owns its share again, and so answers by what it has itself.
  await every("shards of both", (one) => one.owner === one.assigned[0]);
  for (const [word, count] of [
    ["early", 80],
    ["lost", 0],
    ["later", 80],
  ] as const) {
    assert.deepEqual(await Promise.all([found(2, word), found(3, word)]), [count, count], word);
  }
  const again = await recover(0, "--accept-loss");
  assert.deepEqual([again.code, /nothing needs to be given up/.test(again.said)], [1, true]);
});
