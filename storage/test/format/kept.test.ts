// Goal: every release reads the files of every format version.
// Method: `kept/` holds a batch and a segment of each version, and what is in them. With REWRITE=1 those
// of the current version are written anew; do that only before its first release.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Prng } from "../../../kit/src/prng.ts";
import { openBatch, verifyBatch } from "../../src/format/batch.ts";
import { openSegment, verifySegment } from "../../src/segment/reader.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { batchOf, byName, recordsOf, type TestRecord } from "./records.ts";

const directory = join(import.meta.dirname, "kept");
const segmentPath = join(directory, "version-1.seg");
const batchPath = join(directory, "version-1.batch");
const recordsPath = join(directory, "version-1.ndjson");

if (process.env["REWRITE"] === "1") rewrite();

const kept = readFileSync(recordsPath, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as TestRecord);

test("a kept batch of version 1 is read", () => {
  const bytes = readFileSync(batchPath);
  verifyBatch(bytes, 0, bytes.length);
  const batch = openBatch(bytes, 0, bytes.length, 7);
  assert.deepEqual(recordsOf(batch), kept);
  assert.deepEqual([batch.header.tenant, batch.header.retentionClass], ["kept", "standard"]);
});

test("a kept segment of version 1 is read", () => {
  const footer = verifySegment(segmentPath);
  const { partitions, blocks, ...identity } = footer;
  assert.deepEqual(identity, {
    uuid: "5cf0e3c1-0000-4000-8000-000000000001",
    shard: 3,
    epoch: 4,
    level: 0,
    positionFrom: 5,
    positionThrough: 9,
    replaces: [],
  });
  assert.deepEqual([partitions[0]?.tenant, blocks.length], ["kept", 1]);
  const segment = openSegment(segmentPath);
  const [block] = [...segment.blocks()];
  const inOrder = [...kept].sort(
    (a, b) =>
      (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0) || a.ms - b.ms || a.ns - b.ns,
  );
  assert.deepEqual(recordsOf(block!).map(sorted), inOrder.map(sorted));
  assert.ok(block?.mayContain("_msg", ["message", "17"]));
  assert.equal(block?.mayContain("_msg", ["nowhere"]), false);
  segment.close();
});

function sorted(record: TestRecord): TestRecord {
  return { ...record, fields: Object.fromEntries(Object.entries(record.fields).sort(byName)) };
}

function rewrite(): void {
  const prng = new Prng(1);
  const records = Array.from({ length: 300 }, (_, i): TestRecord => {
    const fields = {
      same: "constant",
      level: prng.pick(["info", "error"]),
      bytes: String(prng.below(1e9)),
      ...(i % 3 === 0 ? { some: String(prng.below(1e6) - 500_000) } : {}),
      ...(i === 20 ? { rare: "naïve 😀" } : {}),
      _msg: `message ${i} of ${prng.u32().toString(36)}`,
    };
    const stream = prng.pick(['{host="a"}', '{host="b",service="x"}']);
    return { ms: 1_700_000_000_000 + i * 7, ns: prng.below(1e6), stream, position: 7, fields };
  });
  const bytes = batchOf(records, { tenant: "kept", receiptMs: 1_700_000_001_000 });
  writeFileSync(batchPath, bytes);
  writeFileSync(recordsPath, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  sealSegment({
    path: segmentPath,
    uuid: "5cf0e3c1-0000-4000-8000-000000000001",
    shard: 3,
    epoch: 4,
    positionFrom: 5,
    positionThrough: 9,
    batches: [{ bytes, position: 7 }],
  });
}
