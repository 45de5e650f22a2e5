// Goal: this release goes on with what the last one before the cluster has left on its disk.
// Method: that release is laid out of this repository's history and runs as a real process.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Service, temporaryFolder } from "../service.ts";
import { checkOut, missing, releases } from "./releases.ts";

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
  const endMs = performance.now() + 120_000;
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
