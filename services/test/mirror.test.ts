import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client } from "@elastic/elasticsearch";
import { until } from "../../cluster/test/given.ts";
import { aclOpen } from "../../coordinator/src/client/acl.ts";
import { type Logger, silentLogger } from "../../kit/src/logger.ts";
import { addLag, lagOf, noLag } from "../src/mirror/lag.ts";
import { Mirror } from "../src/mirror/mirror.ts";
import { noProgress, ProgressStore } from "../src/mirror/progress.ts";
import { openGiven, openStoreGiven, type StoreGiven, ship } from "./store-given.ts";

const dayMs = 24 * 60 * 60 * 1000;

let base: Awaited<ReturnType<typeof openGiven>>;
let node: StoreGiven;
const clock = {
  aheadMs: 0,
  now: () => Date.now() + clock.aheadMs,
  monotonicMs: () => performance.now(),
};

before(async () => {
  base = await openGiven();
  node = await openStoreGiven(base.given, base.folder, { clock });
});

after(async () => {
  await node.close();
  await base.close();
});

async function progressStore(): Promise<ProgressStore> {
  const client = base.given.direct();
  await client.addAuth("digest", "logkeep:secret");
  return new ProgressStore(client, aclOpen);
}

const entry = {
  ...{ uuid: "u", file: "1-u", epoch: 1, level: 0, replaces: [] },
  ...{ positionFrom: 11, positionThrough: 20, rows: 100, bytes: 1000 },
  partitions: [
    { rows: 60, internal: false, receiptMsMax: 5000 },
    { rows: 20, internal: false, receiptMsMax: 4000 },
    { rows: 20, internal: true, receiptMsMax: 1000 },
  ].map((partition) => ({
    ...{ tenant: "t", class: "default", timeMin: { ms: 0, ns: 0 }, timeMax: { ms: 0, ns: 0 } },
    ...partition,
  })),
};

test("what waits is counted without streams of our own, in part where it is mirrored in part", () => {
  assert.deepEqual(lagOf(entry, 0), { records: 80, bytes: 800, sinceMs: 4000 });
  assert.deepEqual(lagOf(entry, 15), { records: 40, bytes: 400, sinceMs: 4000 });
  assert.deepEqual(lagOf(entry, 20), noLag);
  const sum = addLag(lagOf(entry, 0), noLag);
  assert.deepEqual(sum, lagOf(entry, 0));
});

test("a shard's progress is kept, and read as nothing where there is none", async () => {
  const store = await progressStore();
  assert.deepEqual(await store.read(99), noProgress);
  for (const through of [7, 9]) await store.write(99, { through, target: "uuid/logkeep" });
  assert.deepEqual(await store.read(99), { through: 9, target: "uuid/logkeep" });
});

test("without Elasticsearch what waits is told, and what retention drops meanwhile, once each", async (t) => {
  const told: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_, event) => told.push(event) };
  const { store, pool } = node.stored;
  const mirror = new Mirror({
    // Nobody listens there.
    client: new Client({ node: "http://127.0.0.1:1", maxRetries: 0 }),
    progress: await progressStore(),
    cluster: { id: "01234567-89ab-cdef-0123-456789abcdef", shards: node.shardCount },
    ...{ store, pool, clock, logger, prefix: "logkeep", bulkMaxBytes: 1 << 20 },
  });
  t.after(() => mirror.close());
  assert.deepEqual(mirror.lag(), noLag);
  const records = Array.from({ length: 100 }, (_, i) => ({ _msg: `m${i}`, service: `s${i % 9}` }));
  await ship(node, "shop", records);
  await store.seal();
  assert.equal(mirror.lag().records, 100);
  await until(() => told.length > 0);
  clock.aheadMs = 30 * dayMs;
  await store.retain();
  assert.equal(mirror.lag().records, 0);
  assert.equal(mirror.droppedRecords, 100);
  const started = performance.now();
  await mirror.close();
  assert.ok(performance.now() - started < 20_000);
  assert.equal(told.filter((event) => event.includes("takes no documents")).length, 1);
  assert.ok(told.some((event) => event.includes("retention dropped")));
});
