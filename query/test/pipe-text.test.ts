import assert from "node:assert/strict";
import test from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import { runPipes } from "../src/engine/rest.ts";
import { parseQuery } from "../src/language/parse.ts";
import { encodeNdjson } from "../src/table/ndjson.ts";
import { View } from "../src/table/view.ts";
import { blockOf } from "./engine-blocks.ts";

type Row = Readonly<Record<string, string>>;

const timeMs = Date.UTC(2026, 0, 5, 8);

/** The rows after the pipes of `* | …`, as records of one block without their time and stream. */
function run(rows: readonly Row[], pipes: string): Row[] {
  const records = rows.map((fields, i) => {
    return { time: { ms: timeMs - i, ns: 0 }, stream: "{}", shard: 0, position: i, fields };
  });
  const view = View.records(blockOf(records, new Prng(rows.length)));
  const all = Uint32Array.from(rows.keys());
  const query = parseQuery(`* | ${pipes} | delete _time, _stream`);
  const result = runPipes({ view, rows: all }, query.pipes);
  const lines = encodeNdjson(result.view, result.rows).bytes.toString().trimEnd();
  return lines === "" ? [] : lines.split("\n").map((line) => JSON.parse(line) as Row);
}

/** The pipes, the rows before them, the rows after. */
const cases: readonly (readonly [string, readonly Row[], readonly Row[]])[] = [
  ["format '<uc:a>/<b>' as c", [{ a: "x", b: "y" }], [{ a: "x", b: "y", c: "X/y" }]],
  ["format '<q:a>' as a", [{ a: 'say "x"' }], [{ a: '"say \\"x\\""' }]],
  ["format '<duration:a>' as a", [{ a: "1500000000" }, { a: "x" }], [{ a: "1s500ms" }, { a: "x" }]],
  ["format '<duration_seconds:a>' as a", [{ a: "1.5m" }], [{ a: "90" }]],
  ["format '<time:a>' as a", [{ a: "100" }], [{ a: "1970-01-01T00:01:40Z" }]],
  ["format '<time:a>' as a", [{ a: "1700000000123" }], [{ a: "2023-11-14T22:13:20.123Z" }]],
  ["format '<ipv4:a>' as a", [{ a: "167772161" }, { a: "-1" }], [{ a: "10.0.0.1" }, { a: "-1" }]],
  ["format '<urlencode:a>' as a", [{ a: "a b/ü'" }], [{ a: "a+b%2F%C3%BC%27" }]],
  ["format '<urldecode:a>' as a", [{ a: "a+b%2F" }, { a: "%zz" }], [{ a: "a b/" }, { a: "%zz" }]],
  ["format '<hexencode:a>' as a", [{ a: "ab" }], [{ a: "6162" }]],
  ["format '<hexdecode:a>' as a", [{ a: "6162" }, { a: "x" }], [{ a: "ab" }, { a: "x" }]],
  ["format '<hexnumencode:a>' as a", [{ a: "10" }], [{ a: "000000000000000A" }]],
  ["format '<hexnumdecode:a>' as a", [{ a: "ff" }], [{ a: "255" }]],
  ["format '<base64encode:a>' as a", [{ a: "ab" }], [{ a: "YWI=" }]],
  ["format '<base64decode:a>' as a", [{ a: "YWI=" }, { a: "*" }], [{ a: "ab" }, { a: "*" }]],
  ["format if (a:x) 'z' as a", [{ a: "x" }, { a: "y" }], [{ a: "z" }, { a: "y" }]],
  ["format '&lt;<a>&gt;' as a", [{ a: "x" }], [{ a: "<x>" }]],
  ["replace ('a', 'b') at m limit 1", [{ m: "aa" }, { m: "c" }], [{ m: "ba" }, { m: "c" }]],
  ["replace ('', 'b') at m", [{ m: "aa" }], [{ m: "aa" }]],
  ["replace_regexp ('(a)(b)?', '<$2$1>') at m", [{ m: "ab a" }], [{ m: "<ba> <a>" }]],
  ["replace_regexp ('(?P<x>a)', '$" + "{x}$$') at m", [{ m: "ba" }], [{ m: "ba$" }]],
  ["replace_regexp ('a*', 'x') at m", [{ m: "api" }], [{ m: "xpxix" }]],
  [
    "replace_regexp ('(a+)+$', 'x') at m",
    [{ m: `${"a".repeat(3000)}b` }],
    [{ m: `${"a".repeat(3000)}b` }],
  ],
  [
    "extract_regexp '(?P<k>[a-z]+)=(?P<v>[0-9]+)?' from m",
    [{ m: "x=1 y=2" }, { m: "z=" }, { m: "-" }],
    [{ m: "x=1 y=2", k: "x", v: "1" }, { m: "z=", k: "z" }, { m: "-" }],
  ],
  [
    "collapse_nums at m",
    [{ m: "15ms v2 0xdeadbeef bad cafe a1 T12:30Z" }],
    [{ m: "<N>ms v<N> 0x<N> bad <N> a1 T<N>:<N>Z" }],
  ],
  [
    "collapse_nums at m prettify",
    [{ m: "2edfed59-3e98-4073-bbb2-28d321ca71a7 [2024/12/08 15:21:02.5] 10.71.20.32 200" }],
    [{ m: "<UUID> [<DATETIME>] <IP4> <N>" }],
  ],
  ["decolorize m", [{ m: "\u001b[1;31mred\u001b[0m [x]" }], [{ m: "red [x]" }]],
  [
    "len(m) as n",
    [{ m: "aü" }, { x: "1" }],
    [
      { m: "aü", n: "3" },
      { x: "1", n: "0" },
    ],
  ],
  [
    "hash(m) as n",
    [{ m: "api" }, { m: "db" }],
    [
      { m: "api", n: "5603957890086447" },
      { m: "db", n: "8283857410321450" },
    ],
  ],
  [
    "json_array_len(m) as n",
    [{ m: '["a",1]' }, { m: "x" }],
    [
      { m: '["a",1]', n: "2" },
      { m: "x", n: "0" },
    ],
  ],
  ["unpack_words from m as w", [{ m: "a b-a" }], [{ m: "a b-a", w: '["a","b","a"]' }]],
  ["unpack_words from m as w drop_duplicates", [{ m: "a b-a" }], [{ m: "a b-a", w: '["a","b"]' }]],
  [
    "unpack_json from j",
    [
      { j: '{"a":"1","b":{"c":[1,2]},"d":null,"e":true}', a: "0" },
      { j: "[1]", a: "0" },
    ],
    [
      { j: '{"a":"1","b":{"c":[1,2]},"d":null,"e":true}', a: "1", "b.c": "[1,2]", e: "true" },
      { j: "[1]", a: "0" },
    ],
  ],
  [
    "unpack_json from j fields (a, x) result_prefix 'p.'",
    [{ j: '{"a":"1","b":"2"}', "p.x": "old" }],
    [{ j: '{"a":"1","b":"2"}', "p.a": "1" }],
  ],
  [
    "unpack_json from j keep_original_fields",
    [{ j: '{"a":"1","b":"2"}', a: "0" }],
    [{ j: '{"a":"1","b":"2"}', a: "0", b: "2" }],
  ],
  [
    "unpack_json from j fields (a) skip_empty_results",
    [{ j: "{}", a: "0" }],
    [{ j: "{}", a: "0" }],
  ],
  [
    "unpack_logfmt from m",
    [{ m: 'k=v q="a \\"b" z w= ' }],
    [{ m: 'k=v q="a \\"b" z w= ', k: "v", q: 'a "b' }],
  ],
  [
    "unpack_syslog from m | delete m",
    [{ m: '<165>1 2026-01-05T22:14:15.003Z h a 123 ID47 [ex@1 iut="3" s="a\\]"] hello' }],
    [
      {
        level: "notice",
        priority: "165",
        facility: "20",
        facility_keyword: "local4",
        severity: "5",
        format: "rfc5424",
        timestamp: "2026-01-05T22:14:15.003Z",
        hostname: "h",
        app_name: "a",
        proc_id: "123",
        msg_id: "ID47",
        "ex@1.iut": "3",
        "ex@1.s": "a]",
        message: "hello",
      },
    ],
  ],
  [
    "unpack_syslog from m offset 2h | fields timestamp, hostname, app_name, proc_id, message",
    [{ m: "<34>Dec 11 22:14:15 host su[12]: 'su root' failed" }],
    [
      {
        timestamp: "2025-12-11T20:14:15Z",
        hostname: "host",
        app_name: "su",
        proc_id: "12",
        message: "'su root' failed",
      },
    ],
  ],
  [
    "pack_json fields (a, b*) as p | fields p",
    [{ a: "1", bc: "x", d: "" }],
    [{ p: '{"a":"1","bc":"x"}' }],
  ],
  ["pack_logfmt fields (a, b) as p | fields p", [{ a: "1 2" }], [{ p: 'a="1 2" b=' }]],
  [
    "unroll by (a)",
    [
      { a: '["x",3,{"y":1}]', b: "1" },
      { a: "x", b: "2" },
    ],
    [{ a: "x", b: "1" }, { a: "3", b: "1" }, { a: '{"y":1}', b: "1" }, { b: "2" }],
  ],
  ["unroll if (b:1) by (a)", [{ a: "[1,2]", b: "2" }], [{ a: "[1,2]", b: "2" }]],
  ["drop_empty_fields", [{ a: "", b: "1" }], [{ b: "1" }]],
  ["rename a.* as b.*", [{ "a.x": "1", "a.y": "2", c: "3" }], [{ "b.x": "1", "b.y": "2", c: "3" }]],
  ["rename a* as *", [{ a: "0", ab: "1" }], [{ _msg: "0", b: "1" }]],
  ["copy a* as b*", [{ ax: "1", bx: "0" }], [{ ax: "1", bx: "1" }]],
  [
    "math '10.0.0.1' & 255 as x, 6 xor 3 as y, 4 or 1 as z | fields x, y, z",
    [{ a: "" }],
    [{ x: "1", y: "5", z: "5" }],
  ],
  ["math took / 1ms as x | fields x", [{ took: "1.5s" }], [{ x: "1500" }]],
  ["math round(a, 0.1) as x | fields x", [{ a: "1.26" }], [{ x: "1.3" }]],
  [
    "stats by (ip:/24) count() n",
    [{ ip: "10.0.0.1" }, { ip: "10.0.0.9" }],
    [{ ip: "10.0.0.0", n: "2" }],
  ],
  [
    "stats sum(a*) s, count(b*) n",
    [
      { a1: "1", a2: "2" },
      { a1: "5", b: "x" },
    ],
    [{ s: "8", n: "1" }],
  ],
  ["a:>1", [{ a: "1" }, { a: "2" }], [{ a: "2" }]],
  ["top 1 by (a) rank as r", [{ a: "x" }, { a: "x" }, { a: "y" }], [{ a: "x", hits: "2", r: "1" }]],
  [
    "last 1 by (n) partition by (g) rank as r | fields g, n, r",
    [
      { g: "a", n: "1" },
      { g: "b", n: "5" },
      { g: "a", n: "10" },
    ],
    [
      { g: "a", n: "10", r: "1" },
      { g: "b", n: "5", r: "1" },
    ],
  ],
  [
    "sort by (t desc) limit 1 | fields t",
    [{ t: "900ms" }, { t: "1.5s" }, { t: "2ms" }],
    [{ t: "1.5s" }],
  ],
  [
    "fields a, b | facets 1",
    [
      { a: "x", b: "1" },
      { a: "x", b: "2" },
      { a: "y", b: "3" },
    ],
    [
      { field_name: "a", field_value: "x", hits: "2" },
      { field_name: "b", field_value: "1", hits: "1" },
    ],
  ],
  ["fields a | facets max_values_per_field 1", [{ a: "x" }, { a: "y" }], []],
  ["fields a | facets", [{ a: "x" }, { a: "x" }], []],
  [
    "fields a | facets keep_const_fields",
    [{ a: "x" }],
    [{ field_name: "a", field_value: "x", hits: "1" }],
  ],
];

for (const [pipes, rows, expected] of cases) {
  test(`| ${pipes.slice(0, 100)} of ${JSON.stringify(rows).slice(0, 100)}`, () => {
    const shown = run(rows, pipes).map((row) =>
      Object.fromEntries(Object.entries(row).filter(([, value]) => value !== "")),
    );
    assert.deepEqual(shown, expected);
  });
}

test("a sample is a share of the rows, and the same one each time", () => {
  const rows = Array.from({ length: 5_000 }, (_, i) => ({ _msg: `m${i}` }));
  const first = run(rows, "sample 10");
  assert.ok(first.length > 350 && first.length < 650, `${first.length} rows`);
  assert.deepEqual(run(rows, "sample 10"), first);
});

test("what would make too many rows or fields is refused", () => {
  const list = JSON.stringify(Array.from({ length: 10_001 }, () => 1));
  const rows = Array.from({ length: 100 }, () => ({ a: list }));
  const fields = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`f${i}`, "1"]));
  const refused = (thrown: unknown) =>
    thrown instanceof ServiceError && thrown.code === "query.memory";
  assert.throws(() => run(rows, "unroll (a)"), refused);
  assert.throws(() => run([{ j: JSON.stringify(fields) }], "unpack_json from j"), refused);
});

test("texts that pipes would make longer than a query may hold are refused, not made", () => {
  const refused = (thrown: unknown) =>
    thrown instanceof ServiceError && thrown.code === "query.memory";
  // Each of 2,000 items would be a row with a copy of the long value.
  const rows = [
    { a: JSON.stringify(Array.from({ length: 2_000 }, () => 1)), b: "x".repeat(200_000) },
  ];
  assert.throws(() => run(rows, "unroll by (a)"), refused);
  const longer = `format "${"<b>".repeat(100)}" as b`;
  assert.throws(() => run(rows, `${longer} | ${longer}`), refused);
});
