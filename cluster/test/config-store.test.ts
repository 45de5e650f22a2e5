import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { aclDigest } from "../../coordinator/src/client/acl.ts";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { perms } from "../../coordinator/src/wire/constants.ts";
import { systemClock } from "../../kit/src/clock.ts";
import { silentLogger } from "../../kit/src/logger.ts";
import { auditEntrySchema } from "../src/audit/entry.ts";
import { ConfigStore } from "../src/config-store.ts";
import { configVersionsKept } from "../src/limits.ts";
import { paths } from "../src/paths.ts";
import { Given, until } from "./given.ts";

const sections = new Set(["query", "storage", "cluster"]);

let given: Given;
let client: ZooKeeperClient;
let store: ConfigStore;
let other: ConfigStore;

before(async () => {
  given = await Given.open();
  const cluster = await given.cluster();
  client = cluster.client;
  store = await cluster.openConfig({ sections, clock: systemClock });
  const second = await given.cluster({
    identity: { nodeId: 2, diskId: "disk-2", incarnation: "second" },
  });
  other = await second.openConfig({ sections, clock: systemClock });
});

after(async () => {
  store.close();
  other.close();
  await given.close();
});

const change = { by: "ann", action: "config.set" };

async function journal() {
  const { children } = await client.getChildren(paths.audit);
  const found = await Promise.all(
    children.toSorted().map(async (name) => (await client.getData(`${paths.audit}/${name}`)).data),
  );
  return found.map((data) => auditEntrySchema.parse(JSON.parse(String(data))));
}

test("a change is versioned, seen by another node at once, and journalled with it", async () => {
  const seen = new Promise<number>((resolve) => {
    const stop = other.onChange(() => {
      if (other.section("query").version === 0) return;
      stop();
      resolve(performance.now());
    });
  });
  const next = await store.set("query", () => ({ "query.timeoutMs": 5_000 }), change);
  const writtenMs = performance.now();
  assert.equal(next.version, 1);
  assert.deepEqual(store.values(), { "query.timeoutMs": 5_000 });
  // A second is promised; a busy machine may be late.
  assert.ok((await seen) - writtenMs < 15_000);
  assert.deepEqual(other.values(), { "query.timeoutMs": 5_000 });
  const entry = (await journal()).at(-1);
  assert.deepEqual(
    { ...entry, atMs: 0 },
    {
      ...{ atMs: 0, by: "ann", node: 1, action: "config.set", target: "query", version: 1 },
      ...{ before: "{}", after: '{"query.timeoutMs":5000}' },
    },
  );
});

test("a change that throws, or asks for another version, changes and journals nothing", async () => {
  const before = (await journal()).length;
  const refusing = store.set(
    "query",
    () => {
      throw new Error("no");
    },
    change,
  );
  await assert.rejects(refusing, /no/);
  const outdated = store.set("query", () => ({}), { ...change, version: 0 });
  await assert.rejects(outdated, { code: "config.version-mismatch" });
  assert.equal(store.section("query").version, 1);
  assert.equal((await journal()).length, before);
});

test("changes that meet each other are all made, one after the other", async () => {
  const start = store.section("storage").version;
  const adding = Array.from({ length: 20 }, (_, i) =>
    (i % 2 === 0 ? store : other).set("storage", (values) => ({ ...values, [`k${i}`]: i }), change),
  );
  await Promise.all(adding);
  await until(() => store.section("storage").version === start + 20);
  assert.equal(Object.keys(store.section("storage").values).length, 20);
});

test("the latest versions are kept, the latest first, and no more of them than may be", async () => {
  const { version: start } = store.section("query");
  for (let i = 0; i < configVersionsKept; i++) {
    await store.set("query", () => ({ "query.timeoutMs": 1_000 + i }), change);
  }
  const versions = await store.history("query");
  assert.equal(versions.length, configVersionsKept);
  assert.equal(versions[0]?.version, start + configVersionsKept);
  assert.deepEqual(versions[0]?.values, store.section("query").values);
  assert.equal(versions.at(-1)?.version, start + 1);
});

test("a section that somebody broke by hand stays in force as it was, and is not changed until it is mended", async () => {
  const admin = given.direct();
  await admin.addAuth("digest", "logkeep:secret");
  const { values } = store.section("storage");
  await admin.setData(paths.configSection("storage"), Buffer.from("{"));
  await sleep(200);
  assert.deepEqual(store.section("storage").values, values);
  const changing = store.set("storage", () => ({}), change);
  await assert.rejects(changing, { code: "cluster.malformed" });
});

test("the journal is nobody's but the cluster's", async () => {
  const { children } = await client.getChildren(paths.audit);
  const { acl } = await client.getAcl(`${paths.audit}/${children[0]}`);
  assert.deepEqual(acl, [aclDigest("logkeep", "secret", perms.all)]);
});

test("what is set of the section cluster stands beside what the cluster is", async () => {
  const { data } = await client.getData(paths.cluster);
  await store.set("cluster", () => ({ "cluster.replication": 3 }), change);
  await until(() => other.section("cluster").values["cluster.replication"] === 3);
  assert.deepEqual((await client.getData(paths.cluster)).data, data);
});

test("a change that is told in the turn in which a reading ends is read", async () => {
  const { audit } = await given.cluster();
  let changed: () => void = () => undefined;
  let readings = 0;
  // The real one, whose watch the test can tell by hand.
  const watched = {
    addWatch(...asked: Parameters<ZooKeeperClient["addWatch"]>) {
      changed = asked[2] as () => void;
      return client.addWatch(...asked);
    },
    getData(...asked: Parameters<ZooKeeperClient["getData"]>) {
      readings++;
      return client.getData(...asked);
    },
  } as unknown as ZooKeeperClient;
  const followed = await ConfigStore.open({
    ...{ client: watched, acl: [], audit, logger: silentLogger, clock: systemClock },
    sections: new Set(["query"]),
  });
  const stop = followed.onChange(() => {
    stop();
    queueMicrotask(changed);
  });
  changed();
  await until(() => readings === 3);
  followed.close();
});
