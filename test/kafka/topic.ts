import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs, { type Admin, type Message, type Producer } from "kafkajs";
import type { KafkaBroker } from "../servers/kafka.ts";
import type { Service } from "../service.ts";

const { CompressionTypes, Kafka, logLevel } = kafkajs;

/** How long whatever a test waits for may take on a machine that does other things, too. */
const waitMs = 180_000;

/** A topic, and who writes to it; what was written is known by its numbers. */
export class Topic {
  readonly name: string;
  readonly admin: Admin;
  readonly #producer: Producer;
  readonly #partitions: number;
  #next = 0;

  private constructor(name: string, partitions: number, admin: Admin, producer: Producer) {
    this.name = name;
    this.admin = admin;
    this.#producer = producer;
    this.#partitions = partitions;
  }

  static async connect(broker: KafkaBroker, name: string, partitions = 3): Promise<Topic> {
    const retry = { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 };
    const patience = { connectionTimeout: 20_000, retry };
    const client = new Kafka({
      brokers: [broker.address],
      logLevel: logLevel.NOTHING,
      ...patience,
    });
    const admin = client.admin();
    await admin.connect();
    const producer = client.producer({ idempotent: true });
    await producer.connect();
    return new Topic(name, partitions, admin, producer);
  }

  async create(): Promise<void> {
    const topics = [{ topic: this.name, numPartitions: this.#partitions }];
    await this.admin.createTopics({ topics, waitForLeaders: true });
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
    await this.admin.disconnect();
  }

  /** Numbers written so far: 0 … count − 1. */
  get count(): number {
    return this.#next;
  }

  /** Writes so many records, each with its number, over all partitions; each request is one batch a partition. */
  async write(count: number, compression = CompressionTypes.GZIP): Promise<void> {
    for (let left = count; left > 0; left -= 500) {
      const numbers = Array.from({ length: Math.min(left, 500) }, () => this.#next++);
      await this.send(
        numbers.map((n) => ({ partition: n % this.#partitions, value: recordOf(n) })),
        compression,
      );
    }
  }

  async send(messages: Message[], compression = CompressionTypes.None): Promise<void> {
    await this.#producer.send({ topic: this.name, compression, messages });
  }

  /** Messages that the topic has had, by its offsets. */
  async ends(): Promise<number> {
    const offsets = await this.admin.fetchTopicOffsets(this.name);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  }
}

/** Seven services, so that a batch has records for several shards. */
export function recordOf(n: number): string {
  return JSON.stringify({ _msg: `message ${n}`, service: `s${n % 7}`, n, of: "topic" });
}

/** Writes `logkeep.yaml` with one source into a folder; gives the arguments that name it. */
export function sourceArgs(
  folder: string,
  { address }: { readonly address: string },
  topic: string,
  more: readonly string[] = [],
  kafkaMore: readonly string[] = [],
): string[] {
  const file = path.join(folder, "logkeep.yaml");
  const lines = [
    "sources:",
    "  - name: test",
    ...more.map((line) => `    ${line}`),
    "    kafka:",
    `      brokers: ["${address}"]`,
    `      topic: ${topic}`,
    ...kafkaMore.map((line) => `      ${line}`),
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return ["--config", file];
}

/** Waits until something holds; throws with what it said last. */
export async function until(holds: () => Promise<true | unknown>): Promise<void> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const found = await holds();
    if (found === true) return;
    if (Date.now() > deadline) throw new Error(`it never held: ${JSON.stringify(found)}`);
    await sleep(100);
  }
}

/** Waits until there are so many records, and asserts that each number is there once. */
export async function untilStored(service: Service, count: number): Promise<void> {
  const query = "of:=topic | stats count() c, count_uniq(n) u, max(n) m";
  await until(async () => {
    const [row] = await service.search(query);
    return Number(row?.["c"]) >= count || row;
  });
  const [row] = await service.search(query);
  const found = [row?.["c"], row?.["u"], row?.["m"]].map(Number);
  if (found.join() === [count, count, count - 1].join()) return;
  throw new Error(`records, numbers, highest: ${found.join(", ")} and not ${count} of each`);
}

/** One line of `/metrics` that starts so; its value. */
export async function metric(service: Service, start: string): Promise<number | undefined> {
  const text = await (await fetch(`${service.http}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(start));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
}
