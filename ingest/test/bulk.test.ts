import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, receivedText } from "./decoding.ts";

interface Item {
  readonly _index: string;
  readonly _id: string | null;
  readonly status: number;
  readonly result?: string;
  readonly error?: { readonly type: string; readonly reason: string };
}

function itemsOf(printed: Uint8Array | undefined): Record<string, Item>[] {
  return JSON.parse(`[${Buffer.from(printed ?? []).toString()}]`) as Record<string, Item>[];
}

function lines(...each: string[]): string {
  return `${each.join("\n")}\n`;
}

test("each item has its own result, in the order of the request", () => {
  const body = lines(
    '{"index":{"_index":"logs-a","_id":"1"}}',
    '{"@timestamp":"2026-11-20T01:00:00Z","message":"one","host":{"name":"h"}}',
    '{"create":{"_index":"logs-b"}}',
    '{"message":"broken"',
    "",
    '{"delete":{"_index":"logs-a","_id":"1"}}',
    '{"update":{"_index":"logs-a","_id":"2"}}',
    '{"doc":{"message":"no"}}',
    '{"update":{"_index":"logs-a","_id":3}}',
    '{"doc_as_upsert":true,"doc":{"message":"two"}}',
    '{"create":{}}',
    '{"message":"three","@timestamp":"never"}',
    '{"create":{}}',
    '{"message":"four"}',
  );
  const { result, records, rejected } = decode("elasticsearch-bulk", body, { index: "path" });
  assert.equal(result.itemErrors, true);
  assert.deepEqual(
    itemsOf(result.items).map((item) => {
      const [[kind, each] = ["", undefined]] = Object.entries(item);
      return [kind, each?._index, each?.status, each?.error?.type ?? each?.result];
    }),
    [
      ["index", "logs-a", 201, "created"],
      ["create", "logs-b", 400, "mapper_parsing_exception"],
      ["delete", "logs-a", 400, "illegal_argument_exception"],
      ["update", "logs-a", 404, "document_missing_exception"],
      ["update", "logs-a", 201, "created"],
      ["create", "path", 400, "mapper_parsing_exception"],
      ["create", "path", 201, "created"],
    ],
  );
  assert.deepEqual(records, [
    {
      time: "2026-11-20T01:00:00Z",
      stream: '{host.name="h"}',
      fields: { _msg: "one", "host.name": "h", _index: "logs-a", _id: "1" },
    },
    { time: receivedText, stream: "{}", fields: { _msg: "two", _index: "logs-a", _id: "3" } },
    { time: receivedText, stream: "{}", fields: { _msg: "four", _index: "path" } },
  ]);
  assert.deepEqual(
    rejected.map((each) => each.fields["line"]),
    ["4", "8", "12"],
  );
});

test("a request without a fault has no errors, and its items are as the clients look for them", () => {
  const body = lines('{"create":{"_index":"i\\"x","_id":"a"}}', '{"message":"m"}');
  const { result, records } = decode("elasticsearch-bulk", body);
  assert.equal(result.itemErrors, false);
  assert.equal(
    Buffer.from(result.items ?? []).toString(),
    '{"create":{"_index":"i\\"x","_id":"a","_version":1,"result":"created",' +
      '"_shards":{"total":1,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1,"status":201}}',
  );
  assert.equal(records[0]?.fields["_index"], 'i"x');
});

test("items without an id get one each", () => {
  const body = lines('{"create":{}}', "{}", '{"create":{}}', "{}");
  const ids = itemsOf(decode("elasticsearch-bulk", body).result.items).map(
    (item) => item["create"]?._id,
  );
  assert.equal(new Set(ids).size, 2);
  assert.ok(ids.every((id) => typeof id === "string" && id !== ""));
});

test("a last line without a line feed is a record too", () => {
  const { result } = decode("elasticsearch-bulk", '{"create":{}}\n{"a":"b"}');
  assert.equal(result.accepted, 1);
});

test("a source that is no UTF-8 fails its item alone", () => {
  const body = Buffer.from(
    lines('{"create":{}}', '{"a":"\xff"}', '{"create":{}}', '{"a":"b"}'),
    "latin1",
  );
  const { result } = decode("elasticsearch-bulk", body);
  assert.deepEqual([result.accepted, result.rejected], [1, 1]);
});

const refused: readonly (readonly [body: string, reason: RegExp])[] = [
  ["x\n{}\n", /expected a JSON object/],
  ['{"create":{},"index":{}}\n{}\n', /expected one of/],
  ['{"drop":{}}\n{}\n', /expected one of/],
  ["{}\n{}\n", /expected one of/],
  ['["create"]\n{}\n', /expected one of/],
  ['{"create":[]}\n{}\n', /expected an object/],
  ['{"create":{"_index":5}}\n{}\n', /\[_index\]/],
  [`{"create":{"_index":"${"x".repeat(256)}"}}\n{}\n`, /\[_index\]/],
  ['{"create":{"_id":{}}}\n{}\n', /\[_id\]/],
  ['{"create":{"_id":""}}\n{}\n', /\[_id\]/],
  [`{"create":{"x":"${"y".repeat(5_000)}"}}\n{}\n`, /longer than 4096/],
  ['{"create":{}}\n', /no source/],
];

for (const [body, reason] of refused) {
  test(`the action ${JSON.stringify(body.slice(0, 50))} fails the request`, () => {
    const { result } = decode("elasticsearch-bulk", `{"create":{}}\n{}\n${body}`);
    assert.equal(result.status, "refused");
    assert.match(result.error?.message ?? "", reason);
    assert.equal(result.error?.fields["line"], 3);
  });
}

test("the ids made up for many items count on, across those that fail, name their own or have another index", () => {
  const count = 1_203;
  const each = Array.from({ length: count }, (_, i) => {
    const meta =
      i % 100 === 57 ? { _id: `own-${i}` } : i > 600 && i < 640 ? { _index: "other" } : {};
    const record = i % 250 === 9 ? "{" : '{"message":"m"}';
    return `${JSON.stringify({ create: meta })}\n${record}\n`;
  });
  const { result } = decode("elasticsearch-bulk", each.join(""), { index: "path" });
  const items = itemsOf(result.items).map(({ create }) => create);
  assert.equal(items.length, count);
  const seed = items[0]?._id?.split("-")[0];
  assert.ok(seed);
  for (const [i, item] of items.entries()) {
    const isFailed = i % 250 === 9;
    const isOwn = i % 100 === 57;
    assert.equal(item?.status, isFailed ? 400 : 201, `item ${i}`);
    if (!isFailed) assert.equal(item?._id, isOwn ? `own-${i}` : `${seed}-${i}`);
    assert.equal(item?._index, !isOwn && i > 600 && i < 640 ? "other" : "path", `item ${i}`);
  }
});
