// Goal: bytes of a broker become the messages that were written, whoever wrote them: within bounds of memory and time.
// Method: batches are encoded by kafkajs, whose own decoder is the oracle where it is fit for it.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import fc from "fast-check";
import { registerCodecs } from "../../src/kafka/codecs.ts";
import { committedOf } from "../../src/kafka/committed.ts";
import { messagesOf } from "../../src/kafka/record-batches.ts";

interface Encoded {
  readonly buffer: Buffer;
}
interface Given {
  readonly key?: string | null;
  readonly value: Buffer | string | null;
  readonly timestamp?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const require = createRequire(import.meta.url);
const { RecordBatch } = require("kafkajs/src/protocol/recordBatch/v0/index.js") as {
  RecordBatch(batch: object): Promise<Encoded>;
};
const record = require("kafkajs/src/protocol/recordBatch/record/v0/index.js") as (
  given: object,
) => object;
const Decoder = require("kafkajs/src/protocol/decoder.js") as new (bytes: Buffer) => object;
const decodeBatch = require("kafkajs/src/protocol/recordBatch/v0/decoder.js") as (
  decoder: object,
) => Promise<{ readonly records: readonly Record<string, unknown>[] }>;

registerCodecs();
const none = 0;
const gzip = 1;
const zstd = 4;

async function batchOf(
  records: readonly Given[],
  compression: number = none,
  more: object = {},
): Promise<Buffer> {
  const encoded = records.map(({ timestamp = 0, ...given }, offsetDelta) =>
    record({ ...given, timestampDelta: timestamp, offsetDelta }),
  );
  const about = { firstOffset: 7, firstTimestamp: 1000, maxTimestamp: 2000, compression };
  const last = { lastOffsetDelta: records.length - 1, firstSequence: 0, producerEpoch: 0 };
  const { buffer } = await RecordBatch({ ...about, ...last, ...more, records: encoded });
  return buffer;
}

test("a batch holds what kafkajs reads in it, whatever was written", async () => {
  const text = fc.option(fc.string({ unit: "binary" }));
  const given = fc.record({
    key: text,
    value: text,
    timestamp: fc.integer(),
    headers: fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { maxKeys: 3 }),
  });
  const batches = fc.array(fc.array(given, { minLength: 1, maxLength: 8 }), { maxLength: 3 });
  const property = fc.asyncProperty(
    batches,
    fc.constantFrom(none, gzip, zstd),
    async (some, compression) => {
      const bytes = await Promise.all(some.map((each) => batchOf(each, compression)));
      const expected = await Promise.all(bytes.map((each) => decodeBatch(new Decoder(each))));
      const found = await messagesOf(Buffer.concat(bytes), { bytes: 0 });
      const facts = found.map(({ offset, timestamp, value }) => ({ offset, timestamp, value }));
      const oracle = expected.flatMap(({ records }) => records);
      assert.deepEqual(
        facts,
        oracle.map(({ offset, timestamp, value }) => ({ offset, timestamp, value })),
      );
    },
  );
  await fc.assert(property, { seed: 9, numRuns: 60 });
});

test("a message with very many headers is read at once", async () => {
  const headers = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`h${i}`, "x"]));
  const bytes = await batchOf([{ value: "v", headers }]);
  const before = process.cpuUsage();
  const [message] = await messagesOf(bytes, { bytes: 0 });
  assert.equal(String(message?.value), "v");
  // With a copy for each header it is minutes.
  assert.ok(process.cpuUsage(before).user < 10_000_000);
});

test("a batch may have more records than a call has arguments", async () => {
  const count = 200_000;
  const one = await batchOf([{ value: "v" }]);
  const bytes = Buffer.concat([one.subarray(0, 61), ...Array(count).fill(one.subarray(61))]);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt32BE(count, 57);
  assert.equal((await messagesOf(bytes, { bytes: 0 })).length, count);
});

test("batches that become large are taken one at a time, and all of them in the end", async () => {
  const value = Buffer.alloc(20 << 20, 0x20);
  const bomb = await batchOf([{ value }], zstd);
  const two = Buffer.concat([bomb, bomb]);
  const answer = { bytes: 0 };
  assert.equal((await messagesOf(two, answer)).length, 1);
  assert.equal((await messagesOf(two, answer)).length, 0);
  assert.equal((await messagesOf(two.subarray(bomb.length), { bytes: 0 })).length, 1);
});

test("a value does not keep a key in memory that is much longer", async () => {
  const bytes = await batchOf([{ key: "k".repeat(1 << 20), value: "v" }], gzip);
  const [message] = await messagesOf(bytes, { bytes: 0 });
  assert.ok((message?.value?.buffer.byteLength ?? 0) < 1 << 20);
});

test("bytes that are no records are refused, a batch that is cut off is left for the next answer", async () => {
  const good = await batchOf([{ value: "one" }, { value: "two" }]);
  assert.equal(
    (await messagesOf(Buffer.concat([good, good.subarray(0, 70)]), { bytes: 0 })).length,
    2,
  );
  for (const [at, byte] of [
    [57, 0x7f],
    [60, 9],
    [61, 0xff],
    [8, 0xff],
  ] as const) {
    const bad = Buffer.from(good);
    bad[at] = byte;
    await assert.rejects(messagesOf(bad, { bytes: 0 }), { name: "CodecFault" });
  }
});

test("messages of several aborted transactions are left out, also when all began before", () => {
  const transaction = (offset: number, producerId: string, key: Buffer | null = null) => ({
    ...{ offset: String(offset), timestamp: "0", value: Buffer.from("v"), key },
    batchContext: {
      firstOffset: String(offset),
      lastOffsetDelta: 0,
      producerId,
      inTransaction: true,
    },
  });
  const abort = (offset: number, producerId: string) => ({
    ...transaction(offset, producerId, Buffer.from([0, 0, 0, 0])),
    isControlRecord: true,
  });
  const messages = [
    transaction(9, "c"),
    transaction(10, "b"),
    // A key that looks like the end of a transaction is none.
    transaction(11, "a", Buffer.from([0, 0, 0, 0])),
    transaction(12, "a"),
    transaction(13, "c"),
    abort(14, "a"),
    transaction(15, "a"),
    transaction(16, "b"),
    abort(17, "b"),
    transaction(18, "b"),
  ];
  const abortedTransactions = [
    { producerId: "b", firstOffset: "3" },
    { producerId: "a", firstOffset: "2" },
  ];
  const fetched = { partition: 0, highWatermark: "19", messages, abortedTransactions };
  const kept = committedOf(fetched, 10).map(({ offset }) => offset);
  assert.deepEqual(kept, ["13", "15", "18"]);
});
