// Goal: what cannot be read or stored is said and holds up nobody, and nothing is lost or doubled by it.
// Method: each test has a topic of its own, whose messages carry numbers, and a service with one source.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import kafkajs from "kafkajs";
import { KafkaBroker, missingKafka } from "../servers/kafka.ts";
import { Service, temporaryFolder } from "../service.ts";
import { KafkaRig } from "./rig.ts";
import { metric, recordOf, sourceArgs, Topic, until, untilStored } from "./topic.ts";

const { CompressionTypes } = kafkajs;

describe("a Kafka topic and trouble", { skip: missingKafka() }, () => {
  let rig: KafkaRig;

  before(async () => {
    rig = await KafkaRig.start();
  });
  after(() => rig.close());

  test("a topic that is not there is waited for, the service serves meanwhile, and nothing of it is missed", async () => {
    const topic = await rig.topicOf(2, false);
    const service = await rig.serviceOf(topic, [], ["from: latest"]);
    await until(async () => (await metric(service, "logkeep_source_failing")) === 1);
    assert.deepEqual(await service.ship([{ _msg: "beside" }]), {
      accepted: 1,
      rejected: 0,
      errors: [],
    });
    await topic.create();
    await topic.write(100);
    await untilStored(service, 100);
    await until(async () => (await metric(service, "logkeep_source_failing")) === 0);
    const said = service.log.split("\n").filter((line) => line.includes("cannot be read, trying"));
    assert.equal(said.length, 1, service.log);
    await service.kill();
  });

  test("a topic made anew under its name is not read: its partitions stop, and say so", async () => {
    const topic = await rig.topicOf(1);
    await topic.write(100);
    const service = await rig.serviceOf(topic);
    await untilStored(service, 100);
    await service.stop();
    await topic.admin.deleteTopics({ topics: [topic.name] });
    await until(async () => !(await topic.admin.listTopics()).includes(topic.name));
    await topic.create();
    await topic.send([{ value: '{"of":"other"}' }]);
    const again = await rig.serviceOf(topic, [], [], { dataDir: service.dataDir });
    await until(async () => (await metric(again, "logkeep_source_stopped")) === 1);
    await again.logged(/messages up to offset 99 are stored, but the partition ends before 1/);
    assert.equal(await again.count("of:=other"), 0);
    const answer = (await (await fetch(`${again.http}/api/v1/cluster`)).json()) as {
      sources: { stopped: string[] }[];
    };
    assert.match(answer.sources[0]?.stopped[0] ?? "", /^0: messages up to offset 99/);
    await again.kill();
  });

  test("of a topic that is deleted while it is read the log says that it is not there", async () => {
    const topic = await rig.topicOf(1);
    await topic.write(100);
    const service = await rig.serviceOf(topic);
    await untilStored(service, 100);
    await topic.admin.deleteTopics({ topics: [topic.name] });
    await until(async () => (await metric(service, "logkeep_source_failing")) === 1);
    await until(async () => /does not host this topic/.test(service.log));
    assert.doesNotMatch(service.log, /is not a function/);
    assert.equal(await service.stop(), 0);
  });

  test("what retention deleted before it was read is counted and said, and reading goes on behind it", async () => {
    const topic = await rig.topicOf(1);
    await topic.write(100);
    const service = await rig.serviceOf(topic);
    await untilStored(service, 100);
    await service.stop();
    await topic.send(Array.from({ length: 30 }, () => ({ value: '{"of":"deleted"}' })));
    // The client must know the partition's leader before it may delete.
    assert.equal(await topic.ends(), 130);
    await topic.admin.deleteTopicRecords({
      topic: topic.name,
      partitions: [{ partition: 0, offset: "125" }],
    });
    const again = await rig.serviceOf(topic, [], [], { dataDir: service.dataDir });
    await until(async () => (await again.count("of:=deleted")) === 5);
    await until(async () => (await metric(again, "logkeep_source_lost_total")) === 25);
    await again.logged(/"lost":25/);
    await untilStored(again, 100);
    await again.kill();
  });

  test("partitions that are added later are read from their first message", async () => {
    const topic = await rig.topicOf(1);
    await topic.write(10);
    const service = await rig.serviceOf(topic, [], ["from: latest"]);
    await until(async () => (await metric(service, "logkeep_source_lag")) === 0);
    await topic.admin.createPartitions({ topicPartitions: [{ topic: topic.name, count: 2 }] });
    // A writer that knows of them; the one from before would drop the message.
    const writer = await Topic.connect(rig.broker, topic.name, 2);
    rig.atEnd(() => writer.close());
    await writer.send([{ partition: 1, value: '{"of":"added"}' }]);
    await until(async () => (await service.count("of:=added")) === 1);
    await service.kill();
  });

  test("a partition whose messages cannot be decoded stops and says so, the others go on", async () => {
    const topic = await rig.topicOf(2);
    // More than a batch may be when decompressed, and little on the wire.
    const bomb = Buffer.alloc((64 << 20) + 1, 0x20);
    await topic.send([{ partition: 0, value: bomb }], CompressionTypes.ZSTD);
    await topic.send([{ partition: 1, value: recordOf(0) }]);
    const service = await rig.serviceOf(topic);
    await untilStored(service, 1);
    const stopped = `logkeep_source_stopped{source="test",topic="${topic.name}",partition="0"}`;
    await until(async () => (await metric(service, stopped)) === 1);
    await topic.send([{ partition: 1, value: recordOf(1) }]);
    await untilStored(service, 2);
    await service.logged(/messages at offset 0 or after cannot be decoded/);
    await service.kill();
  });

  for (const mechanism of ["plain", "scram-sha-256"]) {
    test(`a login by ${mechanism} is refused with the wrong password and works once the file has the right one`, async () => {
      const topic = await rig.topicOf(1);
      await topic.write(5);
      const { name, password } = KafkaBroker.user;
      const dataDir = temporaryFolder();
      const passwordFile = path.join(dataDir, "password");
      writeFileSync(passwordFile, "wrong\n");
      const sasl = `sasl: { mechanism: ${mechanism}, username: ${name}, passwordFile: ${passwordFile} }`;
      const address = rig.broker.loginAddress;
      const args = sourceArgs(dataDir, { address }, topic.name, [], [sasl]);
      const service = await Service.start({ dataDir, args });
      rig.atEnd(() => service.kill());
      await until(async () => /authentication failed/i.test(service.log));
      await until(async () => (await metric(service, "logkeep_source_failing")) === 1);
      writeFileSync(passwordFile, `${password}\n`);
      await untilStored(service, 5);
      assert.equal(service.log.includes(password), false);
      await service.kill();
    });
  }

  test("TLS is spoken with a broker whose certificate is trusted, and refused with another", async () => {
    const topic = await rig.topicOf(1);
    await topic.write(5);
    const dataDir = temporaryFolder();
    const args = sourceArgs(
      dataDir,
      { address: rig.broker.tlsAddress },
      topic.name,
      [],
      ["tls: true"],
    );
    const refused = await Service.start({ dataDir, args });
    rig.atEnd(() => refused.kill());
    await until(async () => /self-signed certificate/.test(refused.log) || refused.log);
    await until(async () => (await metric(refused, "logkeep_source_failing")) === 1);
    await refused.kill();
    const env = { NODE_EXTRA_CA_CERTS: rig.broker.certificate };
    const service = await Service.start({ dataDir, args, env });
    rig.atEnd(() => service.kill());
    await untilStored(service, 5);
    await service.kill();
  });

  test("of two sources with one topic the second says that it is read already, and nothing is stored twice", async () => {
    const topic = await rig.topicOf(1);
    await topic.write(5);
    const dataDir = temporaryFolder();
    const [flag, file] = sourceArgs(dataDir, rig.broker, topic.name) as [string, string];
    const second = readFileSync(file, "utf8")
      .replace("sources:\n", "")
      .replace("name: test", "name: two");
    writeFileSync(file, `${readFileSync(file, "utf8")}${second}`);
    const service = await Service.start({ dataDir, args: [flag, file] });
    rig.atEnd(() => service.kill());
    await untilStored(service, 5);
    await until(async () => /the source (test|two) reads this topic/.test(service.log));
    await topic.write(5);
    await untilStored(service, 10);
    await service.kill();
  });

  test("a broker that hangs holds up neither records nor the service's end", async () => {
    const own = await KafkaBroker.start();
    rig.atEnd(() => own.kill());
    const topic = await Topic.connect(own, "hanging", 1);
    await topic.create();
    await topic.write(10);
    await topic.close();
    const dataDir = temporaryFolder();
    const service = await Service.start({ dataDir, args: sourceArgs(dataDir, own, topic.name) });
    rig.atEnd(() => service.kill());
    await untilStored(service, 10);
    own.hang();
    assert.equal((await service.ship([{ _msg: "beside" }])).accepted, 1);
    // A stop that waited for the broker would be cut short.
    assert.equal(await service.stop(), 0);
  });
});
