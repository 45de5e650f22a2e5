import assert from "node:assert/strict";
import { test } from "node:test";
import {
  constants,
  createZstdCompress,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { slabBytes } from "../../storage/src/shard/limits.ts";
import type { Encoding } from "../src/job.ts";
import { shardOf } from "../src/routing/shard-of.ts";
import { decode, TestDecoder } from "./decoding.ts";

const lines = Array.from({ length: 200 }, (_, i) => `{"service":"s${i % 40}","n":${i}}`).join("\n");
const bytes = Buffer.from(lines);

const compressed: readonly (readonly [name: string, encoding: Encoding, body: Buffer])[] = [
  ["gzip", "gzip", gzipSync(bytes)],
  [
    "gzip in two members",
    "gzip",
    Buffer.concat([gzipSync(bytes.subarray(0, 500)), gzipSync(bytes.subarray(500))]),
  ],
  ["deflate as zlib", "deflate", deflateSync(bytes)],
  ["deflate without a header", "deflate", deflateRawSync(bytes)],
  ["zstd", "zstd", zstdCompressSync(bytes)],
  [
    "zstd in two frames",
    "zstd",
    Buffer.concat([
      zstdCompressSync(bytes.subarray(0, 500)),
      zstdCompressSync(bytes.subarray(500)),
    ]),
  ],
];

for (const [name, encoding, body] of compressed) {
  test(`a body in ${name} is inflated`, () => {
    const { result } = decode("json-lines", body, { encoding });
    assert.deepEqual([result.accepted, result.bodyBytes], [200, bytes.length]);
  });

  test(`a body in ${name} that is cut short is refused`, () => {
    const { result } = decode("json-lines", body.subarray(0, body.length - 5), { encoding });
    assert.equal(result.error?.code, "request.malformed");
    assert.match(result.error?.message ?? "", /^the compressed body is cut short$/);
  });
}

for (const encoding of ["gzip", "deflate", "zstd"] as const) {
  test(`what is no ${encoding} is refused`, () => {
    const { result } = decode("json-lines", Buffer.from("not compressed at all"), { encoding });
    assert.equal(result.error?.code, "request.malformed");
  });
}

test("a bomb is refused before it is inflated, and so is a body that is too large", () => {
  const zeros = Buffer.alloc(32 << 20);
  for (const [encoding, body] of [
    ["gzip", gzipSync(zeros)],
    ["zstd", zstdCompressSync(zeros)],
  ] as const) {
    const { result } = decode("text", body, { encoding });
    assert.equal(result.error?.code, "request.too-large", encoding);
  }
  const limits = {
    recordMaxBytes: 100,
    fieldsMax: 10,
    rejectedKeptBytes: 10,
    inflatedMaxBytes: 1_000,
  };
  const small = new TestDecoder({ limits });
  assert.equal(small.run("text", "x\n".repeat(501)).result.error?.code, "request.too-large");
  const gzipped = small.run("text", gzipSync("x\n".repeat(501)), { encoding: "gzip" });
  assert.equal(gzipped.result.error?.code, "request.too-large");
});

test("a zstd frame that claims a window beyond that of HTTP is refused", () => {
  const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_compressionLevel]: 1 };
  const stream = createZstdCompress({ params });
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise<void>((resolve) => {
    stream.on("end", () => {
      const { result } = decode("text", Buffer.concat(chunks), { encoding: "zstd" });
      assert.equal(result.error?.code, "request.malformed");
      resolve();
    });
    stream.write("text");
    stream.flush(() => stream.end("more"));
  });
});

test("limits of a service's settings are kept", () => {
  const limits = {
    recordMaxBytes: 40,
    fieldsMax: 2,
    rejectedKeptBytes: 10,
    inflatedMaxBytes: 1_000,
  };
  const decoder = new TestDecoder({ limits });
  const long = `{"a":"${"x".repeat(40)}"}`;
  const { records, rejected } = decoder.run("json-lines", `{"a":1,"b":2,"c":3}\n${long}`);
  assert.deepEqual(records[0]?.fields, { a: "1", b: "2", _overflow: '{"c":3}' });
  assert.equal(rejected[0]?.fields["_msg"], long.slice(0, 10));
});

test("a stream's records go to the shard of its text, and parts say what they hold", () => {
  const decoder = new TestDecoder({ shardCount: 32, slabs: 8 });
  const { result } = decoder.run("json-lines", lines);
  const shards = result.parts.map((each) => each.shard);
  assert.deepEqual(
    shards,
    [...new Set(shards)].sort((a, b) => a - b),
  );
  assert.equal(
    result.parts.reduce((sum, each) => sum + each.rows, 0),
    200,
  );
  const wanted = new Set(
    Array.from({ length: 40 }, (_, i) => shardOf("default", `{service="s${i}"}`, 32)),
  );
  assert.deepEqual(new Set(shards), wanted);
  for (const part of result.parts) {
    assert.deepEqual([part.tenant, part.class, part.internal], ["default", "default", false]);
    assert.equal(part.offset % 8, 0);
  }
});

test("the shard of a stream is what it always was", () => {
  // Kept numbers: another function would part what is stored from what comes.
  assert.deepEqual(
    ["{}", '{service="api"}', '{host="ü",service="web"}'].map((text) =>
      shardOf("default", text, 32),
    ),
    [2, 20, 19],
  );
  assert.notEqual(shardOf("a", "{}", 1 << 30), shardOf("b", "{}", 1 << 30));
});

test("a repeated request has the same parts under the same keys, on a decoder with another past", () => {
  const fresh = new TestDecoder({ shardCount: 4, slabs: 16 });
  const used = new TestDecoder({ shardCount: 4, slabs: 16 });
  const random = Array.from(
    { length: 3_000 },
    (_, i) => `{"id":"${"0".repeat(50)}${i}","service":"q"}`,
  );
  used.run("json-lines", random.join("\n"));
  const records = Array.from(
    { length: 20_000 },
    (_, i) => `{"id":"v${i % 7}","service":"s${i % 9}","x":"${i}"}`,
  );
  const body = `${records.join("\n")}\nbroken`;
  const [first, second] = [fresh, used].map((each) => {
    const { result } = each.run("json-lines", body, {}, { idempotencyKey: "k1" });
    return {
      digest: result.digest,
      parts: result.parts.map(({ shard, rows, dedupeKey }) => ({ shard, rows, dedupeKey })),
    };
  });
  assert.deepEqual(first, second);
  const keys = new Set(
    first?.parts.map((each) => Buffer.from(each.dedupeKey ?? []).toString("hex")),
  );
  assert.equal(keys.size, first?.parts.length);
  assert.match(first?.digest ?? "", /^[0-9a-f]{64}$/);
  const other = fresh.run("json-lines", body, {}, { idempotencyKey: "k2" }).result;
  assert.ok(!keys.has(Buffer.from(other.parts[0]?.dedupeKey ?? []).toString("hex")));
});

test("without room in the arena nothing of the request is stored, and slabs are handed on", () => {
  const decoder = new TestDecoder({ slabs: 1 });
  const big = Array.from({ length: 9 }, (_, i) => `{"a":"${String(i).repeat(900_000)}"}`).join(
    "\n",
  );
  const { result } = decoder.run("json-lines", big);
  assert.equal(result.status, "arena-full");
  assert.deepEqual([result.parts, result.accepted], [[], 0]);
  const many = new TestDecoder({ slabs: 2 });
  const after = many.run("json-lines", big).result;
  assert.deepEqual(after.closedSlabs, [0]);
  assert.equal(many.owner.usedBytes, slabBytes);
});

test("the largest batch that records can make fits a slab", () => {
  const wide = (letter: string, last: string): string => {
    const names = Array.from({ length: 999 }, (_, i) => `${letter}${i}`.padEnd(256, "_"));
    return `{${names.map((name) => `"${name}":1`).join(",")},"v":"${last}"}`;
  };
  // Two shards of one stream each would part them: all are of one.
  const body = [
    wide("a", "x"),
    wide("b", "x"),
    wide("c", "y".repeat(780_000)),
    wide("d", "z".repeat(780_000)),
  ];
  const first = `{"v":"${"w".repeat(1_000_000)}"}`;
  for (const order of [body, body.toReversed(), [first, ...body]]) {
    const { result } = decode("json-lines", order.join("\n"));
    assert.deepEqual([result.status, result.accepted], ["ok", order.length]);
  }
});

test("a request that is refused leaves nothing behind for the next", () => {
  const decoder = new TestDecoder();
  const broken = decoder.run(
    "loki-json",
    '{"streams":[{"stream":{"a":"b"},"values":[["1","x"],[1]]}]}',
  );
  assert.equal(broken.result.status, "refused");
  const { records } = decoder.run("json-lines", '{"c":"d"}');
  assert.deepEqual(
    records.map((each) => each.fields),
    [{ c: "d" }],
  );
});

test("only the first hundred errors are told, and a request of nothing but faults is cut off", () => {
  const few = decode("json-lines", "x\n".repeat(250));
  assert.deepEqual([few.result.rejected, few.result.errors.length], [250, 100]);
  assert.equal(few.rejected.length, 250);
  const many = decode("json-lines", "x\n".repeat(100_001));
  assert.equal(many.result.status, "refused");
  assert.match(many.result.error?.message ?? "", /more than 100000 records/);
});

test("tenants do not meet, and a worker forgets tenants, names and streams it has met too many of", () => {
  const decoder = new TestDecoder({ slabs: 16 });
  for (let tenant = 0; tenant < 20; tenant++) {
    const { result } = decoder.run("json-lines", '{"service":"x"}', {}, { tenant: `t${tenant}` });
    assert.equal(result.parts[0]?.tenant, `t${tenant}`);
  }
  for (let round = 0; round < 5; round++) {
    const names = Array.from({ length: 9_000 }, (_, i) => `{"f${round}.${i}":"${i}"}`).join("\n");
    const { result, records } = decoder.run("json-lines", names);
    assert.equal(result.rejected, 0);
    assert.equal(records[8_999]?.fields[`f${round}.8999`], "8999");
    assert.equal(records.length, 9_000);
    const streams = Array.from({ length: 9_000 }, (_, i) => `{"host":"h${round}-${i}"}`).join("\n");
    const ofStreams = decoder.run("json-lines", streams);
    assert.equal(ofStreams.records[8_999]?.stream, `{host="h${round}-8999"}`);
  }
});
