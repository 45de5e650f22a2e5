// Goal: the nodes of a cluster are replaced by those of this release while it serves, and nothing is lost, twice or missed on the way.
// Method: the earlier release is laid out of this repository's history and runs as real processes, under load.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { messageOf } from "../../kit/src/errors.ts";
import { temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";
import { checkOut, missing, releases } from "./releases.ts";
import { Story, type StoryOptions } from "./story.ts";

/** Nodes that go back to the earlier release after all were replaced; soak takes all three back. */
const nodesBack = Number(process.env["LOGKEEP_NODES_BACK"] ?? 1);

/** The longest that a client may wait while a node is replaced: what routers hold is held for minutes, a loaded machine takes seconds. */
const gapMsMax = 90_000;

/** How often the earlier release is started anew, and how long it may take to serve: so much longer each time. */
const beginnings = 5;
const formTimeoutStepMs = 30_000;

/** Of the earlier release's new clusters, some never make their shards: all of its nodes looked at them before they were placed. */
async function begun(options: StoryOptions): Promise<Story> {
  for (let tries = 1; ; tries++) {
    try {
      return await Story.begin({ ...options, formTimeoutMs: tries * formTimeoutStepMs });
    } catch (thrown) {
      if (tries === beginnings || !messageOf(thrown).startsWith("the cluster does not serve"))
        throw thrown;
    }
  }
}

test("the nodes of a cluster are replaced one at a time under load, and back: nothing is lost, twice or missed", {
  skip: missing(releases.cluster),
}, async (t) => {
  const earlier = await checkOut(releases.cluster);
  const env = { NODE_COMPILE_CACHE: temporaryFolder() };
  const old = new Set([1, 2, 3]);
  const story = await begun({
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
