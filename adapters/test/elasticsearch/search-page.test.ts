import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "../../../kit/src/errors.ts";
import { recordsOf } from "../../../query/src/engine/encode.ts";
import type { PlanMessage, Sink } from "../../../query/src/plan/plan.ts";
import { readPage } from "../../src/elasticsearch/search/hits-block.ts";
import { PageFragments } from "../../src/elasticsearch/search/page-fragments.ts";

const hit = (n: number, more: Readonly<Record<string, unknown>> = {}) => ({
  _index: "p-t-2024.03.01",
  _id: String(n),
  _source: {
    "@timestamp": "2024-03-01T00:00:00Z",
    _time: "2024-03-01T00:00:00.000000005Z",
    _tenant: "t",
    _stream: '{host="a b"}',
    _position: 7,
    _msg: `message ${n}`,
    ...more,
  },
  sort: ["2024-03-01T00:00:00.000000005Z", '{host="a b"}', 7, n],
});

const answerOf = (hits: readonly object[], more: object = {}): Uint8Array =>
  Buffer.from(JSON.stringify({ pit_id: "next", timed_out: false, hits: { hits }, ...more }));

const planOf = (sink: Sink): PlanMessage => ({
  id: JSON.stringify(sink),
  filter: { kind: "any" },
  range: { from: { ms: 0, ns: 0 }, to: { ms: 4e12, ns: 0 } },
  ...{ pipes: [], sink, memoryBytesMax: 1 << 20, cancelled: new SharedArrayBuffer(4) },
});

const part = {
  timeMin: { ms: 0, ns: 0 },
  timeMax: { ms: 4e12, ns: 0 },
  ...{ rows: 1, bytes: 11, internal: false, ref: undefined },
};
const task = { part, after: undefined, floorMs: undefined };
const records = { kind: "records", wanted: undefined, from: undefined } as const;

/** The records of an answer, in its order. */
function answered(page: Uint8Array) {
  const { message } = new PageFragments().run({ plan: planOf(records), task, page });
  assert.ok(message.kind === "done" && message.answer.kind === "records");
  const { bytes, ms } = message.answer.chunk;
  return { rows: recordsOf({ rows: ms.length, bytes }), message };
}

test("documents become the records that they were made of", () => {
  const escaped = { "record._id": "own", "level.exact_": "trap", empty: "", a: "1" };
  const { rows } = answered(answerOf([hit(1, escaped), hit(2)]));
  const shared = { _time: "2024-03-01T00:00:00.000000005Z", _stream: '{host="a b"}' };
  assert.deepEqual(rows, [
    { ...shared, _msg: "message 1", _id: "own", "level.exact": "trap", a: "1" },
    { ...shared, _msg: "message 2" },
  ]);
});

test("records of one time, stream and position stay in the order of the page", () => {
  const { rows } = answered(answerOf([hit(3), hit(1), hit(2)]));
  assert.deepEqual(
    rows.map(({ _msg }) => _msg),
    ["message 3", "message 1", "message 2"],
  );
});

test("a page says where the next begins and under which id", () => {
  const page = readPage(answerOf([hit(1), hit(2)]), true);
  assert.deepEqual(page.end, hit(2).sort);
  assert.equal(page.pit, "next");
  assert.equal(page.rows, 2);
  assert.equal(readPage(answerOf([]), true).block, undefined);
});

test("shards that failed and time that ran out are told", () => {
  const failures = [{ index: "p-t-2024.03.01", reason: { reason: "it broke" } }];
  const failed = answerOf([hit(1)], { _shards: { total: 3, failed: 1, failures } });
  assert.deepEqual(answered(failed).message.damaged, [
    "1 of 3 shards of Elasticsearch failed, index=p-t-2024.03.01, reason=it broke",
  ]);
  const late = answered(answerOf([], { timed_out: true }));
  assert.deepEqual(late.message.damaged, ["Elasticsearch ran out of time"]);
});

test("what is no page of documents is an error of the index", () => {
  const isUnavailable = (error: unknown): boolean =>
    error instanceof ServiceError && error.code === "index.unavailable";
  assert.throws(() => readPage(Buffer.from("<html>"), true), isUnavailable);
  assert.throws(() => readPage(Buffer.from("{}"), true), isUnavailable);
  assert.throws(() => readPage(answerOf([hit(1, { _time: "yesterday" })]), true), isUnavailable);
  const page = Buffer.from("{}");
  const { message } = new PageFragments().run({ plan: planOf(records), task, page });
  assert.ok(message.kind === "failed" && message.code === "index.unavailable");
});
