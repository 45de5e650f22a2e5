import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { aclCreator } from "../../coordinator/src/client/acl.ts";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { steps } from "../../coordinator/src/client/multi.ts";
import { inboxBodyOf } from "../src/inbox-body.ts";
import { deleteRecords } from "../src/inbox-deletes.ts";
import { batchLength, type Waiting } from "../src/inbox-listing.ts";
import { inboxBatchBytesMax, inboxBatchRecordsMax } from "../src/limits.ts";
import { paths } from "../src/paths.ts";
import { Given, until } from "./given.ts";
import { ModelSink } from "./model-sink.ts";

const inbox = paths.tenantInbox("default");
let given: Given;
let sender: ZooKeeperClient;

beforeEach(async () => {
  given = await Given.open();
  sender = given.direct();
});

afterEach(() => given.close());

async function send(text: string, from = sender): Promise<string> {
  const mode = "persistentSequential";
  return (await from.create(`${inbox}/rec-`, Buffer.from(text), { mode })).path;
}

async function isEmpty(): Promise<boolean> {
  return (await sender.getChildren(inbox)).children.length === 0;
}

test("records are stored once, in the order of their creation, and then deleted", async () => {
  const cluster = await given.cluster();
  const sink = new ModelSink();
  const inboxes = await cluster.drainInboxes(sink, ["default"]);
  const texts = Array.from({ length: 3_000 }, (_, index) => `record ${index}`);
  await Promise.all(texts.map((text) => send(text)));
  await until(isEmpty);
  assert.deepEqual(sink.texts(), texts);
  assert.equal(inboxes.stats().get("default")?.drained, texts.length);
});

test("what is a JSON object is one, other text is a message, the rest is rejected and holds up nobody", async () => {
  const cluster = await given.cluster();
  const sink = new ModelSink();
  await cluster.drainInboxes(sink, ["default"]);
  await send('{"level":"warn"}');
  await sender.create(`${inbox}/bytes-`, Buffer.from([0xc3, 0x28]), {
    mode: "persistentSequential",
  });
  await sender.create(`${inbox}/none`, null);
  await send("plain");
  await until(() => sink.records.length === 4);
  assert.deepEqual(
    sink.ordered().map(({ body }) => (body.kind === "rejected" ? body.reason : body.kind)),
    ["object", "the data is not UTF-8", "the znode has no data", "text"],
  );
  await until(isEmpty);
});

test("a znode that its sender closed is rejected by name, and one with children goes with them", async () => {
  const cluster = await given.cluster();
  const sink = new ModelSink();
  sink.isDown = true;
  await sender.addAuth("digest", "u:p");
  await cluster.drainInboxes(sink, ["default"]);
  await sender.create(`${inbox}/closed`, Buffer.from("x"), { acl: aclCreator });
  const parent = await send("parent");
  await sender.create(`${parent}/a`);
  await sender.create(`${parent}/a/b`);
  await sender.create(`${inbox}/gone`, Buffer.from("gone"), { mode: "ephemeral" });
  sink.isDown = false;
  await until(isEmpty);
  assert.deepEqual(sink.refused, ["closed"]);
  assert.ok(sink.texts().includes("parent"));
});

test("a sink that fails is asked again, whether it had stored or not, and nothing is stored twice", async () => {
  const cluster = await given.cluster();
  const sink = new ModelSink();
  await cluster.drainInboxes(sink, ["default"]);
  sink.failNext = "before";
  await send("one");
  await until(isEmpty);
  sink.failNext = "after";
  await send("two");
  await until(isEmpty);
  assert.deepEqual(sink.texts(), ["one", "two"]);
});

test("a drainer that ends between storing and deleting leaves nothing to be stored twice", async () => {
  const sink = new ModelSink();
  const first = await given.cluster();
  await first.drainInboxes(sink, ["default"]);
  for (const text of ["one", "two", "three"]) await send(text);
  await until(isEmpty);
  // Its deletes cannot arrive: the next incarnation takes the role in the very moment of storing.
  const second = await given.cluster();
  sink.onStored = () => {
    sink.onStored = undefined;
    void second.drainInboxes(sink, ["default"]);
    return until(() => first.client.isConnected && sink.askedCount > 1);
  };
  for (const text of ["four", "five"]) await send(text);
  await until(isEmpty);
  await send("six");
  await until(isEmpty);
  assert.deepEqual(sink.texts(), ["one", "two", "three", "four", "five", "six"]);
});

test("two nodes share the work of one drainer, and the other goes on when it ends", async () => {
  const sink = new ModelSink();
  const first = await given.cluster();
  await first.drainInboxes(sink, ["default"]);
  await send("one");
  await until(isEmpty);
  const identity = { nodeId: 2, diskId: "disk-2", incarnation: "i" };
  const second = await given.cluster({ identity });
  const others = await second.drainInboxes(sink, ["default"]);
  await send("two");
  await until(isEmpty);
  assert.equal(others.stats().get("default")?.drained, 0);
  await first.close();
  await send("three");
  await until(isEmpty);
  assert.equal(others.stats().get("default")?.drained, 1);
  assert.deepEqual(sink.texts(), ["one", "two", "three"]);
});

test("who lost the role can delete nothing", async () => {
  const cluster = await given.cluster();
  const role = paths.role("drainer-x");
  await cluster.client.create(role, null);
  await cluster.client.create(`${role}/rec`, null);
  const { stat } = await cluster.client.getData(role);
  let resigned = false;
  const term = {
    epoch: 1,
    signal: new AbortController().signal,
    guard: (operations: Parameters<ZooKeeperClient["multi"]>[0]) => [
      steps.check(role, stat.version),
      ...operations,
    ],
    resign: () => {
      resigned = true;
    },
  };
  await cluster.client.setData(role, null);
  await assert.rejects(deleteRecords(cluster.client, term, role, ["rec"]), /gone to another/);
  assert.ok(resigned);
  assert.notEqual(await cluster.client.exists(`${role}/rec`), null);
});

test("an inbox is bounded by a quota, and takes records again once it is drained", async () => {
  const cluster = await given.cluster();
  const sink = new ModelSink();
  sink.isDown = true;
  await cluster.drainInboxes(sink, ["default"]);
  const limits = `/zookeeper/quota${cluster.client.chroot}${inbox}/zookeeper_limits`;
  const root = cluster.client.atRoot();
  assert.equal(
    String((await root.getData(limits)).data),
    "count=-1,bytes=-1=;byteHardLimit=67108864;countHardLimit=100001",
  );
  const small = Buffer.from("count=-1,bytes=-1=;byteHardLimit=67108864;countHardLimit=4");
  await root.setData(limits, small);
  for (const text of ["one", "two", "three"]) await send(text);
  await assert.rejects(send("four"), { code: "QUOTAEXCEEDED" });
  sink.isDown = false;
  await until(isEmpty);
  await send("five");
});

test("a tenant whose inbox comes later is drained too, and a bad name is refused", async () => {
  const cluster = await given.cluster();
  const sink = new ModelSink();
  const inboxes = await cluster.drainInboxes(sink, []);
  await inboxes.ensure("later");
  await sender.create(`${paths.tenantInbox("later")}/x`, Buffer.from("x"));
  await until(() => sink.records.length === 1);
  await assert.rejects(inboxes.ensure("../x"), { code: "tenant.invalid" });
});

test("a closed inbox takes nothing from anybody else", async () => {
  const cluster = await given.cluster({ closed: true, inboxOpen: false });
  await cluster.drainInboxes(new ModelSink(), ["default"]);
  await assert.rejects(send("x"), { code: "NOAUTH" });
});

test("a batch is bounded in records and bytes, and never tears what one multi created", () => {
  const waiting = (czxid: number, bytes = 1): Waiting => ({
    name: "x",
    czxid: BigInt(czxid),
    bytes,
  });
  const many = Array.from({ length: inboxBatchRecordsMax + 10 }, (_, index) => waiting(index));
  assert.equal(batchLength(many, 0), inboxBatchRecordsMax);
  assert.equal(batchLength(many, inboxBatchRecordsMax), 10);
  const large = [waiting(1, inboxBatchBytesMax), waiting(2), waiting(3)];
  assert.equal(batchLength(large, 0), 1);
  assert.equal(batchLength(large, 1), 2);
  const one = Array.from({ length: inboxBatchRecordsMax + 10 }, () => waiting(7));
  assert.equal(batchLength([...one, waiting(8)], 0), one.length);
});

test("bodies", () => {
  const kinds = [
    ['{"a":1}', "object"],
    [' {"a":1}\n', "object"],
    ["[1]", "text"],
    ['"x"', "text"],
    ['{"a":', "text"],
    ["Hello, World!", "text"],
    ["", "rejected"],
  ] as const;
  for (const [text, kind] of kinds) assert.equal(inboxBodyOf(Buffer.from(text)).kind, kind, text);
  assert.equal(inboxBodyOf(null).kind, "rejected");
});
