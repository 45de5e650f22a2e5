import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { BlockCache } from "../../src/segment/block-cache.ts";
import { mergeSegments } from "../../src/segment/merge.ts";
import { openSegment } from "../../src/segment/reader.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { batchOf, recordsOf, type TestRecord } from "../format/records.ts";

const directory = mkdtempSync(join(tmpdir(), "logkeep-columns-"));
after(() => rmSync(directory, { recursive: true }));

/** More fields than a block takes columns, so that a second one begins. */
const batchCount = 12;
const recordsOfBatch = 3;
const fieldsOfRecord = 240;
const columnsAtMost = 8_192;

/** Records of which each has fields that no other has. */
function record(position: number, at: number): TestRecord {
  const number = position * recordsOfBatch + at;
  const names = Array.from({ length: fieldsOfRecord }, (_, i) => `f${number}_${i}`);
  return {
    ms: 1_000 + ((number * 7) % 100),
    ns: 0,
    stream: "{}",
    position,
    fields: { n: String(number), ...Object.fromEntries(names.map((name) => [name, "v"])) },
  };
}

test("records of ever new fields become several blocks, none of very many columns, and stay whole through a merge", () => {
  const inputs = ["a", "b"].map((name, file) => {
    const path = join(directory, name);
    const batches = Array.from({ length: batchCount }, (_, i) => {
      const position = file * batchCount + i + 1;
      const records = Array.from({ length: recordsOfBatch }, (_, at) => record(position, at));
      return { bytes: batchOf(records, { receiptMs: 1_000 }), position };
    });
    const from = file * batchCount + 1;
    sealSegment({ ...identity(path, from, from + batchCount - 1), batches });
    return path;
  });
  for (const path of inputs) checkBlocks(path, batchCount * recordsOfBatch);
  const merged = join(directory, "merged");
  mergeSegments({
    ...identity(merged, 1, batchCount * 2),
    level: 1,
    inputs: inputs.map((path) => ({ path, uuid: path })),
  });
  checkBlocks(merged, 2 * batchCount * recordsOfBatch);
});

function identity(path: string, positionFrom: number, positionThrough: number) {
  return { path, uuid: path, shard: 0, epoch: 1, positionFrom, positionThrough };
}

function checkBlocks(path: string, rowCount: number): void {
  const segment = openSegment(path, new BlockCache(0));
  const blocks = [...segment.blocks()];
  assert.ok(blocks.length > 1);
  const numbers = new Set<string>();
  for (const block of blocks) {
    assert.ok(block.fieldNames.length <= columnsAtMost, `${block.fieldNames.length} columns`);
    for (const { fields, position } of recordsOf(block)) {
      const { n = "", ...others } = fields;
      assert.ok(!numbers.has(n));
      numbers.add(n);
      const expected = record(position, Number(n) % recordsOfBatch);
      assert.deepEqual({ n, ...others }, expected.fields);
    }
  }
  assert.equal(numbers.size, rowCount);
  segment.close();
}
