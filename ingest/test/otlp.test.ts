import assert from "node:assert/strict";
import { test } from "node:test";
import { type Decoded, decode } from "./decoding.ts";
import { encode } from "./otlp-schema.ts";

/** Ids are base64 in protobufjs's objects and hexadecimal in OTLP's JSON. */
function jsonOf(request: object): string {
  return JSON.stringify(request, (name, value: unknown) =>
    name === "traceId" || name === "spanId"
      ? Buffer.from(value as string, "base64").toString("hex")
      : value,
  );
}

function both(name: string, request: object, check: (decoded: Decoded) => void): void {
  test(`${name}, in protobuf`, () => check(decode("otlp-protobuf", encode(request))));
  test(`${name}, in JSON`, () => check(decode("otlp-json", jsonOf(request))));
}

const text = (stringValue: string): object => ({ stringValue });
const pair = (key: string, value: object): object => ({ key, value });

const full = {
  resourceLogs: [
    {
      scopeLogs: [
        {
          scope: { name: "lib", version: "1.2", attributes: [pair("a", text("b"))] },
          logRecords: [
            {
              timeUnixNano: "1763640000123456789",
              observedTimeUnixNano: "1763640009000000000",
              severityNumber: 17,
              severityText: "ERROR",
              body: text("it broke"),
              attributes: [
                pair("http.status", { intValue: "-9007199254740993" }),
                pair("ratio", { doubleValue: 0.25 }),
                pair("ok", { boolValue: false }),
                pair("list", {
                  arrayValue: { values: [text('x"'), { intValue: "1" }, { boolValue: true }] },
                }),
                pair("map", {
                  kvlistValue: {
                    values: [
                      pair("k", text("v")),
                      pair("deep", { kvlistValue: { values: [pair("n", { intValue: "2" })] } }),
                    ],
                  },
                }),
                pair("raw", { bytesValue: "AQI=" }),
                pair("host.name", text("from-record")),
                pair("nothing", {}),
              ],
              traceId: Buffer.from("0123456789abcdef0123456789abcdef", "hex").toString("base64"),
              spanId: Buffer.from("0123456789abcdef", "hex").toString("base64"),
              flags: 1,
              droppedAttributesCount: 3,
              eventName: "failure",
            },
            { observedTimeUnixNano: "1763640000000000000", severityNumber: 9 },
          ],
        },
      ],
      resource: {
        attributes: [
          pair("service.name", text("shop")),
          pair("host.name", text("h1")),
          pair("process.pid", { intValue: "42" }),
        ],
      },
    },
  ],
};

both("every part of a log record has its field", full, ({ result, records }) => {
  assert.deepEqual(result.errors, []);
  const outer = {
    "service.name": "shop",
    "process.pid": "42",
    "scope.name": "lib",
    "scope.version": "1.2",
    "scope.attributes.a": "b",
  };
  assert.deepEqual(records, [
    {
      time: "2025-11-20T12:00:00.123456789Z",
      stream: '{host.name="from-record",service.name="shop"}',
      fields: {
        ...outer,
        "host.name": "from-record",
        _msg: "it broke",
        level: "error",
        severity_number: "17",
        "http.status": "-9007199254740993",
        ratio: "0.25",
        ok: "false",
        list: '["x\\"",1,true]',
        "map.k": "v",
        "map.deep.n": "2",
        raw: "AQI=",
        trace_id: "0123456789abcdef0123456789abcdef",
        span_id: "0123456789abcdef",
        flags: "1",
        dropped_attributes_count: "3",
        event_name: "failure",
      },
    },
    {
      time: "2025-11-20T12:00:00Z",
      stream: '{host.name="h1",service.name="shop"}',
      fields: { ...outer, "host.name": "h1", level: "info", severity_number: "9" },
    },
  ]);
});

function oneRecord(record: object): object {
  return { resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] };
}

both(
  "a body that is a map becomes fields",
  oneRecord({
    body: {
      kvlistValue: {
        values: [
          pair("message", text("hello")),
          pair("user", { kvlistValue: { values: [pair("id", { intValue: "7" })] } }),
        ],
      },
    },
  }),
  ({ records }) => assert.deepEqual({ ...records[0]?.fields }, { _msg: "hello", "user.id": "7" }),
);

both(
  "a body that is an array is the message as JSON",
  oneRecord({ body: { arrayValue: { values: [{ intValue: "1" }, text("a")] } } }),
  ({ records }) => assert.equal(records[0]?.fields["_msg"], '[1,"a"]'),
);

both(
  "a time past 2262 is rejected, its neighbour kept",
  {
    resourceLogs: [
      {
        scopeLogs: [
          { logRecords: [{ timeUnixNano: "18446744073709551615" }, { severityNumber: 1 }] },
        ],
      },
    ],
  },
  ({ result }) => {
    assert.deepEqual([result.accepted, result.rejected], [1, 1]);
    assert.deepEqual(result.errors, [{ line: 1, reason: "the time is not in 1970 to 2262" }]);
  },
);

both("an empty request is accepted", {}, ({ result }) => {
  assert.deepEqual([result.status, result.accepted, result.rejected], ["ok", 0, 0]);
});

test("attributes of one resource do not reach the next", () => {
  const part = (name: string): object => ({
    resource: { attributes: [pair(name, text("x"))] },
    scopeLogs: [
      { scope: { name }, logRecords: [{ body: text("1") }] },
      { logRecords: [{ body: text("2") }] },
    ],
  });
  const { records } = decode("otlp-protobuf", encode({ resourceLogs: [part("a"), part("b")] }));
  assert.deepEqual(
    records.map((each) => Object.keys(each.fields).sort().join(" ")),
    ["_msg a scope.name", "_msg a", "_msg b scope.name", "_msg b"],
  );
});

test("text that is no UTF-8 in protobuf has U+FFFD for what is not", () => {
  const body = Buffer.from(encode(oneRecord({ body: text("caf??") })));
  body.write("\xc3(", body.indexOf("??"), "latin1");
  const { records } = decode("otlp-protobuf", body);
  assert.equal(records[0]?.fields["_msg"], "caf\ufffd(");
});

test("nested values deeper than 128 levels are rejected and cost no stack", () => {
  // protobufjs itself refuses to write this.
  const field = (tag: number, inner: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from([tag, (inner.length & 127) | 128, inner.length >> 7]), inner]);
  let value: Uint8Array = Buffer.alloc(0);
  for (let i = 0; i < 200; i++) value = field(0x2a, field(0x0a, value));
  const { result } = decode(
    "otlp-protobuf",
    field(0x0a, field(0x12, field(0x12, field(0x2a, value)))),
  );
  assert.deepEqual([result.accepted, result.rejected], [0, 1]);
  assert.match(result.errors[0]?.reason ?? "", /128 levels/);
});

const refused: readonly (readonly [name: string, body: Uint8Array, reason: RegExp])[] = [
  ["a length past the end", Buffer.from([0x0a, 0x7f, 0x00]), /past the end/],
  ["a number that does not end", Buffer.from([0x0a, 0xff, 0xff]), /cut short/],
  ["a number of eleven bytes", Buffer.alloc(12, 0xff), /longer than 64 bits/],
  ["a group", Buffer.from([0x0b, 0x0c]), /wire type 3/],
  ["field zero", Buffer.from([0x00, 0x00]), /no number/],
];

for (const [name, body, reason] of refused) {
  test(`protobuf with ${name} is refused whole`, () => {
    const { result } = decode("otlp-protobuf", body);
    assert.equal(result.status, "refused");
    assert.match(result.error?.message ?? "", reason);
  });
}

for (const body of ["", "[]", '{"resourceLogs":{}}', '{"resourceLogs":[{]}', "{}{}"]) {
  test(`the JSON ${JSON.stringify(body)} is refused whole`, () => {
    assert.equal(decode("otlp-json", body).result.error?.code, "request.malformed");
  });
}
