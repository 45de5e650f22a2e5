import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Prng } from "../../../kit/src/prng.ts";
import { openSegment } from "../../src/segment/reader.ts";
import { scrubSegment } from "../../src/segment/scrub.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { batchOf, randomRecords } from "../format/records.ts";

const directory = mkdtempSync(join(tmpdir(), "logkeep-scrub-"));
after(() => rmSync(directory, { recursive: true }));

test("a scrub reads a segment piece by piece, and finds every flipped byte of its blocks, by block", () => {
  const prng = new Prng(12);
  const startMs = 1_700_000_000_000;
  const batches = [0, 1, 2].map((day) => {
    const receiptMs = startMs + day * 86_400_000;
    return { bytes: batchOf(randomRecords(prng, 60, receiptMs), { receiptMs }), position: 7 + day };
  });
  const path = join(directory, "scrubbed");
  const place = { shard: 3, epoch: 2, positionFrom: 1, positionThrough: 9 };
  sealSegment({ path, uuid: "scrubbed", ...place, batches });
  const whole = readFileSync(path);
  const segment = openSegment(path);
  const blocks = [...segment.blocks()].map(({ meta }) => meta);
  segment.close();
  assert.ok(blocks.length >= 3);
  const scrub = (from: number, bytesMax = 1) =>
    scrubSegment({ path, uuid: "scrubbed", from, bytesMax });
  for (const [i, { byteLength }] of blocks.entries()) {
    const next = i + 1 < blocks.length ? i + 1 : undefined;
    assert.deepEqual(scrub(i), { bytes: byteLength, next, damaged: [] });
  }
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(whole);
    const at = prng.below(bytes.length);
    bytes[at] = bytes[at]! ^ (1 << prng.below(8));
    writeFileSync(path, bytes);
    const { damaged } = scrub(0, 1e9);
    const block = blocks.findIndex((each) => at >= each.at && at < each.at + each.byteLength);
    const found = damaged.map((each) => each.block);
    assert.deepEqual(found, [block < 0 ? undefined : block], `byte ${at}`);
  }
  writeFileSync(path, whole);
  assert.equal(scrubSegment({ path, uuid: "another", from: 0, bytesMax: 1 }).damaged.length, 1);
  rmSync(path);
  assert.equal(scrub(0).damaged.length, 1);
});
