import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  documentField,
  documentFields,
  exactSuffix,
  recordField,
} from "../../src/elasticsearch/field-name.ts";
import {
  dayOfIndex,
  deadLetterIndex,
  indexDay,
  indexedTime,
  indexName,
} from "../../src/elasticsearch/index-name.ts";
import { indexTemplates } from "../../src/elasticsearch/template.ts";

const fieldCases: readonly (readonly [string, string])[] = [
  ["level", "level"],
  ["_msg", "_msg"],
  ["_overflow", "_overflow"],
  ["a.b", "a.b"],
  ["_id", "record._id"],
  ["_time", "record._time"],
  ["@timestamp", "record.@timestamp"],
  ["record.x", "record.record.x"],
  ["", "record."],
  [" \t", "record. \t"],
  ["level.exact", "level.exact_"],
  ["_msg.exact", "record._msg.exact_"],
  ["exact", "exact"],
];

for (const [name, shown] of fieldCases) {
  test(`field ${JSON.stringify(name)} is ${JSON.stringify(shown)} in a document`, () => {
    assert.equal(documentField(name), shown);
    assert.equal(recordField(shown), name);
  });
}

test("every field's name leads back to itself, and none meets what documents or mappings add", () => {
  const parts = fc.constantFrom(
    "_",
    "record.",
    ".exact",
    "exact",
    "@timestamp",
    "a",
    " ",
    ".",
    "_id",
  );
  const name = fc.oneof(
    fc.string(),
    fc.array(parts).map((some) => some.join("")),
  );
  fc.assert(
    fc.property(name, (field) => {
      const shown = documentField(field);
      assert.equal(recordField(shown), field);
      assert.equal(shown.endsWith(exactSuffix), false);
    }),
    { seed: 1, numRuns: 2000 },
  );
  for (const own of Object.values(documentFields)) assert.equal(recordField(own), undefined);
});

const day = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 86_400_000;

test("an index is named by tenant and day, whatever the tenant is called", () => {
  assert.equal(indexName("logkeep", "shop", day("2026-11-21")), "logkeep-shop-2026.11.21");
  assert.equal(indexName("p", "Ab ü", 0), "p-+41b+20+c3+bc-1970.01.01");
  assert.equal(dayOfIndex("logkeep", "a", "logkeep-a-2026.11.21"), day("2026-11-21"));
  assert.equal(dayOfIndex("logkeep", "a", "logkeep-a-b-2026.11.21"), undefined);
  assert.equal(dayOfIndex("logkeep", "dead", deadLetterIndex("logkeep")), undefined);
});

test("times that date_nanos cannot say are at the nearer end of those that it can", () => {
  const year = (text: string): number => Date.parse(text);
  assert.deepEqual(indexedTime(-1, 5), { ms: 0, ns: 0 });
  assert.deepEqual(indexedTime(1234, 5), { ms: 1234, ns: 5 });
  const end = { ms: 9_223_372_036_854, ns: 775_807 };
  assert.deepEqual(indexedTime(end.ms, end.ns), end);
  assert.deepEqual(indexedTime(end.ms, end.ns + 1), end);
  assert.deepEqual(indexedTime(year("9999-01-01T00:00:00Z"), 0), end);
  assert.equal(indexDay(year("9999-01-01T00:00:00Z")), day("2262-04-11"));
  assert.equal(indexDay(year("1200-01-01T00:00:00Z")), 0);
});

test("templates of one prefix never tie, nor with those of a longer one that matches, too", () => {
  const priorities = ["logs", "logs-b"].flatMap((prefix) =>
    indexTemplates(prefix).map(({ body }) => body["priority"] as number),
  );
  assert.deepEqual(
    priorities,
    [...new Set(priorities)].sort((a, b) => a - b),
  );
});
