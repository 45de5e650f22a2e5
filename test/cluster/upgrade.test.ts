// Goal: a release is replaced by this one, on its disks and beside its nodes, and nothing is lost, twice or refused on the way.
// Method: earlier releases are laid out of this repository's history and run as real processes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Service, temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";
import { checkOut, missing, releases } from "./releases.ts";
import { Story } from "./story.ts";

/** Nodes that go back to the earlier release after all were replaced; soak takes all three back. */
const nodesBack = Number(process.env["LOGKEEP_NODES_BACK"] ?? 1);

/** The longest that a client may wait while a node is replaced: what routers hold is held for minutes, a loaded machine takes seconds. */
const gapMsMax = 30_000;

async function shipped(service: Service, count: number): Promise<number> {
  const records = Array.from({ length: count }, (_, i) => ({
    ...{ service: `s${i % 20}`, host: "h", code: i % 7, _msg: `kept record ${i} of ${count}` },
  }));
  const { accepted } = await service.ship(records);
  assert.equal(accepted, count);
  return count;
}

/** Resolves when something has been sealed, so that the next release finds segments as well as a log. */
async function sealed(service: Service): Promise<void> {
  const endMs = performance.now() + 60_000;
  for (;;) {
    const response = await fetch(`${service.http}/api/v1/cluster`);
    const { stored } = (await response.json()) as { stored: { segments: number } };
    if (stored.segments > 0) return;
    if (performance.now() > endMs) throw new Error(`nothing is sealed\n${service.log}`);
    await sleep(100);
  }
}

test("a node of the release before the cluster is replaced by this one: its segments and its log are there, and it goes on", {
  skip: missing(releases.single),
}, async () => {
  const dataDir = temporaryFolder();
  const bin = await checkOut(releases.single);
  const args = ["--set", "storage.sealAgeMs=1s"];
  const env = { NODE_COMPILE_CACHE: temporaryFolder() };
  const before = await Service.start({ dataDir, bin, args, env });
  let total = await shipped(before, 500);
  await sealed(before);
  total += await shipped(before, 300);
  // What came last is in the log alone.
  await before.kill();
  const after = await Service.start({ dataDir });
  try {
    assert.equal(await after.count("kept", { partial: "deny" }), total);
    // Every 140th of either request has both.
    assert.equal(await after.count("code:3 service:s3", { partial: "deny" }), 4 + 3);
    total += await shipped(after, 200);
    assert.equal(await after.count("kept", { partial: "deny" }), total);
    assert.equal(await after.stop(), 0);
  } finally {
    await after.kill();
  }
});

test("the nodes of a cluster are replaced one at a time under load, and back: nothing is lost, twice or missed", {
  skip: missing(releases.cluster),
}, async (t) => {
  const earlier = await checkOut(releases.cluster);
  const env = { NODE_COMPILE_CACHE: temporaryFolder() };
  const old = new Set([1, 2, 3]);
  const story = await Story.begin({
    count: 3,
    place: (id) => (old.has(id) ? { bin: earlier, env } : {}),
  });
  const { nodes, queriers, shippers } = story;
  const replace = async (id: number): Promise<void> => {
    shippers.takeGapMs();
    assert.equal(await nodes.node(id).stop(), 0);
    const { pid } = await nodes.startNode(id);
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    assert.equal(command.includes(`${root}/`), !old.has(id), command);
    await nodes.serving();
    await shippers.more(100);
    await queriers.more(1);
    const gapMs = Math.round(shippers.takeGapMs());
    t.diagnostic(`node ${id} ${old.has(id) ? "back" : "replaced"}: longest gap ${gapMs} ms`);
    assert.ok(gapMs < gapMsMax, `a gap of ${gapMs} ms\n${nodes.log}`);
  };
  try {
    for (const id of [1, 2, 3]) {
      old.delete(id);
      await replace(id);
    }
    for (const id of [1, 2, 3].slice(0, nodesBack)) {
      old.add(id);
      await replace(id);
    }
    await story.check(t);
  } finally {
    await story.end();
  }
});
