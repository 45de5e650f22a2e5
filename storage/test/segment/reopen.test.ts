import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { BlockCache } from "../../src/segment/block-cache.ts";
import { openSegment } from "../../src/segment/reader.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { batchOf, recordsOf } from "../format/records.ts";

const directory = mkdtempSync(join(tmpdir(), "logkeep-reopen-"));
after(() => rmSync(directory, { recursive: true }));

test("a segment that was closed and opened again is read through what the cache kept of it", () => {
  const path = join(directory, "segment");
  const records = Array.from({ length: 8_000 }, (_, i) => ({
    ms: 1_000 + i,
    ns: 0,
    stream: "{}",
    position: 1,
    fields: {
      _msg: `request ${i} of ${hex(i)} took ${(i * 7) % 31} ms: ${hex(i + 0.5)}`,
      n: hex(i + 0.25),
    },
  }));
  sealSegment({
    path,
    uuid: "u",
    shard: 0,
    epoch: 1,
    positionFrom: 1,
    positionThrough: 1,
    batches: [{ bytes: batchOf(records, { receiptMs: 1_000 }), position: 1 }],
  });
  const cache = new BlockCache();
  const first = openSegment(path, cache);
  const held = [...first.blocks()];
  // The columns are told of and kept, what they hold is not yet read.
  for (const block of held) for (const name of block.fieldNames) block.column(name);
  first.close();
  const second = openSegment(path, cache);
  const seen = [...second.blocks()].flatMap((block) => recordsOf(block));
  second.close();
  assert.deepEqual(
    seen.map(({ fields }) => fields),
    records.map(({ fields }) => fields),
  );
  assert.equal(held.flatMap((block) => recordsOf(block)).length, records.length);
});

/** Nothing that compresses, so that columns have bytes of their own in the file. */
function hex(number: number): string {
  return createHash("sha256").update(String(number)).digest("hex");
}
