import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, receivedText, TestDecoder } from "./decoding.ts";

const accepted: readonly { readonly line: string; readonly fields: Record<string, string> }[] = [
  { line: '{"_msg":"hello","level":"info"}', fields: { _msg: "hello", level: "info" } },
  { line: ' \t{ "a" : "b" , "c" : 1 } \r', fields: { a: "b", c: "1" } },
  { line: "{}", fields: {} },
  {
    line: '{"n":-0.50e+3,"big":12345678901234567890,"t":true,"f":false,"z":null}',
    fields: { n: "-0.50e+3", big: "12345678901234567890", t: "true", f: "false" },
  },
  { line: '{"a":{"b":{"c":"deep"},"d":2},"e":{}}', fields: { "a.b.c": "deep", "a.d": "2" } },
  {
    line: '{"list":[1, "two",{"x":null}],"none":[]}',
    fields: { list: '[1, "two",{"x":null}]', none: "[]" },
  },
  { line: '{"s":"a\\n\\t\\"\\\\\\/\\u00e9\\ud83d\\ude00\\u20ac"}', fields: { s: 'a\n\t"\\/é😀€' } },
  { line: '{"na\\u006de":"x","\\"q\\"":{"\\n":"y"}}', fields: { name: "x", '"q".\n': "y" } },
  { line: '{"a":"first","b":"x","a":"last"}', fields: { a: "last", b: "x" } },
  { line: '{"a":"first","a":null}', fields: {} },
  { line: '{"a":null,"a":"x"}', fields: { a: "x" } },
  { line: '{"a.b":"flat","a":{"b":"nested"}}', fields: { "a.b": "nested" } },
  { line: '{"empty":"","a":"b"}', fields: { a: "b" } },
  {
    line: '{"__proto__":{"polluted":"yes"},"constructor":"x"}',
    fields: { "__proto__.polluted": "yes", constructor: "x" },
  },
  {
    line: '{"__proto__":"x","hasOwnProperty":1}',
    fields: { ["__proto__"]: "x", hasOwnProperty: "1" },
  },
  {
    line: '{"_stream":"{a=\\"b\\"}","_tenant":"x"}',
    fields: { "field._stream": '{a="b"}', "field._tenant": "x" },
  },
  { line: '{"grüße":"日本語"}', fields: { grüße: "日本語" } },
  { line: '{"zero":"a\\u0000b"}', fields: { zero: "a\0b" } },
];

for (const { line, fields } of accepted) {
  test(`the line ${line} is stored`, () => {
    const { result, records } = decode("json-lines", line);
    assert.deepEqual(result.errors, []);
    const [record] = records;
    assert.deepEqual({ ...record?.fields }, { ...fields });
    for (const name of Object.keys(fields)) assert.equal(record?.fields[name], fields[name]);
    assert.equal(record?.time, receivedText);
  });
}

const rejected: readonly { readonly line: string; readonly reason: string }[] = [
  { line: "x", reason: "expected a value, at byte 1" },
  { line: "[1,2]", reason: "a record must be a JSON object, at byte 1" },
  { line: '"text"', reason: "a record must be a JSON object, at byte 1" },
  { line: "12", reason: "a record must be a JSON object, at byte 1" },
  { line: '{"a":NaN}', reason: "NaN is not JSON, at byte 6" },
  { line: '{"a":-Infinity}', reason: "-Infinity is not JSON, at byte 6" },
  { line: '{"a":Infinity}', reason: "Infinity is not JSON, at byte 6" },
  { line: '{"a":01}', reason: 'expected "," or "}", at byte 7' },
  { line: '{"a":1.}', reason: "a number is not written as JSON writes it, at byte 6" },
  { line: '{"a":+1}', reason: "expected a value, at byte 6" },
  { line: '{"a":tru}', reason: "expected a value, at byte 6" },
  { line: '{"a":"b"', reason: 'the JSON ends where "," or "}" was expected, at byte 9' },
  { line: '{"a":"b', reason: "a string does not end, at byte 8" },
  { line: '{"a":"b\u0001"}', reason: "a control character in a string is not escaped, at byte 8" },
  { line: '{"a":"\\x"}', reason: "an escape in a string is not known, at byte 7" },
  { line: '{"a":"\\u12g4"}', reason: "an escape in a string is not known, at byte 7" },
  { line: '{"a":"\\ud800"}', reason: "a string holds half of a surrogate pair, at byte 7" },
  { line: '{"a":"\\udc00\\ud800"}', reason: "a string holds half of a surrogate pair, at byte 7" },
  { line: '{"a" "b"}', reason: 'expected ":" after a field name, at byte 6' },
  { line: '{a:"b"}', reason: "expected a field name in quotes, at byte 2" },
  { line: '{"a":"b",}', reason: "expected a field name in quotes, at byte 10" },
  { line: '{"a":[1,]}', reason: "expected a value, at byte 9" },
  { line: '{"a":[1}', reason: 'expected "," or "]", at byte 8' },
  { line: '{"a":1}{"b":2}', reason: "something follows the object, at byte 8" },
  { line: '{"a":1} x', reason: "something follows the object, at byte 9" },
  { line: '{"_time":"yesterday"}', reason: 'the time cannot be read: "yesterday"' },
  {
    line: '{"_time":"1969-12-31T23:59:59Z"}',
    reason: 'the time is not in 1970 to 2262: "1969-12-31T23:59:59Z"',
  },
  {
    line: '{"_time":"9999-01-01T00:00:00Z"}',
    reason: 'the time is not in 1970 to 2262: "9999-01-01T00:00:00Z"',
  },
  { line: '{"_time":true}', reason: 'the time cannot be read: "true"' },
];

for (const { line, reason } of rejected) {
  test(`the line ${JSON.stringify(line)} is rejected, its neighbours are kept`, () => {
    const {
      result,
      records,
      rejected: kept,
    } = decode("json-lines", `{"a":"before"}\n\n${line}\n{"a":"after"}`);
    assert.equal(result.status, "ok");
    assert.deepEqual(result.errors, [{ line: 3, reason }]);
    assert.deepEqual([result.accepted, result.rejected], [2, 1]);
    assert.deepEqual(
      records.map((each) => each.fields["a"]),
      ["before", "after"],
    );
    assert.deepEqual(kept[0], {
      time: receivedText,
      stream: '{stream="_rejected"}',
      fields: { stream: "_rejected", protocol: "json-lines", line: "3", reason, _msg: line },
    });
  });
}

test("a line that is no UTF-8 is rejected alone and kept with its bytes replaced", () => {
  const body = Buffer.from('{"a":"ok"}\n{"a":"\xff\xfe"}\n{"a":"\xc3\xa9"}', "latin1");
  const { result, records, rejected: kept } = decode("json-lines", body);
  assert.deepEqual(result.errors, [
    { line: 2, reason: "the record is not valid UTF-8, at byte 1" },
  ]);
  assert.deepEqual(
    records.map((each) => each.fields["a"]),
    ["ok", "é"],
  );
  assert.equal(kept[0]?.fields["_msg"], '{"a":"��"}');
});

test("a byte order mark and carriage returns are passed over", () => {
  const { result, records } = decode("json-lines", '\ufeff{"a":"1"}\r\n\r\n{"a":"2"}\r\n');
  assert.equal(result.rejected, 0);
  assert.deepEqual(
    records.map((each) => each.fields["a"]),
    ["1", "2"],
  );
});

test("time, message, stream and added fields are taken as the request says", () => {
  const line =
    '{"ts":1763640000123,"text":"hi","_msg":"other","service":"api","host":"h 1","env":"x"}';
  const { records } = decode("json-lines", line, {
    timeFields: ["ts", "_time"],
    msgFields: ["text", "_msg"],
    streamFields: ["service", "host", "missing"],
    extra: [
      ["env", "prod"],
      ["zone", "eu"],
    ],
  });
  assert.deepEqual(records, [
    {
      time: "2025-11-20T12:00:00.123Z",
      stream: '{host="h 1",service="api"}',
      fields: {
        _msg: "hi",
        "field._msg": "other",
        service: "api",
        host: "h 1",
        env: "prod",
        zone: "eu",
      },
    },
  ]);
});

test("without a stream parameter the stream is formed by service and host where a record has them", () => {
  const lines = ['{"service":"a","host":"h"}', '{"app":"b","x":"y"}', '{"x":"y"}'];
  const { records } = decode("json-lines", lines.join("\n"));
  assert.deepEqual(
    records.map((each) => each.stream),
    ['{host="h",service="a"}', '{app="b"}', "{}"],
  );
});

test("fields past the thousandth and unnameable ones are kept in _overflow", () => {
  const many = Array.from({ length: 1_200 }, (_, i) => `"f${i}":{"x":${i}}`).join(",");
  const long = "n".repeat(257);
  const { result, records } = decode(
    "json-lines",
    `{"${long}":"long \\"name\\"","":1,"a":{"":2,"${long}":[3]},${many}}`,
  );
  assert.deepEqual(result.errors, []);
  const fields = records[0]?.fields ?? {};
  assert.equal(fields["a."], "2");
  assert.equal(fields["f998.x"], "998");
  assert.equal(fields["f999.x"], undefined);
  const overflow = JSON.parse(fields["_overflow"] ?? "") as Record<string, unknown>;
  assert.equal(overflow[long], 'long "name"');
  assert.equal(overflow[""], 1);
  assert.deepEqual(overflow[`a.${long}`], [3]);
  assert.equal(overflow["f1199.x"], 1_199);
  assert.equal(Object.keys(overflow).length, 3 + 201);
});

test("time, message and stream count wherever they stand in a record of many fields", () => {
  const many = Array.from({ length: 1_200 }, (_, i) => `"f${i}":${i}`).join(",");
  const last = '"_time":"2026-01-02T03:04:05Z","_msg":"here","service":"s"';
  const { records } = decode("json-lines", `{${many},${last}}`);
  assert.deepEqual(
    [records[0]?.time, records[0]?.stream],
    ["2026-01-02T03:04:05Z", '{service="s"}'],
  );
  assert.equal(records[0]?.fields["_msg"], "here");
});

test("a record is not rejected for its number of fields, nor for names that nobody has used before", () => {
  const line = (prefix: string, count: number): string =>
    `{${Array.from({ length: count }, (_, i) => `"${prefix}${i}":${i}`).join(",")}}`;
  const decoder = new TestDecoder();
  for (const prefix of ["a", "b"]) {
    const body = `${line(prefix, 70_000)}\n${line(`x${prefix}`, 9_999)}\n{"a":1}`;
    const { result, records } = decoder.run("json-lines", body);
    assert.deepEqual([result.accepted, result.rejected], [3, 0]);
    const fields = records[0]?.fields ?? {};
    const rest = JSON.parse(fields["_overflow"] ?? "{}") as Record<string, number>;
    assert.equal(Object.keys(fields).length - 1 + Object.keys(rest).length, 70_000);
    assert.equal(rest[`${prefix}69999`], 69_999);
  }
});

test("objects deeper than 32 levels are kept as text, deeper than 128 rejected", () => {
  const nested = (depth: number): string => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
  const { result, records } = decode("json-lines", [33, 100, 200].map(nested).join("\n"));
  assert.deepEqual(
    result.errors.map((each) => each.line),
    [3],
  );
  assert.match(result.errors[0]?.reason ?? "", /more than 128 levels deep/);
  const name = Array.from({ length: 32 }, () => "a").join(".");
  assert.equal(records[0]?.fields[name], '{"a":1}');
  assert.equal(records[1]?.fields[name], nested(68));
});

test("deep arrays cost no stack", () => {
  const { result } = decode("json-lines", `{"a":${"[".repeat(500_000)}`);
  assert.match(result.errors[0]?.reason ?? "", /more than 128 levels deep/);
});

test("a record longer than 1 MiB is rejected, its neighbours are kept", () => {
  const body = `{"a":"1"}\n{"a":"${"x".repeat(1 << 20)}"}\n{"a":"2"}`;
  const { result, rejected: kept } = decode("json-lines", body);
  assert.deepEqual([result.accepted, result.rejected], [2, 1]);
  assert.match(result.errors[0]?.reason ?? "", /longer than 1048576 bytes/);
  assert.equal(kept[0]?.fields["_msg"]?.length, 16 << 10);
});
