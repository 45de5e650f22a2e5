// Goal: what a block says of its values without taking a column apart leaves out no value, and is worth asking for.
// Method: columns of every kind are sealed; each value is asked for, and some that no record has.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Prng } from "../../../kit/src/prng.ts";
import { wordsOf } from "../../../kit/src/tokens.ts";
import { BlockCache } from "../../src/segment/block-cache.ts";
import { openSegment } from "../../src/segment/reader.ts";
import { sealSegment } from "../../src/segment/writer.ts";
import { batchOf } from "../format/records.ts";

const directory = mkdtempSync(join(tmpdir(), "logkeep-stored-texts-"));
after(() => rmSync(directory, { recursive: true }));

test("a value of any kind of column may be there; one that is nowhere in stored texts is told before they are read", () => {
  const prng = new Prng(3);
  const hex = () => prng.u32().toString(16).padStart(8, "0");
  const records = Array.from({ length: 1_200 }, (_, i) => {
    const address = `10.${prng.below(250)}.${prng.below(250)}.${prng.below(250)}`;
    const fields: Record<string, string> = {
      _msg: `request ${i} of ${address} was answered`,
      level: prng.pick(["info", "warn", "error"]),
      one: "same",
      number: String(prng.below(1e6)),
      address,
      // A value that is missing makes texts of addresses, and of ids.
      someAddress: i % 5 === 0 ? "" : `10.0.${prng.below(9)}.${prng.below(99)}`,
      id: hex() + hex(),
      someId: i % 3 === 0 ? "" : hex() + hex(),
      path: `/a/${prng.pick(["b", "c d", "é"])}/${prng.below(400)}`,
    };
    if (i % 40 === 0) fields["rare"] = `seldom ${i}`;
    return { ms: 1_763_600_000_000 + i, ns: 0, stream: '{a="b"}', position: 1, fields };
  });
  const path = join(directory, "kinds");
  sealSegment({
    ...{ path, uuid: path, shard: 0, epoch: 1, positionFrom: 1, positionThrough: 1 },
    batches: [{ bytes: batchOf(records), position: 1 }],
  });
  const segment = openSegment(path, new BlockCache(64 << 20));
  const [block] = [...segment.blocks()];
  assert.ok(block !== undefined);
  const names = block.fieldNames;
  // Before, and after columns were decoded.
  for (const isDecoded of [false, true]) {
    if (isDecoded) for (const name of names) block.column(name)?.values();
    for (const { fields } of records) {
      for (const [name, value] of Object.entries(fields)) {
        if (value === "") continue;
        assert.ok(block.mayHold(name, Buffer.from(value)), `${name} ${value}`);
        assert.ok(block.mayContain(name, wordsOf(value)), `${name} ${value}`);
      }
    }
    for (const name of names) assert.equal(block.mayContain(name, ["absent"]), false, name);
    if (isDecoded) continue;
    // Of _msg, what stands there was gathered when it was asked for the second time.
    for (const name of ["_msg", "level", "someAddress", "someId"]) {
      assert.equal(block.mayHold(name, Buffer.from("nowhere")), false, name);
    }
  }
  segment.close();
});
