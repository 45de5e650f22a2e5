import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "./decoding.ts";

const documents: readonly (readonly [body: string, messages: readonly string[]])[] = [
  ['{"_msg":"a"}', ["a"]],
  ['[{"_msg":"a"},{"_msg":"b"}]', ["a", "b"]],
  ['\n[\n {"_msg":\n"a"} ,\n{"_msg":"b"}\n]\n', ["a", "b"]],
  ['{"_msg":"a"}\n{"_msg":"b"}', ["a", "b"]],
  ['{"_msg":"a"}[{"_msg":"b"}]', ["a", "b"]],
  ["[]", []],
  ["", []],
];

for (const [body, messages] of documents) {
  test(`the document ${JSON.stringify(body)} has ${messages.length} records`, () => {
    const { result, records } = decode("json", body);
    assert.deepEqual([result.status, result.errors], ["ok", []]);
    assert.deepEqual(
      records.map((each) => each.fields["_msg"]),
      messages,
    );
  });
}

test("elements that are no records are rejected by their number, the others kept", () => {
  const { result, records, rejected } = decode("json", '[1,{"a":"b"},[{}],{"_time":"x"},null]');
  assert.deepEqual(
    result.errors.map((each) => each.line),
    [1, 3, 4, 5],
  );
  assert.equal(records.length, 1);
  assert.deepEqual(
    rejected.map((each) => each.fields["_msg"]),
    ["1", "[{}]", '{"_time":"x"}', "null"],
  );
});

for (const body of [
  "[",
  '[{"a":1}',
  '[{"a":1},]',
  '{"a":1',
  "[{}]]",
  "nonsense",
  '{"a":"\\ud800"}',
]) {
  test(`the document ${body} is refused whole`, () => {
    const { result } = decode("json", body);
    assert.deepEqual([result.status, result.error?.code], ["refused", "request.malformed"]);
    assert.match(result.error?.message ?? "", /at byte \d+ of the body$/);
  });
}

test("a document that is no UTF-8 is refused whole", () => {
  const { result } = decode("json", Buffer.from('{"a":"\xff"}', "latin1"));
  assert.equal(result.error?.message, "the body is not valid UTF-8");
});

test("a line of text is a record, empty lines are not", () => {
  const { result, records } = decode("text", "one\n\r\n  two \r\n\nthree", {
    extra: [["service", "x"]],
  });
  assert.equal(result.accepted, 3);
  assert.deepEqual(
    records.map((each) => each.fields["_msg"]),
    ["one", "  two ", "three"],
  );
  assert.equal(records[0]?.stream, '{service="x"}');
});

test("text that is no UTF-8 is stored with U+FFFD for what is not", () => {
  const { result, records } = decode("text", Buffer.from("caf\xe9\nna\xc3\xafve", "latin1"));
  assert.equal(result.rejected, 0);
  assert.deepEqual(
    records.map((each) => each.fields["_msg"]),
    ["caf\ufffd", "naïve"],
  );
});

test("a line of text longer than 1 MiB is rejected, its neighbours are kept", () => {
  const { result } = decode("text", `a\n${"x".repeat((1 << 20) + 1)}\nb`);
  assert.deepEqual([result.accepted, result.rejected], [2, 1]);
  assert.equal(result.errors[0]?.line, 2);
});
