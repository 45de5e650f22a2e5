// Goal: a topic that holds far more than memory is stored in bounded memory, and how fast is told.
// Method: the topic is written first; the service with the least memory for records then reads it whole.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KafkaBroker, missingKafka } from "../servers/kafka.ts";
import { Service, temporaryFolder } from "../service.ts";
import { sourceArgs, Topic, until } from "./topic.ts";

/** What reading may add to the memory of an idle service: its bounds (2 × 32 MiB), heap and freed pages beside. */
const growthMaxMiB = 350;

describe("a Kafka topic under load", { skip: missingKafka() }, () => {
  let broker: KafkaBroker;
  const open: (() => Promise<unknown>)[] = [];

  before(async () => {
    broker = await KafkaBroker.start();
  });
  after(async () => {
    for (const close of open.reverse()) await close();
    await broker.stop();
  });

  /** Fills a topic and reads it into a fresh service; gives seconds, and how much memory grew in MiB. */
  async function readWhole(name: string, messages: number, bytes: number, env = {}) {
    const topic = await Topic.connect(broker, name, 3);
    open.push(() => topic.close());
    const dataDir = temporaryFolder();
    const args = sourceArgs(dataDir, broker, topic.name);
    const service = await Service.start({ dataDir, args, env });
    open.push(() => service.kill());
    await service.ship([{ _msg: "first" }]);
    // Stopped while the topic is filled, so that all of it is there at once.
    process.kill(service.pid, "SIGSTOP");
    await topic.create();
    const pad = "a line of some log, ".repeat(Math.ceil(bytes / 20)).slice(0, bytes - 60);
    // A batch of one partition may have 1 MiB.
    const length = Math.min(1000, Math.floor((2 << 20) / bytes));
    for (let n = 0; n < messages; n += length) {
      const batch = Array.from({ length: Math.min(length, messages - n) }, (_, i) => ({
        partition: (n + i) % 3,
        value: `{"of":"load","service":"s${(n + i) % 7}","n":${n + i},"_msg":"${pad}"}`,
      }));
      await topic.send(batch);
    }
    process.kill(service.pid, "SIGCONT");
    const idleMiB = service.rssMiB();
    let peakMiB = 0;
    const started = performance.now();
    await until(async () => {
      peakMiB = Math.max(peakMiB, service.rssMiB());
      const count = await service.count("of:=load");
      return count >= messages || count;
    });
    const seconds = (performance.now() - started) / 1000;
    const [row] = await service.search("of:=load | stats count() c, count_uniq(n) u");
    assert.deepEqual([row?.["c"], row?.["u"]].map(Number), [messages, messages]);
    assert.equal(await service.stop(), 0);
    return { seconds, growthMiB: peakMiB - idleMiB };
  }

  test("300 MB are stored through 32 MiB of memory for records, and the service does not grow with them", async (context) => {
    const env = { LOGKEEP_STORAGE_ARENA_BYTES: "32MiB", LOGKEEP_STORAGE_WORKERS: "2" };
    const { seconds, growthMiB } = await readWhole("large", 30_000, 10_000, env);
    context.diagnostic(`${seconds.toFixed(1)} s, memory grew by ${growthMiB.toFixed(0)} MiB`);
    assert.ok(growthMiB < growthMaxMiB, `memory grew by ${growthMiB} MiB`);
  });

  test("200,000 messages of 300 bytes are read and stored", async (context) => {
    const { seconds, growthMiB } = await readWhole("many", 200_000, 300);
    const rate = Math.round(200_000 / seconds);
    context.diagnostic(`${rate} messages/s, memory grew by ${growthMiB.toFixed(0)} MiB`);
  });
});
