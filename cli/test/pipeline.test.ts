import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { batchMaxBytes, batchMaxRecords } from "../src/ship/limits.ts";
import { LineSplitter } from "../src/ship/lines.ts";
import { continuesOf } from "../src/ship/multiline.ts";
import { type Batch, Pipeline, type PipelineOptions } from "../src/ship/pipeline.ts";

const context = { referenceMs: 0 };

function batchesOf(
  bytes: Uint8Array,
  options: Partial<PipelineOptions> = {},
  cut = bytes.length,
): Batch[] {
  const pipeline = new Pipeline({ format: "auto", context, ...options });
  const batches: Batch[] = [];
  for (let at = 0; at < bytes.length; at += cut) {
    batches.push(...pipeline.push(bytes.subarray(at, at + cut)));
  }
  return [...batches, ...pipeline.end()];
}

function messagesOf(text: string, options: Partial<PipelineOptions> = {}): unknown[] {
  return batchesOf(Buffer.from(text), { format: "text", ...options }).flatMap(({ body }) =>
    body.split("\n").map((row) => (JSON.parse(row) as { _msg: unknown })._msg),
  );
}

test("every line is a record, with LF, with CR LF, and the last one without either", () => {
  assert.deepEqual(messagesOf("a\nb\r\n c \nd"), ["a", "b", " c ", "d"]);
});

test("blank lines are no records and do not shift the numbers of those behind them", () => {
  const [batch] = batchesOf(Buffer.from("a\n\n  \nb\n"), { format: "text" });
  assert.deepEqual(batch?.lineNumbers, [1, 4]);
  assert.deepEqual(batch?.end, { offset: 8, lines: 4, time: undefined });
});

test("invalid bytes become U+FFFD and are counted, and the record is kept", () => {
  const [batch] = batchesOf(Buffer.from([0x61, 0xff, 0x62, 0x0a, 0x63, 0x0a]), { format: "text" });
  assert.deepEqual(JSON.parse(batch?.body.split("\n")[0] ?? ""), { _msg: "a\ufffdb" });
  assert.equal(batch?.repaired, 1);
  assert.equal(batch?.records, 2);
});

test("a byte order mark is not part of the first record", () => {
  assert.deepEqual(messagesOf("\ufeffa\n\ufeffb\n"), ["a", "\ufeffb"]);
});

test("JSON lines are sent as they are, and others among them as text", () => {
  const lines = [
    '{"_msg":"x","a": 1.10}',
    '{"b":{"c":null}}',
    '{"c":3}',
    '{"d":4}',
    "not json",
    '{"e"',
  ];
  const [batch] = batchesOf(Buffer.from(lines.join("\n")), { format: "ndjson" });
  const rows = batch?.body.split("\n") ?? [];
  assert.deepEqual(rows.slice(0, 4), lines.slice(0, 4));
  assert.deepEqual(
    rows.slice(4).map((row) => JSON.parse(row) as unknown),
    [{ _msg: "not json" }, { _msg: '{"e"' }],
  );
  assert.equal(batch?.fallbacks, 2);
});

test("a line without a time takes that of the line before it", () => {
  const text = "head\n2026-01-31T10:00:00Z ERROR x\n  at y\n2026-01-31T10:00:01Z z\n";
  const [batch] = batchesOf(Buffer.from(text), { format: "text" });
  const times = batch?.body.split("\n").map((row) => (JSON.parse(row) as { _time?: string })._time);
  assert.deepEqual(times, [
    undefined,
    "2026-01-31T10:00:00Z",
    "2026-01-31T10:00:00Z",
    "2026-01-31T10:00:01Z",
  ]);
  assert.equal(batch?.isTimed, false);
});

test("partial lines of CRI are one record, also when the other stream writes in between", () => {
  const line = (second: number, stream: string, tag: string, text: string) =>
    `2026-01-31T10:00:0${second}Z ${stream} ${tag} ${text}\n`;
  const text =
    line(1, "stdout", "P", "ab") +
    line(2, "stdout", "P", "cd") +
    line(3, "stdout", "F", "ef") +
    line(4, "stdout", "P", "x") +
    line(5, "stderr", "F", "y");
  assert.deepEqual(messagesOf(text, { format: "cri" }), ["abcdef", "x", "y"]);
});

test("multiline joins stack traces to what they belong to", () => {
  const text = "one\nboom\n\tat a.B\nCaused by: c\n\tat d\n\n... 3 more\ntwo\n";
  assert.deepEqual(messagesOf(text, { continues: continuesOf(true) }), [
    "one",
    "boom\n\tat a.B\nCaused by: c\n\tat d\n\n... 3 more",
    "two",
  ]);
});

test("multiline with a pattern joins up to the next line that has it", () => {
  const text = "#1 a\nb\n c\n#2 d\ne\n";
  assert.deepEqual(messagesOf(text, { continues: continuesOf("^#\\d") }), [
    "#1 a\nb\n c",
    "#2 d\ne",
  ]);
  assert.throws(() => continuesOf("("), { name: "CliExit", code: 2 });
});

test("a record of joined lines has an end, even when its lines never stop", () => {
  const messages = messagesOf(`a\n${" b\n".repeat(2500)}`, { continues: continuesOf(true) });
  assert.equal(messages.length, 3);
});

test("a batch stays within its bounds in records and in bytes", () => {
  const small = batchesOf(Buffer.from("x\n".repeat(12_001)), { format: "text" });
  assert.deepEqual(
    small.map(({ records }) => records),
    [batchMaxRecords, batchMaxRecords, 2001],
  );
  const large = batchesOf(Buffer.from(`${"y".repeat(300_000)}\n`.repeat(8)), { format: "text" });
  for (const { body } of large) assert.ok(body.length <= batchMaxBytes);
  assert.equal(
    large.reduce((sum, { records }) => sum + records, 0),
    8,
  );
});

test("a line beyond the bound becomes several records, and no character is cut", () => {
  const splitter = new LineSplitter(0, 10);
  const lines = [...splitter.push(Buffer.from("ééééééé\nab\n"))];
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["ééééé", "éé", "ab"],
  );
  assert.equal(lines.at(-1)?.end, 18);
});

test("batches are the same in whatever pieces the bytes come, and begin where the last one ended", () => {
  const bytes = corpus(5);
  for (const continues of [undefined, continuesOf(true)]) {
    const whole = batchesOf(bytes, { continues });
    for (const cut of [1, 7, 4096, 100_000]) {
      assert.deepEqual(batchesOf(bytes, { continues }, cut), whole);
    }
    for (const [index, { start }] of whole.entries()) {
      assert.deepEqual(start, index === 0 ? { offset: 0, lines: 0 } : whole[index - 1]?.end);
    }
    assert.equal(whole.at(-1)?.end.offset, bytes.length);
  }
});

test("a run taken up at the end of any batch gives the very batches that were left", () => {
  const bytes = corpus(6);
  const first = new Pipeline({ format: "auto", context });
  // Flushed at odd places, as a followed file is.
  const batches: Batch[] = [];
  for (let at = 0; at < bytes.length; at += 50_001) {
    batches.push(...first.push(bytes.subarray(at, at + 50_001)), ...first.flush());
  }
  batches.push(...first.end());
  assert.ok(batches.length > 5);
  for (const [index, { end }] of batches.entries()) {
    const left = batches.slice(index + 1);
    const cuts = left.map((batch) => batch.end.offset);
    const options = { choice: first.choice, start: end, cuts };
    assert.deepEqual(batchesOf(bytes.subarray(end.offset), options, 3333), left);
  }
});

/** Lines of many lengths and kinds, with bytes that are no UTF-8 among them. */
function corpus(seed: number): Buffer {
  const prng = new Prng(seed);
  const lines: Buffer[] = [];
  for (let i = 0; i < 9000; i++) {
    const kinds = [
      `2026-01-31T10:00:${String(i % 60).padStart(2, "0")}Z INFO line ${i} ${"é".repeat(prng.below(30))}`,
      `\tat frame ${i}`,
      "",
      "x".repeat(prng.below(300)),
    ];
    lines.push(Buffer.from(`${prng.pick(kinds)}${prng.chance(0.2) ? "\r\n" : "\n"}`));
    if (prng.chance(0.01)) lines.push(Buffer.from([0x80 + prng.below(100)]));
  }
  return Buffer.concat(lines);
}
