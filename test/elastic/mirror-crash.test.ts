import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { Elasticsearch, missingElasticsearch } from "../servers/elasticsearch.ts";
import { Service } from "../service.ts";
import {
  assertMirrored,
  eventually,
  figure,
  freshPrefix,
  metric,
  records,
  ship,
  startMirroring,
} from "./given.ts";

const skip = missingElasticsearch();
const running: { es: Elasticsearch | undefined } = { es: undefined };

before(async () => {
  if (skip === false) running.es = await Elasticsearch.start();
});
after(() => running.es?.kill());

const server = (): Elasticsearch => running.es as Elasticsearch;

for (const point of [
  "mirror.read",
  "mirror.sent",
  "mirror.sent:3",
  "mirror.moved",
  "mirror.moved:2",
]) {
  test(`killed at ${point}, it goes on: nothing is missing, nothing doubled`, {
    skip,
  }, async (t) => {
    const prefix = freshPrefix();
    const url = server().url;
    // Small requests, so that a segment takes several.
    const args = ["--set", "elasticsearch.bulkMaxBytes=64KiB", "--set", "storage.shards=4"];
    const env = { LOGKEEP_CRASH_AT: point };
    const first = await startMirroring({ url, prefix, args, env });
    await ship(first, records(1500, 1));
    if (first.isRunning) await once(first.child, "exit");
    assert.equal(first.child.signalCode, "SIGKILL");
    const { dataDir } = first;
    const second = await startMirroring({ url, prefix, args, dataDir });
    t.after(() => second.kill());
    await ship(second, records(300, 2));
    await assertMirrored(server(), second, prefix, 1800);
  });
}

test("killed before its progress moved, and its segments merged meanwhile: nothing doubled", {
  skip,
}, async (t) => {
  const prefix = freshPrefix();
  const url = server().url;
  const oneShard = ["--set", "storage.shards=1"];
  const env = { LOGKEEP_CRASH_AT: "mirror.sent" };
  const first = await startMirroring({ url, prefix, args: oneShard, env });
  await ship(first, records(500, 0));
  if (first.isRunning) await once(first.child, "exit");
  assert.equal(first.child.signalCode, "SIGKILL");

  // Without a mirror; what was sent and what never was come into one segment.
  const { dataDir } = first;
  const args = [...oneShard, "--set", "storage.sealAgeMs=1000"];
  const second = await Service.start({ dataDir, args });
  t.after(() => second.kill());
  for (let batch = 1; batch <= 4; batch++) {
    await ship(second, records(500, batch));
    await eventually(async () => (await figure(second, "storage_memory_bytes")) === 0 || undefined);
  }
  await eventually(async () => (await figure(second, "storage_merges_total")) > 0 || undefined);
  await second.stop();

  const third = await startMirroring({ url, prefix, args: oneShard, dataDir });
  t.after(() => third.kill());
  await assertMirrored(server(), third, prefix, 2500);
  assert.ok((await metric(third, "repeats_total")) >= 500);
});
