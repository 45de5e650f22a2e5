import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { Prng } from "../../../kit/src/prng.ts";
import { crcJoined } from "../../src/format/crc.ts";

test("the checksum of two parts is that of the whole, however long they are", () => {
  const prng = new Prng(1);
  for (const length of [0, 1, 12, 100, 4_095, 70_001]) {
    const bytes = Buffer.from(Array.from({ length }, () => prng.below(256)));
    for (const cut of [0, Math.min(12, length), length >> 1, length]) {
      const joined = crcJoined(
        crc32(bytes.subarray(0, cut)),
        crc32(bytes.subarray(cut)),
        length - cut,
      );
      assert.equal(joined, crc32(bytes), `${cut} of ${length}`);
    }
  }
});
