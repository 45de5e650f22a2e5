// Goal: while nothing fails, nobody waits: records are acknowledged all the time, however many files are sealed, merged and copied meanwhile.
// Method: shippers as fast as they can and a querier at three nodes with little memory, whose shards are sealed each second. A change that
// is lost between two nodes is made up for after half a minute, and until then a shard takes what fits in memory: so this takes minutes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Story } from "../cluster/story.ts";
import type { Service } from "../service.ts";

/** How long records come, in milliseconds. */
const steadyMs = Number(process.env["LOGKEEP_STEADY_MS"] ?? 60_000);

/** The longest pause of a shipper: some times what was seen at a load of forty on two cores. */
const pauseMaxMs = 5_000;

let story: Story;

before(async () => {
  const env = { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000", LOGKEEP_STORAGE_ARENA_BYTES: "33554432" };
  story = await Story.begin({ count: 3, env, shipping: { recordsPerBatch: 200, pauseMs: 0 } });
});

after(() => story?.end());

test("records are acknowledged without a pause while shards seal and merge and their files are copied", async (t) => {
  const { nodes, queriers, shippers } = story;
  shippers.takeGapMs();
  await sleep(steadyMs);
  // All of them: one that waits for something tells of it only when it goes on.
  await shippers.moreOfEach(2);
  const pauseMs = Math.round(shippers.takeGapMs());
  await shippers.stop();
  const seals = await Promise.all(nodes.running().map(sealsOf));
  t.diagnostic(`longest pause ${pauseMs} ms, seals ${seals.join(" ")}; ${shippers.facts}`);
  assert.ok(seals.every((count) => count > 0));
  assert.ok(pauseMs < pauseMaxMs, `${pauseMs} ms without an acknowledgement\n${nodes.log}`);
  const end = "2100-01-01T00:00:00Z";
  for (const node of nodes.running()) {
    const count = await node.count("id:*", { partial: "deny", timeout: "60s", end });
    assert.equal(count, shippers.acknowledged.size);
  }
  assert.deepEqual(queriers.faults, []);
});

async function sealsOf({ http }: Service): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(/^logkeep_storage_seals_total (\d+)$/m.exec(text)?.[1]);
}
