import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { type Codec, decode, encode } from "../src/wire/codec.ts";
import { createModes, errorNameOf, errorNumbers } from "../src/wire/constants.ts";
import { WireError } from "../src/wire/errors.ts";
import { FrameSplitter } from "../src/wire/frames.ts";
import { frameBytesMax } from "../src/wire/limits.ts";
import { type MultiOp, MultiRequest, MultiResponse } from "../src/wire/multi.ts";
import { JuteReader } from "../src/wire/reader.ts";
import * as records from "../src/wire/records.ts";
import { JuteWriter } from "../src/wire/writer.ts";
import * as given from "./wire-given.ts";

const seed = 20_261_121;
const numRuns = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 60);

for (const [name, { codec, values }] of Object.entries(given.protocol)) {
  test(`${name}: what is encoded decodes to itself`, () => {
    fc.assert(
      fc.property(values, (value) => {
        assert.deepEqual(plain(decode(codec, encode(codec, value))), plain(value));
      }),
      { seed, numRuns },
    );
  });

  test(`${name}: truncated or changed bytes give a WireError or a value, never a crash`, () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.nat(255), fc.nat(), (value, at, byte, cut) => {
        const bytes = encode(codec, value);
        if (bytes.length === 0) return;
        const changed = Buffer.from(bytes);
        changed[at % bytes.length] = byte;
        attempt(codec, changed);
        attempt(codec, bytes.subarray(0, cut % bytes.length));
      }),
      { seed, numRuns },
    );
  });
}

test("a reply header has the bytes that ZooKeeper sends", () => {
  const header = { xid: -1, zxid: 0x1_0000_0002n, error: -101 };
  assert.equal(
    encode(records.ReplyHeader, header).toString("hex"),
    "ffffffff" + "0000000100000002" + "ffffff9b",
  );
});

test("a create request has the bytes that ZooKeeper expects", () => {
  const request = {
    path: "/a",
    data: Buffer.from("x"),
    acl: [{ perms: 31, id: { scheme: "world", id: "anyone" } }],
    flags: createModes.ephemeralSequential,
  };
  assert.equal(
    encode(records.CreateRequest, request).toString("hex"),
    "000000022f61" +
      "0000000178" +
      "000000010000001f00000005776f726c6400000006616e796f6e65" +
      "00000003",
  );
});

test("a missing text in an identity is an empty one, as some clients write it", () => {
  const bytes = Buffer.from("0000001f" + "0000000461757468" + "ffffffff", "hex");
  const acl = { perms: 31, id: { scheme: "auth", id: "" } };
  assert.deepEqual(decode(records.Acl, bytes), acl);
  assert.equal(
    encode(records.Acl, acl).toString("hex"),
    "0000001f" + "0000000461757468" + "00000000",
  );
});

test("a multi ends with a header that says so", () => {
  const ops: MultiOp[] = [{ op: "check", path: "/a", version: 7 }];
  assert.equal(
    encode(MultiRequest, ops).toString("hex"),
    "0000000d00ffffffff" + "000000022f6100000007" + "ffffffff01ffffffff",
  );
  assert.deepEqual(decode(MultiRequest, encode(MultiRequest, [])), []);
});

test("a failed multi answers errors only", () => {
  const results = [
    { op: "error", error: 0 },
    { op: "error", error: -103 },
    { op: "error", error: -2 },
  ] as const;
  assert.deepEqual(decode(MultiResponse, encode(MultiResponse, results)), results);
});

test("a Stat takes 68 bytes", () => {
  const stat = fc.sample(given.stat, { seed, numRuns: 1 })[0] as records.Stat;
  assert.equal(encode(records.Stat, stat).length, records.statBytes);
});

test("a connect request of an old client has no readOnly byte and is read all the same", () => {
  const request = {
    protocolVersion: 0,
    lastZxidSeen: 5n,
    timeoutMs: 6000,
    sessionId: -2n,
    password: Buffer.alloc(16),
    readOnly: undefined,
  };
  const bytes = encode(records.ConnectRequest, request);
  assert.equal(bytes.length, 44);
  assert.equal(decode(records.ConnectRequest, bytes).readOnly, undefined);
  const withByte = encode(records.ConnectRequest, { ...request, readOnly: true });
  assert.equal(decode(records.ConnectRequest, withByte).readOnly, true);
});

test("null data stays null and empty data stays empty", () => {
  const codec = records.SetDataRequest;
  for (const data of [null, Buffer.alloc(0)]) {
    const back = decode(codec, encode(codec, { path: "/a", data, version: -1 }));
    assert.deepEqual(back.data, data);
  }
});

test("a vector whose length exceeds the bytes is refused before anything is allocated", () => {
  const reader = new JuteReader(Buffer.from("7fffffff00000000", "hex"));
  assert.throws(() => reader.vectorLength(), wireFault("length"));
});

test("a negative length other than -1 is refused", () => {
  assert.throws(() => new JuteReader(Buffer.from("fffffffe", "hex")).buffer(), wireFault("length"));
});

test("a text that is not UTF-8 is refused, and U+FFFD itself is not", () => {
  const bad = new JuteReader(Buffer.from("00000002c328", "hex"));
  assert.throws(() => bad.string(), wireFault("text"));
  assert.equal(new JuteReader(Buffer.from("00000003efbfbd", "hex")).string(), "\ufffd");
});

test("bytes after a record are refused", () => {
  assert.throws(() => decode(records.RequestHeader, Buffer.alloc(9)), wireFault("trailing"));
});

test("every error number has one name", () => {
  for (const [name, number] of Object.entries(errorNumbers))
    assert.equal(errorNameOf(number), name);
  assert.equal(errorNameOf(-9999), undefined);
});

test("frames come out the same however the stream is cut into chunks", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 30 }),
      (frames, cuts) => {
        const writer = new JuteWriter(1);
        for (const frame of frames) writer.buffer(frame);
        const splitter = new FrameSplitter();
        const seen: string[] = [];
        let stream = writer.copy();
        for (let i = 0; stream.length > 0; i++) {
          // The chunk's memory is spoilt afterwards, as a reused read buffer would be.
          const chunk = Buffer.from(stream.subarray(0, cuts[i % cuts.length]));
          splitter.push(chunk, (bytes) => seen.push(bytes.toString("hex")));
          chunk.fill(0xee);
          stream = stream.subarray(chunk.length);
        }
        assert.deepEqual(
          seen,
          frames.map((frame) => Buffer.from(frame).toString("hex")),
        );
        assert.equal(splitter.pending, 0);
      },
    ),
    { seed, numRuns },
  );
});

test("a frame above the maximum or of negative length is refused at its first four bytes", () => {
  for (const length of [frameBytesMax + 1, -1]) {
    const head = Buffer.alloc(4);
    head.writeInt32BE(length);
    assert.throws(() => new FrameSplitter().push(head, () => undefined), wireFault("length"));
    const split = new FrameSplitter();
    split.push(head.subarray(0, 3), () => undefined);
    assert.throws(() => split.push(head.subarray(3), () => undefined), wireFault("length"));
  }
});

function attempt<T>(codec: Codec<T>, bytes: Buffer): void {
  try {
    decode(codec, bytes);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
  }
}

function wireFault(fault: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof WireError && thrown.fault === fault;
}

/** Buffers and byte arrays alike as hexadecimal text, so that they compare. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
