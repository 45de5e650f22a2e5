import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateSync } from "node:zlib";

import fc from "fast-check";

import { adler32 } from "../src/wire/adler32.ts";
import { decode, encode } from "../src/wire/codec.ts";
import { WireError } from "../src/wire/errors.ts";
import {
  FileHeader,
  fileHeaderRead,
  fileVersion,
  logDbid,
  logMagic,
  logRecordOverhead,
  logRecordRead,
  logRecordWrite,
  SnapshotNode,
  SnapshotSeal,
  snapshotMagic,
} from "../src/wire/files.ts";
import { JuteReader } from "../src/wire/reader.ts";
import { TxnEntry } from "../src/wire/txns.ts";
import { JuteWriter } from "../src/wire/writer.ts";

const seed = 20_261_121;

test("adler32 is zlib's, and continues from a seed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000, size: "max" }), fc.nat(), (bytes, cut) => {
      // A zlib stream ends with the Adler-32 of what it holds.
      const packed = deflateSync(bytes, { level: 0 });
      const expected = packed.readUInt32BE(packed.length - 4);
      assert.equal(adler32(bytes), expected);
      const at = bytes.length === 0 ? 0 : cut % bytes.length;
      assert.equal(adler32(bytes, at, bytes.length, adler32(bytes, 0, at)), expected);
    }),
    { seed, numRuns: 40 },
  );
  assert.notEqual(adler32(Buffer.from("a")), crc32("a"));
});

test("adler32 holds for the bytes that make its sums largest", () => {
  const bytes = Buffer.alloc(1 << 20, 0xff);
  const packed = deflateSync(bytes, { level: 0 });
  assert.equal(adler32(bytes), packed.readUInt32BE(packed.length - 4));
});

test("a log's records come back, and the zeros after them end it", () => {
  const writer = new JuteWriter();
  FileHeader.write(writer, { magic: logMagic, version: fileVersion, dbid: logDbid });
  const entries = [Buffer.from("first"), Buffer.from("second, longer")];
  for (const entry of entries) logRecordWrite(writer, entry);
  writer.raw(Buffer.alloc(64));

  const reader = new JuteReader(writer.copy());
  assert.equal(fileHeaderRead(reader, logMagic).dbid, logDbid);
  assert.deepEqual(logRecordRead(reader), entries[0]);
  assert.deepEqual(logRecordRead(reader), entries[1]);
  assert.equal(logRecordRead(reader), undefined);
});

test("any one changed byte of a log record is noticed", () => {
  const writer = new JuteWriter();
  const entry = Buffer.from("an entry of the log");
  logRecordWrite(writer, entry);
  assert.equal(writer.length, entry.length + logRecordOverhead);
  for (let at = 0; at < writer.length; at++) {
    const bytes = writer.copy();
    bytes[at] = (bytes[at] as number) ^ 0x41;
    assert.throws(() => logRecordRead(new JuteReader(bytes)), WireError, `byte ${at}`);
  }
});

test("a record that is cut off anywhere is a fault, not the end of the log", () => {
  const writer = new JuteWriter();
  logRecordWrite(writer, Buffer.from("an entry"));
  for (let length = 1; length < writer.length; length++) {
    const reader = new JuteReader(writer.view().subarray(0, length));
    assert.throws(() => logRecordRead(reader), WireError, `${length} bytes`);
  }
});

test("a file of another kind or version is refused", () => {
  const header = encode(FileHeader, { magic: snapshotMagic, version: fileVersion, dbid: -1n });
  assert.throws(() => fileHeaderRead(new JuteReader(header), logMagic), { fault: "magic" });
  const later = encode(FileHeader, { magic: logMagic, version: 9, dbid: 0n });
  assert.throws(() => fileHeaderRead(new JuteReader(later), logMagic), { fault: "version" });
});

test("a create txn of an old server, without the parent's cversion, is read", () => {
  const entry: TxnEntry = {
    header: { sessionId: 1n, cxid: 2, zxid: 3, timeMs: 4, type: 1 },
    txn: { type: "create", path: "/a", data: null, acl: [], ephemeral: false, parentCversion: 9 },
    digest: undefined,
  };
  const bytes = encode(TxnEntry, entry);
  const old = decode(TxnEntry, bytes.subarray(0, bytes.length - 4));
  assert.deepEqual(old.txn, { ...entry.txn, parentCversion: -1 });
});

test("a closeSession txn of an old server has no paths", () => {
  const header = { sessionId: 1n, cxid: 2, zxid: 3, timeMs: 4, type: -11 };
  const entry: TxnEntry = {
    header,
    txn: { type: "closeSession", paths: undefined },
    digest: undefined,
  };
  assert.deepEqual(decode(TxnEntry, encode(TxnEntry, entry)), entry);
});

test("a multi inside a multi is refused", () => {
  const header = { sessionId: 1n, cxid: 2, zxid: 3, timeMs: 4, type: 14 };
  const inner = { type: "multi", txns: [] } as const;
  const entry: TxnEntry = { header, txn: { type: "multi", txns: [inner] }, digest: undefined };
  assert.throws(() => decode(TxnEntry, encode(TxnEntry, entry)), { fault: "type" });
});

test("a snapshot's node and seal have the layout of ZooKeeper 3.9", () => {
  const stat = {
    czxid: 1,
    mzxid: 2,
    ctime: 3,
    mtime: 4,
    version: 5,
    cversion: 6,
    aversion: 7,
    ephemeralOwner: 8n,
    pzxid: 9,
  };
  const node = encode(SnapshotNode, { data: Buffer.from("d"), acl: -1, stat });
  assert.equal(node.length, 4 + 1 + 8 + 60);
  assert.deepEqual(decode(SnapshotNode, node).stat, stat);
  const seal = encode(SnapshotSeal, { checksum: 0xfedcba98n, path: "/" });
  assert.equal(seal.toString("hex"), "00000000fedcba98" + "000000012f");
});

/** Entries as Apache ZooKeeper 3.9.5 wrote them to its log. */
const apacheEntries: readonly { readonly hex: string; readonly txn: object }[] = [
  {
    hex: "0100001f3d5b0000000000000000000000000001000001a1fc5d7a40fffffff600001770000000020000000051c6d660",
    txn: { type: "createSession", timeoutMs: 6000 },
  },
  {
    hex:
      "0100001f3d5b0021000000000000000000000899000001a1fc5f5543fffffff5000000010000002d2f746573742d3233" +
      "3032326336332d626566352d346565312d386161342d6431646564663834333562342f7065000000020000002158ba4c19",
    txn: { type: "closeSession", paths: ["/test-23022c63-bef5-4ee1-8aa4-d1dedf8435b4/pe"] },
  },
  {
    hex:
      "0100001f3d5b000c00000003000000000000004f000001a1fc5d80e000000007000000312f746573742d653336386164" +
      "33652d633763352d343936372d386639362d3461353964323762633165612f636c6f7365640000000100000001000000" +
      "05776f726c6400000006616e796f6e6500000001000000020000000cb5558d16",
    txn: {
      type: "setACL",
      path: "/test-e368ad3e-c7c5-4967-8f96-4a59d27bc1ea/closed",
      acl: [{ perms: 1, id: { scheme: "world", id: "anyone" } }],
      version: 1,
    },
  },
  {
    hex: "0100001f3d5b000a000000100000000000000033000001a1fc5d8097ffffffffffffff9b",
    txn: { type: "error", error: -101 },
  },
  {
    hex:
      "0100001f3d5b00250000000700000000000008b6000001a1fc5f5b780000000e00000002ffffffff00000004ffffff99" +
      "ffffffff00000004fffffffe0000000200000024434e10ae",
    txn: {
      type: "multi",
      txns: [
        { type: "error", error: -103 },
        { type: "error", error: -2 },
      ],
    },
  },
];

test("entries of Apache ZooKeeper's log are read, and written again byte for byte", () => {
  for (const { hex, txn } of apacheEntries) {
    const bytes = Buffer.from(hex, "hex");
    const entry = decode(TxnEntry, bytes);
    assert.deepEqual(entry.txn, txn);
    assert.equal(encode(TxnEntry, entry).toString("hex"), hex);
  }
});
