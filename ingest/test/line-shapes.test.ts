// Goal: lines that are written like earlier ones, whose names are therefore not looked at, make the same records as
// JSON.parse and a naive reading of what time, message and stream are.
// Method: a seed draws some forms of lines, and many lines of each with values of all kinds, some lines with mistakes;
// one decoder reads them all. A failure prints the seed and the line. SEED=<n> begins elsewhere,
// LOGKEEP_SOAK_SEEDS=<n> draws more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { FieldNames } from "../../storage/src/format/field-names.ts";
import { printStream } from "../../storage/src/format/stream-labels.ts";
import type { DecodeOptions } from "../src/job.ts";
import { DecodeFault } from "../src/protocol/fault.ts";
import { JsonReader } from "../src/protocol/json-reader.ts";
import { JsonRecords } from "../src/protocol/json-record.ts";
import { lineSpaces } from "../src/protocol/json-scan.ts";
import { LineShapes } from "../src/protocol/line-shapes.ts";
import { RecordFields } from "../src/protocol/record.ts";
import { SourceBytes } from "../src/protocol/source-bytes.ts";
import { receivedText, type StoredRecord, TestDecoder } from "./decoding.ts";
import { ambiguous, comparableArray, expected, mutate, sorted } from "./json-reading.ts";

const seedFirst = Number(process.env["SEED"] ?? 1);
const seedCount = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 1) * 200;

/** None needs an escape: V8 13.6 takes the name "q\\"" for "q\\\\" where it has just parsed the latter. */
const names = [
  ["_time", "ts", "_msg", "message", "service", "host"],
  ["level", "status", "user.name", "a", "b", "_stream", "two words", "é", "trace"],
].flat();

/** Times as they are sent, and as they are stored; undefined where they cannot be read. */
const times: readonly (readonly [sent: string, stored: string | undefined])[] = [
  ["2026-11-20T10:00:00.5Z", "2026-11-20T10:00:00.500Z"],
  ["2026-11-20T10:00:01Z", "2026-11-20T10:00:01Z"],
  ["2026-11-20T10:00:59.123456789Z", "2026-11-20T10:00:59.123456789Z"],
  ["2026-11-20T10:00:60Z", "2026-11-20T10:01:00Z"],
  ["2026-11-20T10:00:61Z", undefined],
  ["2026-11-20T10:00:5aZ", undefined],
  ["2026-11-20T10:00:05,25Z", "2026-11-20T10:00:05.250Z"],
  ["2026-11-20T10:00:05.Z", undefined],
  ["2026-11-20T10:00:05.1234567891Z", "2026-11-20T10:00:05.123456789Z"],
  ["2026-11-20T10:00:05.000+02:00", "2026-11-20T08:00:05Z"],
  ["2026-11-20 10:00:07", "2026-11-20T10:00:07Z"],
  ["1763632808", "2025-11-20T10:00:08Z"],
  ["yesterday", undefined],
];

const texts = [
  "",
  "x",
  "two words",
  'say "hi"',
  "a\\b\n",
  "é€😀",
  "null",
  "200",
  "0123456789".repeat(9),
];

const requests: readonly Partial<DecodeOptions>[] = [
  { timeFields: ["_time"], msgFields: ["_msg"], streamFields: ["service", "host"] },
  { timeFields: ["ts", "_time"], msgFields: ["message", "_msg"], streamFields: ["host"] },
  {
    timeFields: ["_time", "ts"],
    msgFields: ["_msg", "message"],
    streamFields: ["service"],
    extra: [
      ["host", "given"],
      ["zone", "eu"],
    ],
  },
];

/** One way of writing lines: names, nesting and white space are always the same. */
interface Form {
  readonly open: string;
  readonly members: readonly { readonly before: string; readonly name: string }[];
  readonly close: string;
}

function form(random: Prng): Form {
  const left = [...names];
  const blank = random.pick(["", "", " "]);
  const isNested = random.chance(0.3);
  const members = Array.from({ length: 1 + random.below(8) }, (_, i) => {
    const [name = ""] = left.splice(random.below(left.length), 1);
    const comma = i === 0 ? "" : `,${blank}`;
    return { before: `${comma}${JSON.stringify(name)}:${blank}`, name };
  });
  const open = isNested ? '{"k8s":{"pod":{"id":7},"none":{}},' : "{";
  return { open, members, close: random.pick(["}", "}", " }\t"]) };
}

function line(random: Prng, { open, members, close }: Form): string {
  const values = members.map(({ before, name }) => `${before}${value(random, name)}`);
  return open + values.join("") + close;
}

function value(random: Prng, name: string): string {
  if (name === "_time" || name === "ts") {
    return JSON.stringify(random.chance(0.1) ? "" : random.pick(times)[0]);
  }
  if (random.chance(0.7)) return JSON.stringify(random.pick(texts));
  return random.pick(["1", "-2.50e3", "true", "false", "null", "[1, 2]", "[]", '{"in":"side"}']);
}

/** What the fields of a line say its time is; undefined where none does. */
function sentTime(
  fields: ReadonlyMap<string, string>,
  request: Partial<DecodeOptions>,
): string | undefined {
  return request.timeFields?.map((name) => fields.get(name) ?? "").find((text) => text !== "");
}

/** The record that a line makes; undefined where it makes none. */
function recordOf(text: string, request: Partial<DecodeOptions>): StoredRecord | undefined {
  const made = expected(text);
  if (made === undefined) return undefined;
  const fields = new Map([...made.fields].filter(([name, each]) => name !== "" && each !== ""));
  for (const [name, each] of request.extra ?? []) fields.set(name, each);
  const streamFields = request.streamFields ?? [];
  const stream = printStream(streamFields.map((name) => [name, fields.get(name) ?? ""]));
  const sent = sentTime(fields, request);
  const time = sent === undefined ? receivedText : times.find(([each]) => each === sent)?.[1];
  if (time === undefined) return undefined;
  const isThere = (name: string): boolean => fields.has(name);
  const msgField = request.msgFields?.find(isThere) ?? "_msg";
  const msg = fields.get(msgField);
  fields.delete(request.timeFields?.find(isThere) ?? "");
  if (msg !== undefined && msgField !== "_msg") {
    rename(fields, "_msg");
    fields.delete(msgField);
    fields.set("_msg", msg);
  }
  for (const name of ["_time", "_stream"]) rename(fields, name);
  return { time, stream, fields: Object.fromEntries(sorted(fields)) };
}

/** True for what this test has no answer for: a time that was changed, an array (a text of its own) in a stream. */
function isUnclear(text: string, request: Partial<DecodeOptions>): boolean {
  const made = expected(text);
  if (made === undefined) return false;
  const sent = sentTime(made.fields, request);
  const isTimeKnown = sent === undefined || times.some(([each]) => each === sent);
  return !isTimeKnown || made.arrays.has("host") || made.arrays.has("service");
}

/** Keeps a field whose name is taken under another. */
function rename(fields: Map<string, string>, name: string): void {
  const text = fields.get(name);
  if (text === undefined) return;
  fields.delete(name);
  fields.set(`field.${name}`, text);
}

test(`lines written alike mean what JSON.parse says, in ${seedCount} bodies`, () => {
  const decoder = new TestDecoder();
  let stored = 0;
  for (let seed = seedFirst; seed < seedFirst + seedCount; seed++) {
    const random = new Prng(seed);
    const forms = Array.from({ length: 1 + random.below(4) }, () => form(random));
    const request = random.pick(requests);
    const lines: string[] = [];
    for (let i = 0; i < 60; i++) {
      let text = line(random, random.pick(forms));
      if (random.chance(0.15)) text = mutate(random, text).toWellFormed();
      const isLine = text.trim() !== "" && !text.includes("\n");
      if (isLine && !ambiguous(text) && !isUnclear(text, request)) lines.push(text);
    }
    const end = random.pick(["", "\n", "\r\n"]);
    const { result, records } = decoder.run("json-lines", lines.join("\n") + end, request);
    const bulk = lines.map((text) => `{"create":{}}\n${text}\n`).join("");
    assert.deepEqual(decoder.run("elasticsearch-bulk", bulk, request).records, records);
    const wanted = lines.map((text) => recordOf(text, request));
    const faults = new Set(result.errors.map((each) => each.line));
    const isGood = lines.map((_, i) => !faults.has(i + 1));
    const about = (i: number): string => `SEED=${seed} ${JSON.stringify(lines[i])}`;
    for (const [i, good] of isGood.entries()) assert.equal(good, wanted[i] !== undefined, about(i));
    let next = 0;
    for (const [i, want] of wanted.entries()) {
      if (want === undefined) continue;
      assert.deepEqual(comparable(records[next++]), want, about(i));
      stored++;
    }
    assert.equal(records.length, next);
  }
  assert.ok(stored > seedCount * 20, "enough of the lines are good");
});

test("a line of a form that was read before is read by its form, and no other line is", () => {
  const fault = new DecodeFault();
  const source = new SourceBytes(fault);
  const fieldNames = new FieldNames();
  const record = new RecordFields(source);
  const reader = new JsonReader(source, fault);
  reader.spaces = lineSpaces;
  const records = new JsonRecords(reader, record, fieldNames);
  const shapes = new LineShapes(reader, record, fieldNames);
  const isKnown = (text: string): boolean => {
    source.load(Buffer.from(`${text}\n`));
    shapes.begin();
    record.begin();
    return shapes.read(0) !== undefined;
  };
  const read = (text: string): void => {
    source.load(Buffer.from(`${text}\n`));
    record.begin();
    shapes.learn(records.trace, 0, records.read(0));
  };
  const forms = [
    '{"a":"x","b":1}',
    '{"a": "x"}',
    '{"a":{"b":"x"}}',
    '{"long name of a field":true}',
  ];
  for (const each of forms) {
    assert.equal(isKnown(each), false, each);
    read(each);
    assert.equal(isKnown(each), true, each);
  }
  for (const each of ['{"a":"\\"","b":[1]}', '{"a":"","b":null}', '{"long name of a field":-1}']) {
    assert.equal(isKnown(each), true, each);
  }
  for (const each of [
    '{"a":"x","b":"1"}',
    '{"a":"x","b":1',
    '{"a":"x","b":1}}',
    '{"a":"x","b":01}',
    '{"a":"\\x","b":1}',
    '{"a":{},"b":1}',
    '{"long name of a feeld":true}',
  ]) {
    assert.equal(isKnown(each), false, each);
  }
  read('{"a":1,"a":2}');
  assert.equal(isKnown('{"a":1,"a":2}'), false, "a name given twice");
  fieldNames.clear();
  assert.equal(isKnown(forms[0] ?? ""), false, "names have other ids now");
});

function comparable(record: StoredRecord | undefined): StoredRecord | undefined {
  if (record === undefined) return undefined;
  const fields = Object.entries(record.fields).filter(([name]) => name !== "_overflow");
  const texts = fields.map(([name, text]): [string, string] => [name, comparableArray(text)]);
  return { ...record, fields: Object.fromEntries(sorted(new Map(texts))) };
}
