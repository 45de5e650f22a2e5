import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, receivedText, TestDecoder } from "./decoding.ts";

const ns = "1763640000123456789";
const time = "2025-11-20T12:00:00.123456789Z";

function push(...streams: unknown[]): string {
  return JSON.stringify({ streams });
}

test("labels form the stream and are fields, metadata are fields, the line is the message", () => {
  const { result, records } = decode(
    "loki-json",
    push(
      {
        stream: { service: "api", host: 'h"1' },
        values: [
          [ns, "first"],
          [ns, "second\nline", { trace_id: "abc", service: "other" }],
        ],
      },
      { values: [["0", "no labels"]], stream: {} },
      { stream: { a: "b" }, values: [] },
    ),
  );
  assert.deepEqual(result.errors, []);
  const stream = '{host="h\\"1",service="api"}';
  assert.deepEqual(records, [
    { time, stream, fields: { _msg: "first", service: "api", host: 'h"1' } },
    {
      time,
      stream,
      fields: { _msg: "second\nline", service: "other", host: 'h"1', trace_id: "abc" },
    },
    { time: "1970-01-01T00:00:00Z", stream: "{}", fields: { _msg: "no labels" } },
  ]);
});

test("values may stand before their stream, and unknown members are passed over", () => {
  const body = `{"x":[1],"streams":[{"values":[["${ns}","m"]],"y":{},"stream":{"a":"b"}}]}`;
  const { records } = decode("loki-json", body);
  assert.deepEqual(records, [{ time, stream: '{a="b"}', fields: { a: "b", _msg: "m" } }]);
});

test("the stream parameter chooses the fields of the stream from labels and metadata", () => {
  const body = push({ stream: { a: "1", b: "2" }, values: [[ns, "m", { c: "3" }]] });
  const { records } = decode("loki-json", body, { streamFields: ["a", "c"] });
  assert.equal(records[0]?.stream, '{a="1",c="3"}');
});

test("an empty push is accepted", () => {
  assert.equal(decode("loki-json", "{}").result.status, "ok");
  assert.equal(decode("loki-json", '{"streams":[]}').result.accepted, 0);
});

const refused: readonly (readonly [body: string, reason: RegExp])[] = [
  [
    `{"streams":[{"stream":{},"values":[[${ns},"m"]]}]}`,
    /timestamp must be a string, not a number/,
  ],
  ['{"streams":[{"stream":{},"values":[["now","m"]]}]}', /nanoseconds since 1970/],
  ['{"streams":[{"stream":{},"values":[["-5","m"]]}]}', /nanoseconds since 1970/],
  ['{"streams":[{"stream":{},"values":[["","m"]]}]}', /nanoseconds since 1970/],
  [`{"streams":[{"stream":{"a":1},"values":[["${ns}","m"]]}]}`, /a label's value must be a string/],
  [`{"streams":[{"stream":{},"values":[["${ns}",5]]}]}`, /a line must be a string/],
  [
    `{"streams":[{"stream":{},"values":[["${ns}","m",{"a":1}]]}]}`,
    /structured metadata must be a string/,
  ],
  [`{"streams":[{"stream":{},"values":[["${ns}","m","x"]]}]}`, /an object of structured metadata/],
  [`{"streams":[{"stream":{},"values":[["${ns}","m"`, /the JSON ends/],
  [`{"streams":[{"stream":{},"values":[["${ns}"]]}]}`, /expected ","/],
  ['{"streams":{}}', /expected "\["/],
  ["[]", /expected "{"/],
  ["", /the JSON ends/],
  ["{} x", /something follows/],
];

for (const [body, reason] of refused) {
  test(`the push ${body.slice(0, 70)} is refused whole`, () => {
    const good = `{"stream":{},"values":[["${ns}","good"]]},`;
    const { result } = decode("loki-json", body.replace('"streams":[', `"streams":[${good}`));
    assert.equal(result.status, "refused");
    assert.equal(result.error?.code, "request.malformed");
    assert.match(result.error?.message ?? "", reason);
    assert.deepEqual(result.parts, []);
  });
}

test("an entry past the year 2262 is rejected alone", () => {
  const values = [
    [ns, "a"],
    ["9999999999999999999", "b"],
    [ns, "c"],
  ];
  const { result, records, rejected } = decode("loki-json", push({ stream: {}, values }));
  assert.deepEqual(result.errors, [{ line: 2, reason: "the time is not in 1970 to 2262" }]);
  assert.deepEqual(
    records.map((each) => each.fields["_msg"]),
    ["a", "c"],
  );
  assert.equal(rejected[0]?.time, receivedText);
  assert.equal(rejected[0]?.fields["_msg"], '["9999999999999999999","b"]');
});

test("labels of a stream are repeated no further than what a request may store", () => {
  const label = "x".repeat(400_000);
  const values = Array.from({ length: 2_000 }, () => [ns, "m"]);
  const { result } = new TestDecoder({ slabs: 32 }).run(
    "loki-json",
    push({ stream: { label }, values }),
  );
  assert.equal(result.status, "refused");
  assert.equal(result.error?.code, "request.too-large");
});
