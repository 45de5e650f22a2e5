import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { momentPrint } from "../../kit/src/time.ts";
import { detectFormat, type FormatName, formatNames, formatOf } from "../src/ship/format/detect.ts";
import { RowMaker } from "../src/ship/rows.ts";

// Times without a zone are local; one zone makes the tables the same everywhere.
process.env["TZ"] = "UTC";

const context = { referenceMs: Date.UTC(2026, 1, 10) };

type Parsed = readonly [
  time: string | undefined,
  level: string | undefined,
  msg: string,
  fields: Readonly<Record<string, string>>,
];

interface Case {
  readonly format: Exclude<FormatName, "ndjson">;
  readonly line: string;
  /** Time, level, message, fields; undefined: the line is not of the format. */
  readonly parsed: Parsed | undefined;
}

const cases: readonly Case[] = [
  {
    format: "syslog",
    line: "Jan 31 10:00:00 web-1 sshd[42]: Accepted: x",
    parsed: [
      "2026-01-31T10:00:00Z",
      undefined,
      "Accepted: x",
      { hostname: "web-1", app_name: "sshd", proc_id: "42" },
    ],
  },
  {
    format: "syslog",
    line: "Dec  9 10:00:00 web-1 kernel: up",
    parsed: ["2025-12-09T10:00:00Z", undefined, "up", { hostname: "web-1", app_name: "kernel" }],
  },
  {
    format: "syslog",
    line: "Feb 29 10:00:00 h su: x",
    parsed: ["2024-02-29T10:00:00Z", undefined, "x", { hostname: "h", app_name: "su" }],
  },
  {
    format: "syslog",
    line: "Jan 31 10:00:00 h last message repeated 2 times",
    parsed: ["2026-01-31T10:00:00Z", undefined, "last message repeated 2 times", { hostname: "h" }],
  },
  {
    format: "syslog",
    line: "<11>Jan 31 10:00:00 h app: x",
    parsed: [
      "2026-01-31T10:00:00Z",
      "error",
      "x",
      { facility: "user", hostname: "h", app_name: "app" },
    ],
  },
  {
    format: "syslog",
    line: "2026-01-31T10:00:00.5+01:00 h app[1]: x",
    parsed: [
      "2026-01-31T09:00:00.500Z",
      undefined,
      "x",
      { hostname: "h", app_name: "app", proc_id: "1" },
    ],
  },
  {
    format: "syslog",
    line: '<165>1 2026-01-31T10:00:00.000003Z h app 7 ID47 [ex@32473 a="1" b="x\\"y\\]"][o@1] hello',
    parsed: [
      "2026-01-31T10:00:00.000003Z",
      "notice",
      "hello",
      {
        facility: "local4",
        hostname: "h",
        app_name: "app",
        proc_id: "7",
        msg_id: "ID47",
        "ex@32473.a": "1",
        "ex@32473.b": 'x"y]',
      },
    ],
  },
  {
    format: "syslog",
    line: "<14>1 - - - - - -",
    parsed: [undefined, "info", "", { facility: "user" }],
  },
  { format: "syslog", line: "<192>Jan 31 10:00:00 h app: x", parsed: undefined },
  { format: "syslog", line: "2026-01-31 10:00:00,123 INFO [main] a.B: x", parsed: undefined },
  { format: "syslog", line: "Foo 31 10:00:00 h app: x", parsed: undefined },
  { format: "syslog", line: "Feb 30 10:00:00 h app: x", parsed: undefined },
  {
    format: "cri",
    line: "2026-01-31T10:00:00.123456789Z stdout F hello  world",
    parsed: ["2026-01-31T10:00:00.123456789Z", undefined, "hello  world", { stream: "stdout" }],
  },
  {
    format: "cri",
    line: "2026-01-31T10:00:00.1+02:00 stderr F",
    parsed: ["2026-01-31T08:00:00.100Z", undefined, "", { stream: "stderr" }],
  },
  { format: "cri", line: "2026-01-31T10:00:00Z stdin F x", parsed: undefined },
  {
    format: "nginx",
    line: '10.0.0.1 - bob [31/Jan/2026:10:00:00 +0100] "GET /a?b=c HTTP/1.1" 404 12 "http://r/" "curl/8 \\"x\\""',
    parsed: [
      "2026-01-31T09:00:00Z",
      "warn",
      "GET /a?b=c HTTP/1.1 404",
      {
        remote_addr: "10.0.0.1",
        remote_user: "bob",
        method: "GET",
        path: "/a?b=c",
        protocol: "HTTP/1.1",
        status: "404",
        bytes: "12",
        referer: "http://r/",
        user_agent: 'curl/8 \\"x\\"',
      },
    ],
  },
  {
    format: "nginx",
    line: '::1 - - [31/Jan/2026:10:00:00 +0000] "\\x16\\x03" 500 -',
    parsed: [
      "2026-01-31T10:00:00Z",
      "error",
      "\\x16\\x03 500",
      { remote_addr: "::1", status: "500" },
    ],
  },
  {
    format: "nginx",
    line: "2026/01/31 10:00:00 [crit] 12#3: *4 open() failed",
    parsed: [
      "2026-01-31T10:00:00Z",
      "critical",
      "open() failed",
      { pid: "12", thread: "3", connection: "4" },
    ],
  },
  {
    format: "nginx",
    line: '10.0.0.1 - - [31/Foo/2026:10:00:00 +0000] "GET /" 200 1',
    parsed: undefined,
  },
  {
    format: "logfmt",
    line: 'ts=2026-01-31T10:00:00Z level=WARNING msg="it \\"works\\"\\n" path=/a?b=c debug',
    parsed: ["2026-01-31T10:00:00Z", "warn", 'it "works"\n', { path: "/a?b=c", debug: "true" }],
  },
  { format: "logfmt", line: "a=1 b=", parsed: [undefined, undefined, "a=1 b=", { a: "1", b: "" }] },
  { format: "logfmt", line: "only=one", parsed: undefined },
  { format: "logfmt", line: "a sentence with x=1 and y=2 in it", parsed: undefined },
  { format: "logfmt", line: 'a=1 b="open', parsed: undefined },
  {
    format: "text",
    line: "[2026-01-31 10:00:00,123] ERROR it broke",
    parsed: ["2026-01-31T10:00:00.123Z", "error", "[2026-01-31 10:00:00,123] ERROR it broke", {}],
  },
  {
    format: "text",
    line: "26/01/31 10:00:00 WARN a: b",
    parsed: ["2026-01-31T10:00:00Z", "warn", "26/01/31 10:00:00 WARN a: b", {}],
  },
  {
    format: "text",
    line: "[Sat Jan 31 10:00:00.5 2026] [notice] x",
    parsed: ["2026-01-31T10:00:00.500Z", "notice", "[Sat Jan 31 10:00:00.5 2026] [notice] x", {}],
  },
  { format: "text", line: "no time here", parsed: [undefined, undefined, "no time here", {}] },
  {
    format: "text",
    line: "2026-13-31 10:00:00 x",
    parsed: [undefined, undefined, "2026-13-31 10:00:00 x", {}],
  },
  {
    format: "text",
    line: "INFORMATION is not a level",
    parsed: [undefined, undefined, "INFORMATION is not a level", {}],
  },
];

for (const { format, line, parsed } of cases) {
  test(`${format}: ${line}`, () => {
    const found = formatOf(format)?.parse(line, context);
    if (parsed === undefined) {
      assert.equal(found, undefined);
      return;
    }
    assert.ok(found !== undefined);
    const { time, level, msg, fields } = found;
    assert.deepEqual([time && momentPrint(time), level, msg, fields], parsed);
  });
}

const detected: readonly (readonly [FormatName, readonly string[]])[] = [
  ["ndjson", ['{"a":1}', ' {"b":2}']],
  ["cri", ["2026-01-31T10:00:00.1Z stdout F {}", "2026-01-31T10:00:00.2Z stderr P {}"]],
  ["syslog", ["Jan 31 10:00:00 h a[1]: b=1 c=2", "Jan 31 10:00:01 h a[1]: x"]],
  ["logfmt", ["a=1 b=2", "a=1 b=3"]],
  ["nginx", ['1.1.1.1 - - [31/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1']],
  ["text", ["2026-01-31 10:00:00,123 INFO [main] a.B: x", "at a.b.c(D.java:3)"]],
  ["text", ['{"a":1}', "x", "y"]],
  ["text", ["[1,2]", "3"]],
  ["text", ["", "  "]],
];

for (const [name, lines] of detected) {
  test(`lines like ${JSON.stringify(lines[0])} are taken for ${name}`, () => {
    assert.equal(detectFormat(lines, "auto", context).name, name);
  });
}

test("one line in five may differ from the form of its file", () => {
  const lines = ["a=1 b=2", "a=1 b=2", "a=1 b=2", "a=1 b=2", "stray"];
  assert.equal(detectFormat(lines, "auto", context).name, "logfmt");
  assert.equal(detectFormat([...lines, "stray"], "auto", context).name, "text");
});

test("the time and message of JSON lines are the fields that most of them have", () => {
  const lines = ['{"ts":1769853600.5,"message":"x"}', '{"ts":1769853601,"message":"y"}', '{"z":1}'];
  const { timeField, msgField } = detectFormat(lines, "auto", context);
  assert.deepEqual([timeField, msgField], ["ts", "message"]);
  const plain = detectFormat(['{"time":"yesterday","log":1}'], "auto", context);
  assert.deepEqual([plain.timeField, plain.msgField], ["_time", "_msg"]);
});

test("whatever a line is, every form makes one row of JSON of it that keeps its text", () => {
  const rounds = Number(process.env["LOGKEEP_SOAK_RUNS"] ?? 2000);
  for (const name of formatNames) {
    const maker = new RowMaker({ name, timeField: "_time", msgField: "_msg" }, context);
    const prng = new Prng(11);
    for (let round = 0; round < rounds; round++) {
      const line = mutated(prng);
      const row = maker.row([line], undefined);
      assert.equal(row.json.includes("\n"), false);
      const record = JSON.parse(row.json) as Record<string, unknown>;
      if (row.isFallback) assert.equal(record["_msg"], line);
    }
  }
});

test("a line of a million characters is taken in a moment, whatever it repeats", () => {
  for (const unit of [
    "a=",
    '"',
    "\\",
    "[a ",
    "1.1.1.1 - - [",
    '<1>1 - - - - - [a b="',
    "Jan 31 10:00:00 ",
  ]) {
    const line = unit.repeat(Math.ceil(1_000_000 / unit.length));
    const before = process.cpuUsage();
    for (const name of formatNames) {
      const maker = new RowMaker({ name, timeField: "_time", msgField: "_msg" }, context);
      assert.ok(maker.row([line], undefined).json.length > 1_000_000);
      // As long as forms are tried on.
      maker.row([line.slice(0, 65_536)], undefined);
    }
    assert.ok(process.cpuUsage(before).user < 10_000_000, unit);
  }
});

/** A line of some form with some of its characters replaced, doubled or taken out. */
function mutated(prng: Prng): string {
  const jsons = ['{"_msg":"x","n":{"a":[1,null]}}', '{"__proto__":{"a":1},"_time":5}'];
  const seeds = [...cases.map(({ line }) => line), ...jsons];
  const chars = [...prng.pick(seeds)];
  const odd = [
    "\u0000",
    '"',
    "\\",
    "[",
    "]",
    "=",
    " ",
    "\ud800",
    "😀",
    "é",
    "\r",
    "<",
    "9",
    "-",
    ":",
  ];
  for (let count = prng.below(6); count > 0; count--) {
    const at = prng.below(chars.length + 1);
    const kind = prng.below(3);
    if (kind === 0) chars.splice(at, 1);
    else chars.splice(at, kind - 1, prng.pick(odd));
  }
  return chars.join("");
}
