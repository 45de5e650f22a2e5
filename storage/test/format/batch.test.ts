import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "../../../kit/src/errors.ts";
import { Prng } from "../../../kit/src/prng.ts";
import { openBatch, readBatchHeader, verifyBatch } from "../../src/format/batch.ts";
import { BatchBuilder } from "../../src/format/batch-builder.ts";
import { FieldNames } from "../../src/format/field-names.ts";
import { batchRowsMax } from "../../src/format/limits.ts";
import {
  appendRecord,
  batchOf,
  encoded,
  randomRecords,
  recordsOf,
  type TestRecord,
  valuesOf,
} from "./records.ts";

const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 60);
const record: TestRecord = {
  ms: 1_700_000_000_123,
  ns: 456_789,
  stream: '{host="web-03",service="web"}',
  position: 7,
  fields: { _msg: "GET /", status: "200" },
};

test("a batch gives back the records that were appended, whatever they hold", () => {
  const names = new FieldNames();
  const builder = new BatchBuilder({ tenant: "acme", retentionClass: "long", names });
  for (let seed = 0; seed < rounds; seed++) {
    const prng = new Prng(seed);
    const records = randomRecords(prng, 1 + prng.below(seed % 10 === 0 ? 3_000 : 100));
    for (const each of records) appendRecord(builder, names, each);
    assert.equal(builder.rowCount, records.length);
    const bytes = encoded(builder, 5);
    builder.reset();
    verifyBatch(bytes, 0, bytes.length);
    const batch = openBatch(bytes, 0, bytes.length, 7);
    assert.deepEqual(recordsOf(batch), records, `SEED=${seed}`);
    assert.equal(batch.header.tenant, "acme");
  }
});

test("the header tells tenant, class, internal, receipt time and bounds of time", () => {
  const later = { ...record, ms: record.ms + 5, ns: 0 };
  const earlier = { ...record, ns: 3 };
  const bytes = batchOf([record, later, earlier], {
    tenant: "täglich",
    retentionClass: "short",
    internal: true,
    receiptMs: 99.5,
  });
  assert.deepEqual(readBatchHeader(bytes, 0, bytes.length), {
    byteLength: bytes.length,
    rowCount: 3,
    tenant: "täglich",
    retentionClass: "short",
    internal: true,
    receiptMs: 99.5,
    timeMin: { ms: record.ms, ns: 3 },
    timeMax: { ms: record.ms + 5, ns: 0 },
  });
});

test("a batch is read in place from shared memory, at any 8-aligned offset", () => {
  const names = new FieldNames();
  const streamTexts = new FieldNames();
  const builder = new BatchBuilder({ tenant: "t", retentionClass: "c", names, streamTexts });
  const streamId = streamTexts.idOfText(record.stream);
  const source = Buffer.from("GET /200");
  const nameIds = Int32Array.of(names.idOfText("_msg"), names.idOfText("status"));
  builder.append(1, 0, streamId, source, 2, nameIds, Uint32Array.of(0, 5), Uint32Array.of(5, 8));
  const shared = Buffer.from(new SharedArrayBuffer(4_096), 8);
  const length = builder.encodeInto(shared, 16, 0);
  const batch = openBatch(shared, 16, 1_000, 7);
  assert.equal(batch.header.byteLength, length);
  assert.equal(batch.column("status")?.values().bytes.buffer, shared.buffer);
  assert.deepEqual(valuesOf(batch, "_msg"), ["GET /"]);
  assert.equal(batch.streams().labels[0]?.pairs.get("host"), "web-03");
});

test("columns are constants, dictionaries or rows as it pays, and rare fields take no place", () => {
  const records = Array.from({ length: 1_000 }, (_, i) => ({
    ...record,
    fields: {
      same: "x",
      level: i % 2 === 0 ? "info" : "warn",
      id: `id-${i}`,
      ...(i === 500 ? { rare: "here" } : {}),
    },
  }));
  const bytes = batchOf(records);
  const batch = openBatch(bytes, 0, bytes.length, 7);
  assert.equal(batch.column("same")?.layout, "const");
  assert.equal(batch.column("level")?.layout, "dict");
  assert.equal(batch.column("id")?.layout, "rows");
  assert.equal(valuesOf(batch, "rare")[500], "here");
  assert.deepEqual([...(batch.column("id")?.numbers().subarray(0, 1) ?? [])], [Number.NaN]);
  assert.equal(batch.column("absent"), undefined);
  assert.equal(batch.mayContain("absent", ["word"]), false);
  assert.equal(batch.mayContain("id", ["word"]), true);
  const without = batchOf(
    records.map((each) => ({ ...each, fields: { ...each.fields, rare: "" } })),
  );
  assert.ok(bytes.length - without.length < 100);
});

test("of a field given twice the last value counts", () => {
  const names = new FieldNames();
  const builder = new BatchBuilder({ tenant: "t", retentionClass: "c", names });
  const id = names.idOfText("a");
  const source = Buffer.from("onetwo");
  for (let row = 0; row < 40; row++) {
    builder.append(
      1,
      0,
      "{}",
      source,
      2,
      Int32Array.of(id, id),
      Uint32Array.of(0, 3),
      Uint32Array.of(3, 6),
    );
  }
  const bytes = encoded(builder);
  assert.deepEqual(new Set(valuesOf(openBatch(bytes, 0, bytes.length, 0), "a")), new Set(["two"]));
});

test("a builder is full at its limits and starts anew after a reset", () => {
  const names = new FieldNames();
  const builder = new BatchBuilder({ tenant: "t", retentionClass: "c", names });
  while (!builder.isFull) appendRecord(builder, names, record);
  assert.equal(builder.rowCount, batchRowsMax);
  builder.reset();
  const long = { ...record, fields: { _msg: "x".repeat(100_000) } };
  while (!builder.isFull) appendRecord(builder, names, long);
  assert.equal(builder.rowCount, 11);
  builder.reset();
  appendRecord(builder, names, record);
  const bytes = encoded(builder);
  assert.deepEqual(recordsOf(openBatch(bytes, 0, bytes.length, 7)), [record]);
});

test("after the names were cleared, a builder's columns are those of the new names", () => {
  const names = new FieldNames();
  const builder = new BatchBuilder({ tenant: "t", retentionClass: "c", names });
  appendRecord(builder, names, record);
  encoded(builder);
  builder.reset();
  names.clear();
  const other = { ...record, fields: { zone: "a", _msg: "b" } };
  appendRecord(builder, names, other);
  const bytes = encoded(builder);
  assert.deepEqual(recordsOf(openBatch(bytes, 0, bytes.length, 7)), [other]);
});

test("names keep their ids while the table grows", () => {
  const names = new FieldNames();
  for (let i = 0; i < 5_000; i++) assert.equal(names.idOfText(`name-${i}`), i);
  for (let i = 0; i < 5_000; i++) {
    assert.equal(names.idOfText(`name-${i}`), i);
    assert.equal(names.nameOf(i), `name-${i}`);
  }
});

test("a flipped byte of a batch is found by its checksum, and opening it never fails otherwise", () => {
  const prng = new Prng(5);
  const bytes = batchOf(randomRecords(prng, 40));
  for (let position = 0; position < bytes.length; position++) {
    const flipped = Buffer.from(new ArrayBuffer(bytes.length));
    flipped.set(bytes);
    flipped[position] = (flipped[position] as number) ^ (1 << prng.below(8));
    assert.throws(() => verifyBatch(flipped, 0, flipped.length), isDamaged, `byte ${position}`);
    readWhatCanBeRead(flipped);
  }
});

test("cut or random bytes are refused as damage", () => {
  const prng = new Prng(6);
  const bytes = batchOf(randomRecords(prng, 40));
  for (let length = 0; length < bytes.length; length += 1 + prng.below(9)) {
    assert.throws(() => openBatch(bytes, 0, length, 0), isDamaged);
  }
  assert.throws(() => openBatch(bytes, 8, bytes.length, 0), isDamaged);
  for (let round = 0; round < 5_000; round++) {
    const broken = Buffer.from(new ArrayBuffer(bytes.length));
    broken.set(bytes);
    for (let i = prng.below(6); i >= 0; i--) broken[prng.below(broken.length)] = prng.below(256);
    readWhatCanBeRead(broken);
  }
});

function readWhatCanBeRead(bytes: Buffer): void {
  try {
    recordsOf(openBatch(bytes, 0, bytes.length, 0));
  } catch (thrown) {
    assert.ok(isDamaged(thrown), `not a typed error: ${String(thrown)}`);
  }
}

function isDamaged(thrown: unknown): boolean {
  return thrown instanceof ServiceError && thrown.code === "storage.damaged";
}
