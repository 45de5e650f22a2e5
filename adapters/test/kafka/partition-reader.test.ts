import assert from "node:assert/strict";
import { test } from "node:test";
import type { FetchedPartition } from "../../src/kafka/kafkajs-cluster.ts";
import { type KafkaBatch, PartitionReader } from "../../src/kafka/partition-reader.ts";

function fetched(
  from: number,
  count: number,
  value: Buffer | null = Buffer.from("12345"),
): FetchedPartition {
  const messages = Array.from({ length: count }, (_, at) => ({
    offset: String(from + at),
    timestamp: String(1000 + at),
    value,
    isControlRecord: false,
  }));
  const context = { partition: 0, highWatermark: String(from + count), abortedTransactions: [] };
  return { ...context, messages } as FetchedPartition;
}

/** A reader whose batches are stored when `finish` is called. */
function readerAt(at: number) {
  const storing: { batch: KafkaBatch; done: PromiseWithResolvers<void> }[] = [];
  let freed = 0;
  const reader = new PartitionReader({
    ...{ partition: 0, at },
    store: (batch) => {
      const done = Promise.withResolvers<void>();
      storing.push({ batch, done });
      return done.promise;
    },
    onFreed: (bytes) => {
      freed += bytes;
    },
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    reader,
    storing,
    freed: () => freed,
    async finish(error?: Error) {
      const { done } = storing.at(-1) as (typeof storing)[number];
      if (error === undefined) done.resolve();
      else done.reject(error);
      await turn();
    },
    turn,
  };
}

test("batches are stored one after the other, and no more than two are held", async () => {
  const { reader, storing, finish, turn, freed } = readerAt(10);
  assert.equal(reader.take(fetched(10, 3)), 15);
  assert.equal(reader.hasRoom, true);
  reader.take(fetched(13, 2));
  await turn();
  assert.equal(reader.hasRoom, false);
  assert.deepEqual([storing.length, reader.next, reader.stored], [1, 15, 10]);
  await finish();
  assert.deepEqual([storing.length, reader.stored, reader.hasRoom, freed()], [2, 13, true, 15]);
  await finish();
  assert.deepEqual([reader.stored, freed()], [15, 25]);
});

test("messages before the offset asked for are left out, and so are those without a value", async () => {
  const { reader, storing, turn } = readerAt(12);
  reader.take(fetched(10, 5));
  reader.take(fetched(15, 2, null));
  await turn();
  assert.deepEqual([...(storing[0]?.batch.offsets ?? [])], [12, 13, 14]);
  assert.equal(reader.next, 17);
});

test("behind a batch that was not stored none is stored, and the partition stops", async () => {
  const { reader, storing, finish, turn } = readerAt(0);
  reader.take(fetched(0, 1));
  reader.take(fetched(1, 1));
  await turn();
  await finish(new Error("the term is over"));
  await reader.settled();
  assert.equal(storing.length, 1);
  assert.deepEqual([reader.stored, reader.hasRoom], [0, false]);
  assert.equal(reader.stopped, "a batch was not stored");
});
