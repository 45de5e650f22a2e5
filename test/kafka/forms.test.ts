// Goal: what a topic of a real broker holds is stored once, in every form that Kafka has.
// Method: each test has a topic of its own, whose messages carry numbers, and a service with one source.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import kafkajs from "kafkajs";
import { missingKafka } from "../servers/kafka.ts";
import { Service, temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";
import { KafkaRig } from "./rig.ts";
import { metric, recordOf, Topic, until, untilStored } from "./topic.ts";

const { CompressionTypes, Kafka, logLevel } = kafkajs;

describe("a Kafka topic as a source", { skip: missingKafka() }, () => {
  let rig: KafkaRig;

  before(async () => {
    rig = await KafkaRig.start();
  });
  after(() => rig.close());

  test("the documentation's example stores what is in the topic that it names", async () => {
    const page = readFileSync(path.join(root, "docs/kafka.md"), "utf8");
    const example = /```yaml\n([^`]+)```/.exec(page)?.[1] ?? "";
    const topic = await Topic.connect(rig.broker, "orders", 1);
    rig.atEnd(() => topic.close());
    await topic.create();
    await topic.send([{ value: '{"service":"shop","_msg":"order 1 paid"}' }]);
    const dataDir = temporaryFolder();
    const file = path.join(dataDir, "logkeep.yaml");
    // The broker of a test has a port of its own.
    writeFileSync(file, example.replace("127.0.0.1:9092", rig.broker.address));
    const service = await Service.start({ dataDir, args: ["--config", file] });
    rig.atEnd(() => service.kill());
    await until(async () => (await service.count('{service="shop"} "order 1 paid"')) === 1);
    await service.kill();
  });

  test("each message of three partitions is stored once, whatever its compression, and before and after the start", async () => {
    const topic = await rig.topicOf();
    await topic.write(2000, CompressionTypes.None);
    await topic.write(1000, CompressionTypes.GZIP);
    await topic.write(1000, CompressionTypes.ZSTD);
    const service = await rig.serviceOf(topic);
    await untilStored(service, 4000);
    await topic.write(1000);
    await untilStored(service, 5000);
    await until(
      async () => (await metric(service, 'logkeep_source_records_total{source="test"}')) === 5000,
    );
    const group = "the-group";
    assert.equal(await service.stop(), 0);
    // Another start finds nothing new to read, and tells another group.
    const again = await rig.serviceOf(topic, [], [`group: ${group}`], { dataDir: service.dataDir });
    await topic.write(10);
    await untilStored(again, 5010);
    await until(async () => {
      // The broker's coordinator of groups may still be starting.
      const asked = topic.admin.fetchOffsets({ groupId: group, topics: [topic.name] });
      const [found] = await asked.catch(() => []);
      const told = (found?.partitions ?? []).reduce((sum, { offset }) => sum + Number(offset), 0);
      return told === 5010 || told;
    });
    await until(
      async () => (await metric(again, 'logkeep_source_records_total{source="test"}')) === 10,
    );
    assert.equal(await again.stop(), 0);
  });

  test("a message's timestamp is the record's time, unless a field is; settings form stream, message and tenant", async () => {
    const topic = await rig.topicOf(1);
    const at = Date.now() - 3_600_000;
    await topic.send([
      { value: '{"text":"by timestamp","app":"a"}', timestamp: String(at) },
      { value: `{"text":"by field","app":"b","when":${at - 60_000}}`, timestamp: String(at) },
    ]);
    const more = [
      "tenant: team",
      "stream: [app]",
      "time: [when]",
      "msg: [text]",
      "extra: {from: kafka}",
    ];
    const service = await rig.serviceOf(topic, more);
    const headers = { "X-Logkeep-Tenant": "team" };
    const ask = async (): Promise<string[]> => {
      const url = `${service.http}/api/v1/query?query=${encodeURIComponent('{app!=""} from:=kafka')}&start=0`;
      const text = await (await fetch(url, { headers })).text();
      return text.split("\n").filter((line) => line !== "");
    };
    await until(async () => (await ask()).length === 2);
    const rows = (await ask()).map((line) => JSON.parse(line) as Record<string, string>);
    const facts = rows.map((row) => [row["_msg"], row["_stream"], Date.parse(row["_time"] ?? "")]);
    facts.sort();
    assert.deepEqual(facts, [
      ["by field", '{app="b"}', at - 60_000],
      ["by timestamp", '{app="a"}', at],
    ]);
    assert.equal(await service.count("from:=kafka"), 0);
    await service.kill();
  });

  test("what is no record goes to _rejected with its offset, tombstones are no records, neither holds up others", async () => {
    const topic = await rig.topicOf(1);
    await topic.send([
      { value: recordOf(0) },
      { value: "no json" },
      { value: null },
      { value: "" },
    ]);
    await topic.send([{ value: "[1]" }, { value: recordOf(1) }]);
    const long = JSON.stringify({ _msg: "x".repeat(5000) });
    await topic.send([{ value: long }, { value: recordOf(2) }]);
    const env = { LOGKEEP_INGEST_RECORD_MAX_BYTES: "4KiB" };
    const service = await rig.serviceOf(topic, [], [], { env });
    await untilStored(service, 3);
    const rejected = await service.search('{stream="_rejected"}');
    const facts = rejected.map((row) => [Number(row["line"]), row["origin"], row["reason"]]);
    facts.sort();
    assert.deepEqual(
      facts.map(([line, origin]) => [line, origin]),
      [1, 4, 6].map((line) => [line, `kafka ${topic.name}/0`]),
    );
    assert.match(String(facts[2]?.[2]), /longer than 4096 bytes/);
    await until(
      async () => (await metric(service, 'logkeep_source_rejected_total{source="test"}')) === 3,
    );
    await until(async () => (await metric(service, "logkeep_source_lag")) === 0);
    await service.kill();
  });

  test("a message of text is a record, whatever lines it has", async () => {
    const topic = await rig.topicOf(1);
    await topic.send([{ value: "one\n  at two\n  at three" }, { value: '{"not":"read"}' }]);
    const service = await rig.serviceOf(topic, ["format: text", "extra: {from: text}"]);
    await until(async () => (await service.count("from:=text")) === 2);
    const rows = await service.search("from:=text");
    const messages = rows.map((row) => row["_msg"]).sort();
    assert.deepEqual(messages, ["one\n  at two\n  at three", '{"not":"read"}']);
    await service.kill();
  });

  test("messages of a transaction are stored when it is committed, and not when it is aborted", async () => {
    const topic = await rig.topicOf(1);
    const patience = { connectionTimeout: 20_000, retry: { retries: 20 } };
    const brokers = [rig.broker.address];
    const client = new Kafka({ brokers, logLevel: logLevel.NOTHING, ...patience });
    const id = `transactions-${topic.name}`;
    const producer = client.producer({
      transactionalId: id,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    rig.atEnd(() => producer.disconnect());
    await producer.connect();
    const service = await rig.serviceOf(topic);
    for (const [numbers, end] of [
      [[0, 1], "commit"],
      [[7, 8], "abort"],
      [[2], "commit"],
    ] as const) {
      const transaction = await producer.transaction();
      const messages = numbers.map((n) => ({ value: recordOf(n) }));
      await transaction.send({ topic: topic.name, messages });
      await transaction[end]();
    }
    await untilStored(service, 3);
    await until(async () => (await metric(service, "logkeep_source_lag")) === 0);
    await service.kill();
  });

  test("`from: latest` leaves out what was there before the first start, and only that", async () => {
    const topic = await rig.topicOf(2);
    await topic.send(
      Array.from({ length: 50 }, (_, n) => ({ partition: n % 2, value: '{"of":"before"}' })),
    );
    const service = await rig.serviceOf(topic, [], ["from: latest"]);
    await until(async () => (await metric(service, "logkeep_source_lag")) === 0);
    await topic.write(20);
    await untilStored(service, 20);
    await service.stop();
    await topic.write(20);
    const again = await rig.serviceOf(topic, [], ["from: latest"], { dataDir: service.dataDir });
    await untilStored(again, 40);
    assert.equal(await again.count("of:=before"), 0);
    await again.kill();
  });
});
