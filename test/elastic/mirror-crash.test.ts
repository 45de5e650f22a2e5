import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { Elasticsearch, missingElasticsearch } from "../servers/elasticsearch.ts";
import { assertMirrored, freshPrefix, records, ship, startMirroring } from "./given.ts";

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
