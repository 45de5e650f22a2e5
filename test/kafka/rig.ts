import { registerCodecs } from "../../adapters/src/kafka/codecs.ts";
import { KafkaBroker } from "../servers/kafka.ts";
import { Service, type ServiceOptions, temporaryFolder } from "../service.ts";
import { sourceArgs, Topic } from "./topic.ts";

/** A broker for the tests of a file, and what they open at it. */
export class KafkaRig {
  readonly broker: KafkaBroker;
  #topics = 0;
  readonly #open: (() => Promise<unknown>)[] = [];

  private constructor(broker: KafkaBroker) {
    this.broker = broker;
  }

  static async start(): Promise<KafkaRig> {
    // The writer of these tests compresses by zstd, too.
    registerCodecs();
    return new KafkaRig(await KafkaBroker.start());
  }

  /** Does something when the tests are over, the latest first. */
  atEnd(close: () => Promise<unknown>): void {
    this.#open.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#open.reverse()) await close();
    await this.broker.stop();
  }

  async topicOf(partitions = 3, isCreated = true): Promise<Topic> {
    const topic = await Topic.connect(this.broker, `topic-${this.#topics++}`, partitions);
    this.atEnd(() => topic.close());
    if (isCreated) await topic.create();
    return topic;
  }

  /** A service that reads the topic; `more` and `kafkaMore` are lines of its source and of that's `kafka`. */
  async serviceOf(
    topic: Topic,
    more: readonly string[] = [],
    kafkaMore: readonly string[] = [],
    options: ServiceOptions = {},
  ): Promise<Service> {
    const { dataDir = temporaryFolder() } = options;
    const args = sourceArgs(dataDir, this.broker, topic.name, more, kafkaMore);
    const service = await Service.start({ ...options, dataDir, args });
    this.atEnd(() => service.kill());
    return service;
  }
}
