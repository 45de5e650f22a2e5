// Goal: each message is stored exactly once, whenever our process dies, the broker dies, or both.
// Method: numbered messages are written without a pause; the service kills itself at each step of reading a topic;
// another time it is the broker that is killed and started again on its data. At the end every number is counted.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { KafkaBroker, missingKafka } from "../servers/kafka.ts";
import { Service, temporaryFolder } from "../service.ts";
import { sourceArgs, Topic, until, untilStored } from "./topic.ts";

/** Every step, some of them at once and in the midst. */
const crashes = [
  "kafka.fetched",
  "kafka.fetched:5",
  "kafka.decoded:4",
  "kafka.appended:3",
  "kafka.appended:8",
  "kafka.stored:2",
  "kafka.stored:7",
  "kafka.resume",
  "kafka.committed",
  "kafka.resume:2",
];

/** Seals as it goes, so that ends of sources come from checkpoints, too. */
const sealing = { LOGKEEP_STORAGE_SEAL_AGE_MS: "1000" };

describe("a Kafka topic and crashes", { skip: missingKafka() }, () => {
  let broker: KafkaBroker;
  let topic: Topic;
  const open: (() => Promise<unknown>)[] = [];

  before(async () => {
    broker = await KafkaBroker.start();
  });
  after(async () => {
    for (const close of open.reverse()) await close();
    await broker.stop();
  });

  async function newTopic(name: string): Promise<void> {
    topic = await Topic.connect(broker, name, 3);
    const closing = topic;
    open.push(() => closing.close());
    await topic.create();
  }

  /** Writes until it is told to stop; resolves then. */
  function writing(): () => Promise<void> {
    let isOver = false;
    const ended = (async () => {
      while (!isOver) {
        await topic.write(300);
        await sleep(30);
      }
    })();
    return () => {
      isOver = true;
      return ended;
    };
  }

  test("SIGKILL of ours at each step loses and doubles nothing", async () => {
    await newTopic("crashes");
    const dataDir = temporaryFolder();
    const args = sourceArgs(dataDir, broker, topic.name);
    const stop = writing();
    for (const at of crashes) {
      const env = { ...sealing, LOGKEEP_CRASH_AT: at };
      const service = await Service.start({ dataDir, args, env }).catch(() => undefined);
      // Where the step comes before it is ready, the start itself fails.
      if (service === undefined) continue;
      if (service.isRunning)
        await once(service.child, "exit", { signal: AbortSignal.timeout(180_000) });
      assert.equal(service.child.signalCode, "SIGKILL", at);
    }
    const service = await Service.start({ dataDir, args, env: sealing });
    open.push(() => service.kill());
    await stop();
    await untilStored(service, topic.count);
    assert.equal(await service.stop(), 0);
  });

  test("SIGKILL of the broker, and of both, loses and doubles nothing", async () => {
    await newTopic("broker-crashes");
    const dataDir = temporaryFolder();
    const args = sourceArgs(dataDir, broker, topic.name);
    let service = await Service.start({ dataDir, args, env: sealing });
    for (const kills of ["broker", "both", "broker"]) {
      const stop = writing();
      await sleep(1500);
      await stop();
      await broker.kill();
      if (kills === "both") {
        await service.kill();
        service = await Service.start({ dataDir, args, env: sealing });
        // It serves without the broker.
        assert.equal((await service.ship([{ _msg: "beside" }])).accepted, 1);
      }
      await broker.restart();
    }
    open.push(() => service.kill());
    await topic.write(300);
    await untilStored(service, topic.count);
    assert.equal(await topic.ends(), topic.count);
    assert.equal(await service.stop(), 0);
  });

  test("without its offsets a source is read from the start, and every message skipped that is stored", async () => {
    await newTopic("forgotten");
    const dataDir = temporaryFolder();
    const args = sourceArgs(dataDir, broker, topic.name);
    await topic.write(3000);
    const service = await Service.start({ dataDir, args });
    open.push(() => service.kill());
    await untilStored(service, 3000);
    // The seven services lie at seven shards: messages of one of them move the end of one shard only.
    await topic.send([{ partition: 0, value: '{"of":"topic","service":"s3","n":3000}' }]);
    await until(async () => (await service.count("of:=topic")) === 3001);
    await service.stop();
    const again = await Service.start({ dataDir });
    open.push(() => again.kill());
    const client = new ZooKeeperClient({ connect: again.coordinator });
    await client.connected();
    // Only nodes may write there.
    const secret = readFileSync(path.join(dataDir, "cluster-secret"), "utf8").trim();
    await client.addAuth("digest", `logkeep:${secret}`);
    await client.delete("/logkeep/roles/source-test/resume");
    await client.close();
    await again.stop();
    const last = await Service.start({ dataDir, args });
    open.push(() => last.kill());
    await topic.send([{ partition: 0, value: '{"of":"topic","service":"s1","n":3001}' }]);
    await untilStored(last, 3002);
    assert.equal(await last.stop(), 0);
  });

  test("settings that send records to other shards hold from where nothing is stored yet", async () => {
    await newTopic("read-anew");
    const dataDir = temporaryFolder();
    const first = sourceArgs(dataDir, broker, topic.name, ["stream: [service]"]);
    const stop = writing();
    const env = { LOGKEEP_CRASH_AT: "kafka.stored:9" };
    const service = await Service.start({ dataDir, args: first, env }).catch(() => undefined);
    if (service?.isRunning === true) await once(service.child, "exit");
    await stop();
    const other = sourceArgs(dataDir, broker, topic.name, ["stream: [n]", "extra: {as: other}"]);
    const again = await Service.start({ dataDir, args: other });
    open.push(() => again.kill());
    await untilStored(again, topic.count);
    const written = topic.count;
    await topic.write(500);
    await untilStored(again, written + 500);
    assert.ok((await again.count("as:=other")) >= 500);
    assert.equal(await again.stop(), 0);
  });
});
