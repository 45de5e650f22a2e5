import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Elasticsearch, missingElasticsearch } from "../servers/elasticsearch.ts";
import {
  assertMirrored,
  eventually,
  freshPrefix,
  metric,
  records,
  ship,
  startMirroring,
  storedBy,
} from "./given.ts";
import { type Mood, TroubleProxy } from "./proxy.ts";

const skip = missingElasticsearch();
const running: { es: Elasticsearch | undefined } = { es: undefined };

before(async () => {
  if (skip === false) running.es = await Elasticsearch.start();
});
after(() => running.es?.kill());

const server = (): Elasticsearch => running.es as Elasticsearch;

const troubles: readonly { readonly name: string; readonly moods: readonly Mood[] }[] = [
  { name: "429 and 503 for whole requests", moods: ["busy", "busy", "pass", "unavailable"] },
  { name: "429 for some items of a request", moods: ["half", "pass", "half", "half"] },
  {
    name: "connections cut before and after a request was done",
    moods: ["cut", "lost-answer", "pass"],
  },
  {
    name: "pages of a proxy, and answers without an end",
    moods: ["page", "endless", "page", "pass"],
  },
];

for (const { name, moods } of troubles) {
  test(`${name}: every record comes there once`, { skip }, async (t) => {
    const proxy = await TroubleProxy.start(server().url);
    t.after(() => proxy.close());
    proxy.mood = (count) => moods[count % moods.length] as Mood;
    const prefix = freshPrefix();
    const args = ["--set", "elasticsearch.bulkMaxBytes=64KiB", "--set", "storage.shards=4"];
    const service = await startMirroring({ url: proxy.url, prefix, args });
    t.after(() => service.kill());
    await ship(service, records(1000, 1));
    await assertMirrored(server(), service, prefix, 1000);
    assert.ok((await metric(service, "retries_total")) > 0);
    assert.equal(await metric(service, "dead_letters_total"), 0);
  });
}

test("an Elasticsearch that never answers holds up neither queries nor a stop", {
  skip,
}, async (t) => {
  const proxy = await TroubleProxy.start(server().url);
  t.after(() => proxy.close());
  proxy.mood = () => "silent";
  // Longer than a stop may take: one that waited for an answer would be cut short.
  const args = ["--set", "elasticsearch.timeoutMs=10m"];
  const service = await startMirroring({ url: proxy.url, prefix: freshPrefix(), args });
  t.after(() => service.kill());
  await ship(service, records(500, 1));
  await eventually(() => proxy.bulks > 0 || undefined);
  assert.equal((await storedBy(service)).length, 500);
  // What is sealed waits; shards are sealed one after the other.
  await eventually(async () => (await metric(service, "lag_records")) >= 500 || undefined);
  assert.equal(await service.stop(), 0);
});
