import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CodecFault } from "../../src/kafka/codec-fault.ts";
import { lz4Decompress } from "../../src/kafka/lz4.ts";
import { snappyDecompress } from "../../src/kafka/snappy.ts";

/** What Kafka's own Java client (4.3.1) made of `plain`. */
const compressed = {
  snappy: [
    "glNOQVBQWQAAAAABAAAAAQAAAbjBEJB7Il9tc2ciOiJtZXNzYWdlIDAiLCJzZXJ2aWNlIjoiczAifQp7PiQACDkx",
    "OTYmAAAxTiYACDgzODYmAAAyTiYACDc1NzYmAAAzTiYACDY3NjYmAAA0TiYACDU5NTYmAAA1UiYABDE0NiYAADZO",
    "JgAINDMzNiYAUgoBCDM1MjYmAFIKAQgyNzE2JgBSCgEEMTk6fAFSCgEEMTA6fAFSCgEAMjp7AVIJAQQ5NDp7AVIJ",
    "AQQ4Njp7AVIJAQQ3ODp7AVIJAQQ3MDp7AVIJAQQ2Mjp7AVIJAQQ1NDp7AVIJAQQ0Njp7AVIKAQQzODp7AVIKAQQy",
    "OTp7AVIKAQQyMTp8AVIKAQQxMzp8AVIKAQA1OnsBUgkBBDk3OnsBUgkBBDg5OnsBUgkBBDgxOnsBUgkBBDczOnsB",
    "UgkBBDY1OnsBUgkBBDU3OnsBUgkBBDQ4OnsBUgoBBDQwOnsBUgoBBDMyOnsBUgoBBDI0OnwBUgoBBDE2OnwBUgoB",
    "ADg6ewFSCQE6eQFSBwEEOTI6eQFSBwEEODQ6eQEhBwTDqf4CAP4CAP4CAP4CAP4CAP4CAP4CAP4CAP4CAFYCAA==",
  ].join(""),
  lz4: [
    "BCJNGGBAgp0BAAD9FXsiX21zZyI6Im1lc3NhZ2UgMCIsInNlcnZpY2UiOiJzMCJ9CiQAOjkxOSYAHzEmAAE6ODM4",
    "JgAfMiYAATo3NTcmAB8zJgABOjY3NiYAHzQmAAE6NTk1JgAfNSYAAioxNCYAHzYmAAE6NDMzJgAPCgECOjM1MiYA",
    "DwoBAjoyNzEmAA8KAQIrMTl8AQ8KAQIrMTB8AQ8KAQIbMnsBDwkBAis5NHsBDwkBAis4NnsBDwkBAis3OHsBDwkB",
    "Ais3MHsBDwkBAis2MnsBDwkBAis1NHsBDwkBAis0NnsBDwoBAiszOHsBDwoBAisyOXsBDwoBAisyMXwBDwoBAisx",
    "M3wBDwoBAhs1ewEPCQECKzk3ewEPCQECKzg5ewEPCQECKzgxewEPCQECKzczewEPCQECKzY1ewEPCQECKzU3ewEP",
    "CQECKzQ4ewEPCgECKzQwewEPCgECKzMyewEPCgECKzI0fAEPCgECKzE2fAEPCgECGzh7AQ8JAQILeQEPBwECKzky",
    "eQEPBwECKzg0eQEABwEvw6kCAP//QFCpw6nDqQAAAAA=",
  ].join(""),
};

const lines = Array.from(
  { length: 40 },
  (_, i) => `{"_msg":"message ${(i * 7919) % 1000}","service":"s${i % 7}"}\n`,
);
const plain = Buffer.from(`${lines.join("")}${"\u{e9}".repeat(300)}`);

const codecs = { snappy: snappyDecompress, lz4: lz4Decompress } as const;

for (const name of ["snappy", "lz4"] as const) {
  const bytes = Buffer.from(compressed[name], "base64");
  const decompress = codecs[name];

  test(`${name} as Java writes it is read`, () => {
    assert.deepEqual(decompress(bytes, 1 << 20), plain);
  });

  test(`${name} that would become larger than allowed is refused`, () => {
    assert.throws(() => decompress(bytes, plain.length - 1), CodecFault);
    assert.equal(decompress(bytes, plain.length).length, plain.length);
  });

  test(`${name} that is damaged or cut short is refused or read, within its bound`, () => {
    const property = fc.property(
      fc.nat(bytes.length),
      fc.nat(bytes.length - 1),
      fc.nat(255),
      (length, at, value) => {
        const damaged = Buffer.from(bytes.subarray(0, length));
        if (at < length) damaged[at] = value;
        try {
          assert.ok(decompress(damaged, 1 << 20).length <= 1 << 20);
        } catch (thrown) {
          if (!(thrown instanceof CodecFault)) throw thrown;
        }
      },
    );
    fc.assert(property, { numRuns: 3000, seed: 5 });
  });
}

test("snappy without Java's frame is read", () => {
  // The length 11; a literal of 4; a copy of 7 from 4 back, which reaches into itself.
  const block = Buffer.from([11, 3 << 2, 0x61, 0x62, 0x63, 0x64, (3 << 2) | 1, 4]);
  assert.equal(snappyDecompress(block, 100).toString(), "abcdabcdabc");
});
