import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Prng } from "../../../kit/src/prng.ts";
import { openSegment } from "../../src/segment/reader.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { batchOf, type TestRecord } from "../format/records.ts";

const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 20);

/** Fields of few batches: of one value, of several, of one in all rows that have it. */
function recordsOfBatch(prng: Prng, batch: number): TestRecord[] {
  return Array.from({ length: 50 }, (_, i) => {
    const fields: Record<string, string> = { common: String(i) };
    if (batch === 0 && i === 7) fields["once"] = "alone";
    if (batch === 0 && prng.chance(0.5)) fields["same"] = "one";
    if (batch === 0 && prng.chance(0.5)) fields["few"] = prng.pick(["a", "bb", "ccc"]);
    if (batch === 0 && prng.chance(0.5)) fields["many"] = `v${prng.below(1e6)}`;
    return { ms: 1_763_600_000_000 + batch * 50 + i, ns: 0, stream: "{}", position: 1, fields };
  });
}

test("a column that few rows have tells which, and has their values and no others", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "logkeep-sparse-"));
  t.after(() => rmSync(directory, { recursive: true }));
  for (let seed = 1; seed <= rounds; seed++) {
    const prng = new Prng(seed);
    const batches = Array.from({ length: 40 }, (_, batch) => recordsOfBatch(prng, batch));
    const records = batches.flat();
    const path = join(directory, `${seed}`);
    sealSegment({
      ...{ path, uuid: `${seed}`, shard: 0, epoch: 1, positionFrom: 1, positionThrough: 40 },
      batches: batches.map((each, i) => ({ bytes: batchOf(each), position: i + 1 })),
    });
    const segment = openSegment(path);
    const [block] = segment.blocks();
    for (const field of ["once", "same", "few", "many"]) {
      const wanted = records.flatMap(({ fields }, row) =>
        fields[field] === undefined ? [] : [row],
      );
      const column = block?.column(field);
      if (wanted.length === 0) continue;
      assert.deepEqual([...(column?.present ?? [])], wanted, `seed ${seed}: ${field}`);
      const { bytes, offsets } = column!.values();
      for (const [row, { fields }] of records.entries()) {
        const text = bytes.toString("utf8", offsets[row], offsets[row + 1]);
        assert.equal(text, fields[field] ?? "", `seed ${seed}: ${field} of row ${row}`);
      }
    }
    segment.close();
  }
});
