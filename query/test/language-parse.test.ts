import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuery } from "../src/language/parse.ts";
import { printQuery } from "../src/language/print.ts";
import { resolveTimes } from "../src/language/resolve-times.ts";

/** What is written, and how it is understood: the printed form says everything that was left out. */
const cases: readonly (readonly [written: string, understood: string])[] = [
  ["error", "error"],
  ["_msg:error", "error"],
  ["'it''s'", "it s"],
  ["`a\\b`", '"a\\\\b"'],
  ['"\\u00e9\\n"', '"é\\n"'],
  ["a b", "a b"],
  ["a AND b and c", "a b c"],
  ["a or b c", "a or b c"],
  ["(a or b) c", "(a or b) c"],
  ["a (b c)", "a b c"],
  ["a or (b or c)", "a or b or c"],
  ["not a or b", "!a or b"],
  ["not (a or b)", "!(a or b)"],
  ["!a -b NOT c", "!a !b !c"],
  ["!!a", "!!a"],
  ["level:(error or =warn or >5)", "level:error or level:=warn or level:>5"],
  ["level:(a b:c)", "level:a b:c"],
  ["level:!error", "!level:error"],
  ["level:!(a or b)", "!(level:a or level:b)"],
  ["level : error", "level:error"],
  ['"quoted field":value', '"quoted field":value'],
  ["level:!=error", "!level:=error"],
  ["!=error", "!=error"],
  ['!~"x"', '!~"x"'],
  ["level:=~x", 'level:~"x"'],
  ["celsius:-5", 'celsius:"-5"'],
  ["celsius:>-5", 'celsius:>"-5"'],
  ["level:=err*", "level:=err*"],
  ['level:=""', 'level:""'],
  ['level:""*', "level:*"],
  ["level:=*", "*"],
  ['exact("x y"*)', '="x y"*'],
  ["level:in(*)", "*"],
  ["{}", "*"],
  ["_stream:{a=b}", '{a="b"}'],
  ['{a=b,c=~"d" or e not_in (f)}', '{a="b",c=~"d" or e not_in (f)}'],
  ["ip:ipv4_range(10.1.2.3/8)", "ip:ipv4_range(10.0.0.0, 10.255.255.255)"],
  ["ip:ipv4_range(0.0.0.0/0)", "ip:ipv4_range(0.0.0.0, 255.255.255.255)"],
  ["len_range(0x10, inf)", "len_range(16, inf)"],
  ["_time:5m", "_time:(now-5m, now]"],
  ["_time:1h30m offset 1d", "_time:(now-1d1h30m, now-1d]"],
  ["_time:offset 1h", "_time:<now-59m59s999ms999us999ns"],
  ["_time:[now-1h, now+5m)", "_time:[now-1h, now+5m)"],
  ["_time:2026-11-20", "_time:[2026-11-20T00:00:00.000Z, 2026-11-21T00:00:00.000Z)"],
  ["_time:2026-12", "_time:[2026-12-01T00:00:00.000Z, 2027-01-01T00:00:00.000Z)"],
  ["_time:2026Z", "_time:[2026-01-01T00:00:00.000Z, 2027-01-01T00:00:00.000Z)"],
  ["_time:2026-11-20T10+05:30", "_time:[2026-11-20T04:30:00.000Z, 2026-11-20T05:30:00.000Z)"],
  ["_time:[2026-11-20, 2026-11-21]", "_time:[2026-11-20T00:00:00.000Z, 2026-11-22T00:00:00.000Z)"],
  ["_time:(2026-11-20, 2026-11-22)", "_time:[2026-11-21T00:00:00.000Z, 2026-11-22T00:00:00.000Z)"],
  ["_time:>2026-11-20", "_time:>=2026-11-21T00:00:00.000Z"],
  ["_time:>=2026-11-20T10:00:00.123456789Z", "_time:>=2026-11-20T10:00:00.123456789Z"],
  ["_time:>1d", "_time:<now-1d"],
  ["_time:*", "*"],
  ["a # a comment\n b", "a b"],
  ["* | keep a, b.*, *", "* | fields a, b.*, *"],
  ["* | drop a | rm b | del c", "* | delete a | delete b | delete c"],
  ["* | mv a b, c as d", "* | rename a as b, c as d"],
  ["* | head 5 | skip 6", "* | limit 5 | offset 6"],
  ["* | limit 1_000", "* | limit 1000"],
  ["* | where level:error", "* | filter level:error"],
  ["* | order by (a, b desc) desc", "* | sort by (a desc, b)"],
  ["* | sort a desc limit 5 offset 2", "* | sort by (a desc) offset 2 limit 5"],
  ["* | top by (a)", '* | top 10 by (a) hits as "hits"'],
  ["* | top 5 a, b hits as n", "* | top 5 by (a, b) hits as n"],
  ["* | uniq (a) with hits limit 3", '* | uniq by (a) hits as "hits" limit 3'],
  ["* | stats count()", '* | stats count(*) as "count(*)"'],
  ["* | count() n", "* | stats count(*) as n"],
  ["* | by (a) sum(b)", '* | stats by (a) sum(b) as "sum(b)"'],
  ["* | stats (a) sum(b) if (c:d) as e", "* | stats by (a) sum(b) if (c:d) as e"],
  [
    "* | stats by (_time:hour, size:10) quantile(.5, x) q",
    "* | stats by (_time:1h, size:10) quantile(0.5, x) as q",
  ],
  [
    "* | stats by (_time:1d offset 2h) count_uniq(x) limit 5 u",
    "* | stats by (_time:1d offset 2h) count_uniq(x) limit 5 as u",
  ],
  ["* | stats by (_time:1w) count() n", "* | stats by (_time:week) count(*) as n"],
  ["* | math a+b*c-d/2 as x", "* | math (a + (b * c)) - (d / 2) as x"],
  ["* | eval -2^2 as x, 2^3^2 as y", "* | math -(2 ^ 2) as x, 2 ^ (3 ^ 2) as y"],
  ["* | math a", "* | math a as a"],
  ["* | math round(a / 1KiB, 0.1) default 0 as x", "* | math round(a / 1024, 0.1) default 0 as x"],
  ['* | math "a b" - c as x', '* | math "a b" - c as x'],
  ['* | extract "<a> <_> b=<plain:c>"', '* | extract "<a> <_> b=<plain:c>" from _msg'],
  ['* | extract if (x:y) "&lt;<a>" from b', '* | extract if (x:y) "&lt;<a>" from b'],
  ["* | field_names", "* | field_names as name"],
  ["* | field_values level limit 3", "* | field_values level limit 3"],
];

for (const [written, understood] of cases) {
  test(`query ${JSON.stringify(written)} means ${understood}`, () => {
    assert.equal(printQuery(parseQuery(written)), understood);
    assert.deepEqual(parseQuery(understood), parseQuery(written));
  });
}

test("a question of many parts becomes what it says", () => {
  const query = parseQuery(
    "* | stats by (host) count() total, count() if (level:=error) errors " +
      "| math errors / total as ratio | sort by (ratio desc) limit 10",
  );
  const noBucket = { bucket: undefined };
  const count = { name: "count", args: [], phi: undefined, limit: undefined };
  const isError = { kind: "exact", field: "level", value: "error" };
  assert.deepEqual(query, {
    filter: { kind: "any" },
    pipes: [
      {
        kind: "stats",
        by: [{ field: "host", ...noBucket }],
        functions: [
          { ...count, filter: undefined, as: "total" },
          { ...count, filter: isError, as: "errors" },
        ],
      },
      {
        kind: "math",
        assignments: [
          {
            expression: {
              kind: "binary",
              op: "/",
              left: { kind: "field", field: "errors" },
              right: { kind: "field", field: "total" },
            },
            as: "ratio",
          },
        ],
      },
      { kind: "sort", by: [{ field: "ratio", desc: true }], offset: 0, limit: 10 },
    ],
  });
});

test("times from now become moments, wherever they stand", () => {
  const query = parseQuery(
    "_time:5m or !(a _time:>1h) | stats count() if (_time:1d) n | filter _time:1s",
  );
  const text = printQuery(resolveTimes(query, Date.parse("2026-11-20T12:00:00Z")));
  assert.equal(
    text,
    "_time:[2026-11-20T11:55:00.000000001Z, 2026-11-20T12:00:00.000000001Z) " +
      "or !(a _time:<2026-11-20T11:00:00.000Z) " +
      "| stats count(*) if (_time:[2026-11-19T12:00:00.000000001Z, 2026-11-20T12:00:00.000000001Z)) as n " +
      "| filter _time:[2026-11-20T11:59:59.000000001Z, 2026-11-20T12:00:00.000000001Z)",
  );
});
