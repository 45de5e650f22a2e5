// Goal: a rule of the settings becomes a class, and one that cannot be decided when a record comes is refused by name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { settingsSchema } from "../../config/src/schema.ts";
import { retentionMsOf } from "../../storage/src/shard/retention-class.ts";
import { retentionRules } from "../src/retention-rules.ts";

function rulesOf(rules: readonly object[]) {
  const { storage } = settingsSchema.parse({ storage: { retention: { rules } } });
  return retentionRules(storage.retention.rules);
}

test("rules keep their order, and classes name their days", () => {
  const rules = rulesOf([
    { filter: '{service="audit"}', days: 365 },
    { tenant: "acme", filter: "level:debug", days: 0.5 },
    { filter: "level:trace or level:debug", days: 0.5 },
  ]);
  assert.deepEqual(
    rules.map(({ tenant, retentionClass }) => [tenant, retentionClass]),
    [
      [undefined, "365d"],
      ["acme", "0.5d"],
      [undefined, "0.5d"],
    ],
  );
  assert.equal(retentionMsOf("0.5d"), 12 * 60 * 60 * 1000);
  assert.equal(retentionMsOf("default"), undefined);
});

const refused: readonly (readonly [filter: string, reason: RegExp])[] = [
  ["_time:5m", /rules\[1\]\.filter: a rule cannot ask for the time: _time:/],
  ["level:debug _time:day_range[08:00, 18:00)", /a rule cannot ask for the time/],
  ["level:in(* | fields level)", /a rule cannot hold a query/],
  ["level:value_type(dict)", /how a value is stored is not known/],
  ["_stream:*", /a rule cannot ask for _stream; use a selector/],
  ['level:"', /rules\[1\]\.filter: .* at line 1, column/],
  ["level:debug | stats count()", /rules\[1\]\.filter: .*expected: AND, OR or the end/],
  ['level:~"("', /rules\[1\]\.filter: /],
];

for (const [filter, reason] of refused) {
  test(`a rule is refused by name: ${filter}`, () => {
    const rules = [
      { filter: "*", days: 1 },
      { filter, days: 1 },
    ];
    assert.throws(() => rulesOf(rules), { code: "config.invalid", message: reason });
  });
}
