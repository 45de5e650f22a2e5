// Goal: whatever bytes come in, a decoder answers with one of its outcomes, counts add up, and what it stores
// can be read back.
// Method: a seed picks and mutates a kept body; a failure prints the seed. SEED=<n> begins elsewhere,
// LOGKEEP_SOAK_SEEDS=<n> draws more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { Prng } from "../../kit/src/prng.ts";
import type { Encoding, Protocol } from "../src/job.ts";
import { TestDecoder } from "./decoding.ts";
import { encode } from "./otlp-schema.ts";

const seedFirst = Number(process.env["SEED"] ?? 1);
const cases = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 5) * 1_000;

const record =
  '{"_time":"2026-11-20T01:02:03.5Z","service":"a","n":-1.5e3,"x":{"y":[1,{"z":null}],"é":"\\u00e9\\ud83d\\ude00"}}';
const otlpJson =
  '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeLogs":' +
  '[{"scope":{"name":"n"},"logRecords":[{"timeUnixNano":"1763640000123456789","severityNumber":9,"body":{"kvlistValue":' +
  '{"values":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":"1"},{"doubleValue":2.5}]}}}]}}}]}]}]}';
const otlpProtobuf = Buffer.from(encode(JSON.parse(otlpJson) as object));

const bodies: Readonly<Record<Protocol, readonly (string | Buffer)[]>> = {
  "json-lines": [`${record}\n${record}\n`, '{"a":"b"}\r\n\n{"c":1}'],
  json: [`[${record},${record}]`, record],
  text: ["one\ntwo\r\nthrée\n"],
  "loki-json": [
    '{"streams":[{"stream":{"a":"b"},"values":[["1763640000123456789","m\\n",{"k":"v"}],["1","x"]]}]}',
  ],
  "otlp-json": [otlpJson],
  "otlp-protobuf": [otlpProtobuf],
  "elasticsearch-bulk": [
    `{"create":{"_index":"i"}}\n${record}\n{"index":{"_id":"1"}}\n${record}\n{"delete":{"_id":"2"}}\n` +
      `{"update":{"_id":"3"}}\n{"doc_as_upsert":true,"doc":${record}}\n`,
  ],
};

function mutate(random: Prng, body: Buffer): Buffer {
  let bytes = body;
  for (let i = 1 + random.below(4); i > 0; i--) bytes = mutateOnce(random, bytes);
  return bytes;
}

function mutateOnce(random: Prng, body: Buffer): Buffer {
  const bytes = Buffer.from(body);
  const at = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, at + random.below(12));
  switch (random.below(6)) {
    case 0:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from('"'), bytes.subarray(at)]);
    default: {
      const noise = Buffer.from(Array.from({ length: random.below(6) }, () => random.below(256)));
      return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(to)]);
    }
  }
}

const compress: Readonly<Record<Encoding, (body: Buffer) => Buffer>> = {
  identity: (body) => body,
  gzip: (body) => gzipSync(body, { level: 1 }),
  deflate: (body) => deflateSync(body, { level: 1 }),
  zstd: (body) => zstdCompressSync(body),
};

for (const [protocol, kept] of Object.entries(bodies) as [
  Protocol,
  readonly (string | Buffer)[],
][]) {
  test(`${cases} mutated bodies of ${protocol} each have an outcome`, () => {
    const decoder = new TestDecoder({ slabs: 8 });
    for (const body of kept) {
      const { result } = decoder.run(protocol, Buffer.from(body));
      assert.ok(result.accepted > 0 && result.rejected === 0, "the kept bodies are good");
    }
    for (let seed = seedFirst; seed < seedFirst + cases; seed++) {
      const random = new Prng(seed);
      const body = mutate(random, Buffer.from(random.pick(kept)));
      const { result, records, rejected } = decoder.run(protocol, body);
      const about = `SEED=${seed} ${body.toString("latin1")} ${JSON.stringify(result)}`;
      assert.ok(result.status === "ok" || result.status === "refused", about);
      assert.equal(result.error === undefined, result.status === "ok", about);
      assert.equal(records.length, result.accepted, about);
      assert.equal(rejected.length, result.rejected, about);
      assert.equal(result.errors.length, Math.min(100, result.rejected), about);
    }
  });
}

for (const encoding of ["gzip", "deflate", "zstd"] as const) {
  test(`mutated bodies in ${encoding} are read or refused`, () => {
    const decoder = new TestDecoder();
    for (let seed = seedFirst; seed < seedFirst + cases / 10; seed++) {
      const random = new Prng(seed);
      const body = mutate(random, compress[encoding](Buffer.from(`${record}\n`.repeat(20))));
      const { result } = decoder.run("json-lines", body, { encoding });
      const about = `SEED=${seed} ${JSON.stringify(result)}`;
      assert.ok(result.status === "ok" || result.error?.code === "request.malformed", about);
    }
  });
}
