// Goal: with Kafka, Elasticsearch and Redis at work together, a service that is killed at random moments stores each message
// once, mirrors each record once, and tells each alert once under its dedupe key.
// Method: a topic is written to all the time; each round ships one record that one rule watches for, and kills the service, now and
// then a server with it. At the end numbers, documents and dedupe keys are counted. The seed is printed; SEED=<n> draws the same moments.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Prng } from "../../kit/src/prng.ts";
import { Receiver, until } from "../alerts/receiver.ts";
import { apply, historyOf, ruleOf } from "../alerts/rules.ts";
import { freshPrefix } from "../elastic/given.ts";
import { sourceArgs, Topic, untilStored } from "../kafka/topic.ts";
import { Elasticsearch, missingElasticsearch } from "../servers/elasticsearch.ts";
import { KafkaBroker, missingKafka } from "../servers/kafka.ts";
import { missingRedis, RedisServer } from "../servers/redis.ts";
import { Service, temporaryFolder } from "../service.ts";

const rounds = Number(process.env["LOGKEEP_ROUNDS"] ?? 4);
const seed = Number(process.env["SEED"] ?? 20261121);
const isMissing = missingKafka() || missingElasticsearch() || missingRedis();

/** Messages at a time. */
const batch = 200;
const patienceMs = 240_000;

describe("all engines at once", { skip: isMissing }, () => {
  let broker: KafkaBroker;
  let es: Elasticsearch;
  let redis: RedisServer;
  let receiver: Receiver;
  let topic: Topic;

  before(async () => {
    broker = await KafkaBroker.start();
    es = await Elasticsearch.start();
    redis = await RedisServer.start({ isDurable: true });
    receiver = await Receiver.open();
    topic = await Topic.connect(broker, "mission");
    await topic.create();
  });
  after(async () => {
    await topic.close();
    await receiver.close();
    await redis.kill();
    await es.kill();
    await broker.stop();
  });

  test(`killed at ${rounds} random moments, nothing is missing and nothing doubled`, async (t) => {
    t.diagnostic(`SEED=${seed}`);
    const prng = new Prng(seed);
    const prefix = freshPrefix();
    const dataDir = temporaryFolder();
    const settings = [
      ...[`elasticsearch.nodes=${es.url}`, `elasticsearch.indexPrefix=${prefix}`],
      ...[`alerts.redis=${redis.url}`, "storage.sealAgeMs=1000"],
    ];
    const args = [
      ...sourceArgs(dataDir, broker, topic.name),
      ...settings.flatMap((text) => ["--set", text]),
    ];
    const start = async (): Promise<Service> => {
      const started = await Service.start({ dataDir, args });
      t.after(() => started.kill());
      return started;
    };
    let service = await start();
    const marks = Array.from({ length: rounds }, (_, i) => `mark-${i}`);
    const rules = marks.map((mark) => ({ name: mark, query: `mark:=${mark}`, keepFor: "2s" }));
    await apply(service, ...rules.map((rule) => ruleOf(rule, receiver.url)));
    for (const mark of marks) {
      const writing = topic.write(batch);
      const marking = shipOnce(() => service, mark);
      await sleep(prng.below(3000));
      await service.kill();
      await writing;
      if (prng.chance(0.2)) await redis.restart();
      if (prng.chance(0.1)) await es.restart();
      service = await start();
      await marking;
    }
    await untilStored(service, topic.count);
    await until(() => receiver.keys.size >= 2 * rounds, "all have fired and resolved", patienceMs);
    await until(() => isSettled(service), "nothing is on its way", patienceMs);
    assert.equal(receiver.keys.size, 2 * rounds);
    for (const { rule, count } of receiver.taken) assert.equal(count, 1, rule);
    for (const [of, wanted] of [
      ["topic", topic.count],
      ["marks", rounds],
    ] as const) {
      // A server that was just started again may have no shard yet.
      const total = (): Promise<number> =>
        mirroredOf(es, prefix, of).then(
          (found) => found.total,
          () => 0,
        );
      await until(async () => (await total()) >= wanted, `${of} are mirrored`, patienceMs);
      assert.deepEqual(await mirroredOf(es, prefix, of), { total: wanted, distinct: wanted });
    }
  });
});

/** Ships a record until it is acknowledged, under one key. */
async function shipOnce(service: () => Service, mark: string): Promise<void> {
  const record = { service: "marks", of: "marks", n: mark, mark, _msg: `the record of ${mark}` };
  const headers = { "Idempotency-Key": mark };
  for (;;) {
    try {
      await service().ship([record], { headers });
      return;
    } catch {
      await sleep(50);
    }
  }
}

async function isSettled(service: Service): Promise<boolean> {
  const deliveries = (await historyOf(service)).flatMap((event) => event.deliveries);
  return deliveries.every(({ outcome }) => outcome !== "waiting");
}

interface Mirrored {
  readonly total: number;
  /** Distinct values of the field `n`. */
  readonly distinct: number;
}

async function mirroredOf(es: Elasticsearch, prefix: string, of: string): Promise<Mirrored> {
  const url = `${es.url}/${prefix}-default-*`;
  await fetch(`${url}/_refresh`, { method: "POST" });
  const body = {
    size: 0,
    track_total_hits: true,
    query: { term: { "of.exact": of } },
    aggs: { distinct: { cardinality: { field: "n.exact", precision_threshold: 40_000 } } },
  };
  const response = await fetch(`${url}/_search?allow_no_indices=true`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`search: ${response.status} ${text}`);
  const { hits, aggregations } = JSON.parse(text) as {
    readonly hits: { readonly total: { readonly value: number } };
    readonly aggregations?: { readonly distinct: { readonly value: number } };
  };
  return { total: hits.total.value, distinct: aggregations?.distinct.value ?? 0 };
}
