import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { recordMaxBytes } from "../src/limits.ts";
import { type Decoded, decode } from "./decoding.ts";

const baseMs = Date.UTC(2026, 10, 20, 8);

function decodeMessages(protocol: "json" | "text", values: readonly (string | Buffer)[]): Decoded {
  const parts: Buffer[] = [];
  const ends = new Uint32Array(values.length);
  let end = -1;
  for (const [at, value] of values.entries()) {
    const bytes = Buffer.from(value as string);
    if (at > 0) parts.push(Buffer.of(0));
    parts.push(bytes);
    end += 1 + bytes.length;
    ends[at] = end;
  }
  const timesMs = Float64Array.from(values, (_, at) => baseMs + at * 1000);
  const numbers = Float64Array.from(values, (_, at) => 100 + at);
  const messages = { ends, timesMs, numbers, origin: "kafka orders/2" };
  return decode(protocol, Buffer.concat(parts), {}, { messages });
}

test("each message is a record with the time of its own, or that of its field", () => {
  const { records } = decodeMessages("json", [
    '{"_msg":"a"}',
    ' {\n "_msg": "b",\n "_time": "2026-11-20T07:00:00Z" }\n',
    "",
    '{"_msg":"c"}',
  ]);
  assert.deepEqual(
    records.map(({ time, fields }) => [time, fields["_msg"]]),
    [
      ["2026-11-20T08:00:00Z", "a"],
      ["2026-11-20T07:00:00Z", "b"],
      ["2026-11-20T08:00:03Z", "c"],
    ],
  );
});

test("a text message is one record, whatever lines it has", () => {
  const { records } = decodeMessages("text", ["one\ntwo\n", Buffer.from([0x61, 0xff]), "x\0y"]);
  assert.deepEqual(
    records.map(({ fields }) => fields["_msg"]),
    ["one\ntwo\n", "a\u{fffd}", "x\0y"],
  );
});

const bad: readonly (readonly [value: string | Buffer, reason: RegExp])[] = [
  ['{"a":', /^/],
  ['{"a":"b', /^/],
  ["7", /^a record must be a JSON object/],
  ["nonsense", /^/],
  ['{"a":1}{"b":2}', /^something follows the object/],
  ['{"a":1}\n{"b":2}', /^something follows the object/],
  [Buffer.from('{"a":"\xff"}', "latin1"), /^the record is not valid UTF-8/],
  [`{"a":"${"x".repeat(recordMaxBytes)}"}`, /^the record is longer than 1048576 bytes$/],
];

for (const [value, reason] of bad) {
  test(`the message ${JSON.stringify(value.toString().slice(0, 20))} is rejected alone, with its number and origin`, () => {
    const good = '{"_msg":"good"}';
    const { result, records, rejected } = decodeMessages("json", [good, value, good]);
    assert.equal(records.length, 2);
    assert.equal(result.rejected, 1);
    assert.equal(rejected[0]?.time, "2026-11-20T08:00:01Z");
    assert.match(rejected[0]?.fields["reason"] ?? "", reason);
    assert.equal(rejected[0]?.fields["line"], "101");
    assert.equal(rejected[0]?.fields["origin"], "kafka orders/2");
  });
}

test("whatever the bytes of messages are, none reaches into another", () => {
  const value = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
    fc.json().map((text) => Buffer.from(text.slice(0, -1))),
  );
  const property = fc.property(fc.array(value, { maxLength: 8 }), (values) => {
    const full = values.filter(({ length }) => length > 0);
    const { result } = decodeMessages("json", full);
    assert.equal(result.status, "ok");
    assert.equal(result.accepted + result.rejected, full.length);
    for (const [at, each] of full.entries()) {
      const alone = decodeMessages("json", [each]).result;
      const isRejected = result.errors.some(({ line }) => line === at + 1);
      assert.equal(isRejected, alone.rejected === 1, each.toString());
    }
  });
  fc.assert(property, { numRuns: 100, seed: 7 });
});
