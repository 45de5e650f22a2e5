// Goal: what a topic of a real broker holds is stored, in every form that Kafka has, and what cannot be is said.
// Method: each test has a topic of its own, whose messages carry numbers, and a service with one source.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import kafkajs from "kafkajs";
import { registerCodecs } from "../../adapters/src/kafka/codecs.ts";
import { KafkaBroker, missingKafka } from "../servers/kafka.ts";
import { Service, type ServiceOptions, temporaryFolder } from "../service.ts";
import { root } from "../suites.ts";
import { metric, recordOf, sourceArgs, Topic, until, untilStored } from "./topic.ts";

const { CompressionTypes, Kafka, logLevel } = kafkajs;

describe("a Kafka topic as a source", { skip: missingKafka() }, () => {
  let broker: KafkaBroker;
  let nextTopic = 0;
  const open: (() => Promise<unknown>)[] = [];

  before(async () => {
    // The writer of these tests compresses by zstd, too.
    registerCodecs();
    broker = await KafkaBroker.start();
  });
  after(async () => {
    for (const close of open.reverse()) await close();
    await broker.stop();
  });

  async function topicOf(partitions = 3, isCreated = true): Promise<Topic> {
    const topic = await Topic.connect(broker, `topic-${nextTopic++}`, partitions);
    open.push(() => topic.close());
    if (isCreated) await topic.create();
    return topic;
  }

  async function serviceOf(
    topic: Topic,
    more: readonly string[] = [],
    kafkaMore: readonly string[] = [],
    options: ServiceOptions = {},
  ): Promise<Service> {
    const { dataDir = temporaryFolder() } = options;
    const args = sourceArgs(dataDir, broker, topic.name, more, kafkaMore);
    const service = await Service.start({ ...options, dataDir, args });
    open.push(() => service.kill());
    return service;
  }

  test("the documentation's example stores what is in the topic that it names", async () => {
    const page = readFileSync(path.join(root, "docs/kafka.md"), "utf8");
    const example = /```yaml\n([^`]+)```/.exec(page)?.[1] ?? "";
    const topic = await Topic.connect(broker, "orders", 1);
    open.push(() => topic.close());
    await topic.create();
    await topic.send([{ value: '{"service":"shop","_msg":"order 1 paid"}' }]);
    const dataDir = temporaryFolder();
    const file = path.join(dataDir, "logkeep.yaml");
    // The broker of a test has a port of its own.
    writeFileSync(file, example.replace("127.0.0.1:9092", broker.address));
    const service = await Service.start({ dataDir, args: ["--config", file] });
    open.push(() => service.kill());
    await until(async () => (await service.count('{service="shop"} "order 1 paid"')) === 1);
    await service.kill();
  });

  test("each message of three partitions is stored once, whatever its compression, and before and after the start", async () => {
    const topic = await topicOf();
    await topic.write(2000, CompressionTypes.None);
    await topic.write(1000, CompressionTypes.GZIP);
    await topic.write(1000, CompressionTypes.ZSTD);
    const service = await serviceOf(topic);
    await untilStored(service, 4000);
    await topic.write(1000);
    await untilStored(service, 5000);
    assert.equal(await metric(service, 'logkeep_source_records_total{source="test"}'), 5000);
    const group = "the-group";
    assert.equal(await service.stop(), 0);
    // Another start finds nothing new to read, and tells another group.
    const again = await serviceOf(topic, [], [`group: ${group}`], { dataDir: service.dataDir });
    await topic.write(10);
    await untilStored(again, 5010);
    await until(async () => {
      const [found] = await topic.admin.fetchOffsets({ groupId: group, topics: [topic.name] });
      const told = (found?.partitions ?? []).reduce((sum, { offset }) => sum + Number(offset), 0);
      return told === 5010 || told;
    });
    assert.equal(await metric(again, 'logkeep_source_records_total{source="test"}'), 10);
    assert.equal(await again.stop(), 0);
  });

  test("a message's timestamp is the record's time, unless a field is; settings form stream, message and tenant", async () => {
    const topic = await topicOf(1);
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
    const service = await serviceOf(topic, more);
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
    const topic = await topicOf(1);
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
    const service = await serviceOf(topic, [], [], { env });
    await untilStored(service, 3);
    const rejected = await service.search('{stream="_rejected"}');
    const facts = rejected.map((row) => [Number(row["line"]), row["origin"], row["reason"]]);
    facts.sort();
    assert.deepEqual(
      facts.map(([line, origin]) => [line, origin]),
      [1, 4, 6].map((line) => [line, `kafka ${topic.name}/0`]),
    );
    assert.match(String(facts[2]?.[2]), /longer than 4096 bytes/);
    assert.equal(await metric(service, 'logkeep_source_rejected_total{source="test"}'), 3);
    assert.equal(await metric(service, "logkeep_source_lag"), 0);
    await service.kill();
  });

  test("a message of text is a record, whatever lines it has", async () => {
    const topic = await topicOf(1);
    await topic.send([{ value: "one\n  at two\n  at three" }, { value: '{"not":"read"}' }]);
    const service = await serviceOf(topic, ["format: text", "extra: {from: text}"]);
    await until(async () => (await service.count("from:=text")) === 2);
    const rows = await service.search("from:=text");
    const messages = rows.map((row) => row["_msg"]).sort();
    assert.deepEqual(messages, ["one\n  at two\n  at three", '{"not":"read"}']);
    await service.kill();
  });

  test("messages of a transaction are stored when it is committed, and not when it is aborted", async () => {
    const topic = await topicOf(1);
    const client = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
    const id = `transactions-${topic.name}`;
    const producer = client.producer({
      transactionalId: id,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    open.push(() => producer.disconnect());
    await producer.connect();
    const service = await serviceOf(topic);
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

  test("a topic that is not there is waited for, the service serves meanwhile, and nothing of it is missed", async () => {
    const topic = await topicOf(2, false);
    const service = await serviceOf(topic, [], ["from: latest"]);
    await until(async () => (await metric(service, "logkeep_source_failing")) === 1);
    assert.deepEqual(await service.ship([{ _msg: "beside" }]), {
      accepted: 1,
      rejected: 0,
      errors: [],
    });
    await topic.create();
    await topic.write(100);
    await untilStored(service, 100);
    assert.equal(await metric(service, "logkeep_source_failing"), 0);
    const said = service.log.split("\n").filter((line) => line.includes("cannot be read, trying"));
    assert.equal(said.length, 1, service.log);
    await service.kill();
  });

  test("`from: latest` leaves out what was there before the first start, and only that", async () => {
    const topic = await topicOf(2);
    await topic.send(
      Array.from({ length: 50 }, (_, n) => ({ partition: n % 2, value: '{"of":"before"}' })),
    );
    const service = await serviceOf(topic, [], ["from: latest"]);
    await until(async () => (await metric(service, "logkeep_source_lag")) === 0);
    await topic.write(20);
    await untilStored(service, 20);
    await service.stop();
    await topic.write(20);
    const again = await serviceOf(topic, [], ["from: latest"], { dataDir: service.dataDir });
    await untilStored(again, 40);
    assert.equal(await again.count("of:=before"), 0);
    await again.kill();
  });

  test("a topic made anew under its name is not read: its partitions stop, and say so", async () => {
    const topic = await topicOf(1);
    await topic.write(100);
    const service = await serviceOf(topic);
    await untilStored(service, 100);
    await service.stop();
    await topic.admin.deleteTopics({ topics: [topic.name] });
    await until(async () => !(await topic.admin.listTopics()).includes(topic.name));
    await topic.create();
    await topic.send([{ value: '{"of":"other"}' }]);
    const again = await serviceOf(topic, [], [], { dataDir: service.dataDir });
    await until(async () => (await metric(again, "logkeep_source_stopped")) === 1);
    assert.match(again.log, /messages up to offset 99 are stored, but the partition ends before 1/);
    assert.equal(await again.count("of:=other"), 0);
    const answer = (await (await fetch(`${again.http}/api/v1/cluster`)).json()) as {
      sources: { stopped: string[] }[];
    };
    assert.match(answer.sources[0]?.stopped[0] ?? "", /^0: messages up to offset 99/);
    await again.kill();
  });

  test("what retention deleted before it was read is counted and said, and reading goes on behind it", async () => {
    const topic = await topicOf(1);
    await topic.write(100);
    const service = await serviceOf(topic);
    await untilStored(service, 100);
    await service.stop();
    await topic.send(Array.from({ length: 30 }, () => ({ value: '{"of":"deleted"}' })));
    // The client must know the partition's leader before it may delete.
    assert.equal(await topic.ends(), 130);
    await topic.admin.deleteTopicRecords({
      topic: topic.name,
      partitions: [{ partition: 0, offset: "125" }],
    });
    const again = await serviceOf(topic, [], [], { dataDir: service.dataDir });
    await until(async () => (await again.count("of:=deleted")) === 5);
    assert.equal(await metric(again, "logkeep_source_lost_total"), 25);
    assert.match(again.log, /"lost":25/);
    await untilStored(again, 100);
    await again.kill();
  });

  test("partitions that are added later are read from their first message", async () => {
    const topic = await topicOf(1);
    await topic.write(10);
    const service = await serviceOf(topic, [], ["from: latest"]);
    await until(async () => (await metric(service, "logkeep_source_lag")) === 0);
    await topic.admin.createPartitions({ topicPartitions: [{ topic: topic.name, count: 2 }] });
    // A writer that knows of them; the one from before would drop the message.
    const writer = await Topic.connect(broker, topic.name, 2);
    open.push(() => writer.close());
    await writer.send([{ partition: 1, value: '{"of":"added"}' }]);
    await until(async () => (await service.count("of:=added")) === 1);
    await service.kill();
  });

  test("a partition whose messages cannot be decoded stops and says so, the others go on", async () => {
    const topic = await topicOf(2);
    // More than a batch may be when decompressed, and little on the wire.
    const bomb = Buffer.alloc((64 << 20) + 1, 0x20);
    await topic.send([{ partition: 0, value: bomb }], CompressionTypes.ZSTD);
    await topic.send([{ partition: 1, value: recordOf(0) }]);
    const service = await serviceOf(topic);
    await untilStored(service, 1);
    const stopped = `logkeep_source_stopped{source="test",topic="${topic.name}",partition="0"}`;
    await until(async () => (await metric(service, stopped)) === 1);
    await topic.send([{ partition: 1, value: recordOf(1) }]);
    await untilStored(service, 2);
    assert.match(service.log, /messages at offset 0 or after cannot be decoded/);
    await service.kill();
  });

  for (const mechanism of ["plain", "scram-sha-256"]) {
    test(`a login by ${mechanism} is refused with the wrong password and works once the file has the right one`, async () => {
      const topic = await topicOf(1);
      await topic.write(5);
      const { name, password } = KafkaBroker.user;
      const dataDir = temporaryFolder();
      const passwordFile = path.join(dataDir, "password");
      writeFileSync(passwordFile, "wrong\n");
      const sasl = `sasl: { mechanism: ${mechanism}, username: ${name}, passwordFile: ${passwordFile} }`;
      const address = broker.loginAddress;
      const args = sourceArgs(dataDir, { address }, topic.name, [], [sasl]);
      const service = await Service.start({ dataDir, args });
      open.push(() => service.kill());
      await until(async () => /authentication failed/i.test(service.log));
      assert.equal(await metric(service, "logkeep_source_failing"), 1);
      writeFileSync(passwordFile, `${password}\n`);
      await untilStored(service, 5);
      assert.equal(service.log.includes(password), false);
      await service.kill();
    });
  }

  test("TLS is spoken with a broker whose certificate is trusted, and refused with another", async () => {
    const topic = await topicOf(1);
    await topic.write(5);
    const dataDir = temporaryFolder();
    const args = sourceArgs(dataDir, { address: broker.tlsAddress }, topic.name, [], ["tls: true"]);
    const refused = await Service.start({ dataDir, args });
    open.push(() => refused.kill());
    await until(async () => /self-signed certificate/.test(refused.log) || refused.log);
    assert.equal(await metric(refused, "logkeep_source_failing"), 1);
    await refused.kill();
    const env = { NODE_EXTRA_CA_CERTS: broker.certificate };
    const service = await Service.start({ dataDir, args, env });
    open.push(() => service.kill());
    await untilStored(service, 5);
    await service.kill();
  });

  test("of two sources with one topic the second says that it is read already, and nothing is stored twice", async () => {
    const topic = await topicOf(1);
    await topic.write(5);
    const dataDir = temporaryFolder();
    const [flag, file] = sourceArgs(dataDir, broker, topic.name) as [string, string];
    const second = readFileSync(file, "utf8")
      .replace("sources:\n", "")
      .replace("name: test", "name: two");
    writeFileSync(file, `${readFileSync(file, "utf8")}${second}`);
    const service = await Service.start({ dataDir, args: [flag, file] });
    open.push(() => service.kill());
    await untilStored(service, 5);
    await until(async () => /the source (test|two) reads this topic/.test(service.log));
    await topic.write(5);
    await untilStored(service, 10);
    await service.kill();
  });

  test("a broker that hangs holds up neither records nor the service's end", async () => {
    const own = await KafkaBroker.start();
    open.push(() => own.kill());
    const topic = await Topic.connect(own, "hanging", 1);
    await topic.create();
    await topic.write(10);
    await topic.close();
    const dataDir = temporaryFolder();
    const service = await Service.start({ dataDir, args: sourceArgs(dataDir, own, topic.name) });
    open.push(() => service.kill());
    await untilStored(service, 10);
    own.hang();
    assert.equal((await service.ship([{ _msg: "beside" }])).accepted, 1);
    const started = performance.now();
    assert.equal(await service.stop(), 0);
    assert.ok(performance.now() - started < 15_000);
  });
});
