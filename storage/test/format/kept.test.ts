// Goal: every release reads the files of every format version.
// Method: `kept/` holds a batch and a segment of each version, and what is in them. With REWRITE=1 the segment
// of the current version is written anew; do that only before its first release.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openBatch, verifyBatch } from "../../src/format/batch.ts";
import { formatVersion } from "../../src/format/footer.ts";
import { openSegment, verifySegment } from "../../src/segment/reader.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { byName, recordsOf, type TestRecord } from "./records.ts";

const directory = join(import.meta.dirname, "kept");
const batchPath = join(directory, "version-1.batch");
const recordsPath = join(directory, "version-1.ndjson");
const segmentVersions = [1, formatVersion];

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

for (const version of segmentVersions) {
  test(`a kept segment of version ${version} is read`, () => checkSegment(version));
}

function checkSegment(version: number): void {
  const segmentPath = segmentPathOf(version);
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
  assert.equal(block?.version, version);
  segment.close();
}

function segmentPathOf(version: number): string {
  return join(directory, `version-${version}.seg`);
}

function sorted(record: TestRecord): TestRecord {
  return { ...record, fields: Object.fromEntries(Object.entries(record.fields).sort(byName)) };
}

function rewrite(): void {
  sealSegment({
    path: segmentPathOf(formatVersion),
    uuid: "5cf0e3c1-0000-4000-8000-000000000001",
    shard: 3,
    epoch: 4,
    positionFrom: 5,
    positionThrough: 9,
    batches: [{ bytes: readFileSync(batchPath), position: 7 }],
  });
}
