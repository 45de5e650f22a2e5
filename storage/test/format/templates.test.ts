// Goal: texts come back byte for byte from templates and variables, and what readers are told of these is true.
// Method: blocks of generated columns are encoded and read; every promise of the `Templates` seam is checked row by row.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../../kit/src/prng.ts";
import { isWordByte, wordsOf } from "../../../kit/src/tokens.ts";
import { valueAt, valuesBlock } from "./values-block.ts";

const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 30);

test("texts of any bytes come back from their templates, whole and picked, and words are found", () => {
  for (let seed = 0; seed < rounds; seed++) {
    const prng = new Prng(seed);
    const count = 1 + prng.below(seed % 6 === 0 ? 3_000 : 200);
    const makers = Array.from({ length: 1 + prng.below(6) }, () => textMaker(prng));
    const texts = Array.from({ length: count }, () => prng.pick(makers)());
    const ids = texts.map(() => Buffer.from(prng.u32().toString(16)));
    const block = valuesBlock({ _msg: texts, id: ids });
    const column = block.column("_msg")!;
    for (let row = 0; row < count; row++) {
      assert.deepEqual(valueAt(column, row), texts[row], `SEED=${seed} row ${row}`);
    }
    const rows = Uint32Array.from(texts.keys()).filter(() => prng.chance(0.1));
    const { bytes, offsets } = column.pick(rows);
    for (const [i, row] of rows.entries()) {
      const picked = bytes.subarray(offsets[i], offsets[i + 1]);
      assert.deepEqual(Buffer.from(picked), texts[row], `SEED=${seed} picked ${row}`);
    }
    for (const text of texts.slice(0, 50)) {
      const words = wordsOf(text.toString("utf8")).filter((word) => !word.includes("\ufffd"));
      assert.ok(block.mayContain("_msg", words), `SEED=${seed} ${text.toString("latin1")}`);
      const from = prng.below(text.length + 1);
      const piece = text.subarray(from, from + 1 + prng.below(12));
      assert.ok(block.mayHold("_msg", piece), `SEED=${seed} ${piece.toString("latin1")}`);
    }
    if (column.templates !== undefined) checkTemplates(column.templates, texts, `SEED=${seed}`);
  }
});

type Maker = () => Buffer;

/** Texts alike in all but some places, as messages are; or alike in nothing. */
function textMaker(prng: Prng): Maker {
  const parts = Array.from({ length: 1 + prng.below(6) }, () => {
    const before = Buffer.from(
      prng.pick(["user ", "took=", " [", "GET ", ": ", '"', "naïve ", "", ", "]),
    );
    return { before, value: valueMaker(prng) };
  });
  return () => Buffer.concat(parts.flatMap(({ before, value }) => [before, value()]));
}

function valueMaker(prng: Prng): Maker {
  const digits = 1 + prng.below(25);
  const number = () => Array.from({ length: digits }, () => prng.below(10)).join("");
  const makers: readonly (() => string | Buffer)[] = [
    () => number(),
    () => String(prng.below(1_000)),
    () => prng.pick(["007", "-0", "+1", "0", "1e5", "00", "9007199254740993", ""]),
    () => `blk_${prng.chance(0.5) ? "-" : ""}${prng.u32()}${prng.u32()}`,
    () => `10.${prng.below(256)}.${prng.below(256)}.7:${prng.below(65_536)}`,
    () =>
      prng
        .u32()
        .toString(16)
        .padStart(8, "0")
        .repeat(1 + (digits % 5)),
    () => `/var/${prng.pick(["log", "lib"])}/${number()}.txt?q=${prng.below(9)}`,
    () => prng.pick(['"a quoted text of many words"', '"GET / HTTP/1.1"', '"', '""', "it's"]),
    () => prng.pick(["😀", "日本 12", "\u0001", "a\u0001b", "\u0000", "\n", "word", "a.b.c: "]),
    () => Buffer.from(Array.from({ length: prng.below(8) }, () => prng.below(256))),
    () => "x1 ".repeat(prng.chance(0.05) ? 250 : 3),
    () => (prng.chance(0.002) ? "long 1".repeat(170_000) : "short"),
  ];
  const make = prng.pick(makers);
  return () => Buffer.from(make());
}

type Texts = NonNullable<
  NonNullable<ReturnType<ReturnType<typeof valuesBlock>["column"]>>["templates"]
>;

function checkTemplates(stored: Texts, texts: readonly Buffer[], what: string): void {
  const seen = stored.templates.map(() => 0);
  for (const [row, text] of texts.entries()) {
    const code = stored.codes[row]!;
    const { literals } = stored.templates[code]!;
    const rank = seen[code]!++;
    const pieces = literals
      .slice(0, -1)
      .flatMap((literal, index) => [literal, valueAt(stored.variable(code, index), rank)]);
    pieces.push(literals.at(-1)!);
    assert.deepEqual(Buffer.concat(pieces), text, `${what} row ${row} of its template`);
    let at = 0;
    for (const [i, piece] of pieces.slice(0, -1).entries()) {
      at += piece.length;
      const isWithin = at > 0 && at < text.length;
      const isSplit = isWithin && isWordByte[text[at - 1]!] === 1 && isWordByte[text[at]!] === 1;
      assert.ok(!isSplit, `${what} row ${row}: a word is cut`);
      if (i % 2 === 0) continue;
      const words = wordsOf(piece.toString("utf8")).filter((word) => !word.includes("\ufffd"));
      assert.ok(stored.variablesMayContain(words), `${what} row ${row}: ${words.join(" ")}`);
    }
  }
  assert.deepEqual(
    stored.templates.map(({ rowCount }) => rowCount),
    seen,
    what,
  );
}

test("a message that repeats its fields and its time costs little more than they do", () => {
  const prng = new Prng(1);
  const count = 4_000;
  const ms = Float64Array.from({ length: count }, (_, i) => 1_795_132_800_000 + i * 700);
  const ips = Array.from(
    { length: count },
    () => `10.${prng.below(256)}.${prng.below(256)}.${prng.below(256)}`,
  );
  const paths = Array.from({ length: count }, () => `/a/${prng.below(90)}`);
  const date = (time: number) =>
    new Date(time).toUTCString().replace(/\w+, (\d+) (\w+) (\d+) (\S+) GMT/, "$1/$2/$3:$4");
  const texts = ips.map(
    (ip, i) =>
      `${ip} - [${date(ms[i]!)} +0000] "GET ${paths[i]}" ${new Date(ms[i]!).toISOString()}`,
  );
  const columns = {
    client: ips.map((ip) => Buffer.from(ip)),
    path: paths.map((path) => Buffer.from(path)),
  };
  const without = valuesBlock(columns, ms);
  const block = valuesBlock({ ...columns, _msg: texts.map((text) => Buffer.from(text)) }, ms);
  for (const [row, text] of texts.entries()) {
    assert.equal(valueAt(block.column("_msg")!, row).toString(), text);
  }
  const own = block.encoded.byteLength - without.encoded.byteLength;
  // What is left is mostly the filter of the variables' words, the octets of the addresses among them.
  assert.ok(own < count * 1.5, `${own} bytes of ${texts.join("").length}`);
  const [ip = "", path = ""] = [ips[17], paths[17]];
  assert.ok(
    block.column("_msg")!.templates!.variablesMayContain([...wordsOf(ip), ...wordsOf(path), "Nov"]),
  );
  // The first question is answered from the texts, the next ones from a filter of their words.
  for (let times = 0; times < 3; times++) {
    assert.equal(block.mayContain("_msg", ["absent"]), false);
    assert.ok(block.mayContain("_msg", ["GET", "0000"]));
  }
  // Nor has anybody read the texts for the first such question.
  assert.deepEqual(
    ["absent", "absent", "absent", "GET", "Nov"].map((text) =>
      block.mayHold("_msg", Buffer.from(text)),
    ),
    [true, false, false, true, true],
  );
  assert.equal(block.column("_msg")!.templates!.variablesHolding(Buffer.from("/Nov/"))?.size, 1);
});

test("how many rows have each value is told for few values, and for no others", () => {
  const levels = Array.from({ length: 1_000 }, (_, i) =>
    Buffer.from(i % 10 === 0 ? "error" : i % 3 === 0 ? "" : "info"),
  );
  const many = levels.map((_, i) => Buffer.from(`v${i % 400}`));
  const block = valuesBlock({ level: levels, many, same: levels.map(() => Buffer.from("a")) });
  const counts = (field: string) => {
    const found = block.valueCounts(field);
    if (found === undefined) return undefined;
    const { values, counts: own } = found;
    const texts = [...own].map((count, i) => [
      values.bytes.toString("utf8", values.offsets[i], values.offsets[i + 1]),
      count,
    ]);
    return Object.fromEntries(texts);
  };
  const expected = (text: string) => levels.filter((level) => level.toString() === text).length;
  assert.deepEqual(counts("level"), {
    error: expected("error"),
    "": expected(""),
    info: expected("info"),
  });
  assert.deepEqual(counts("same"), { a: 1_000 });
  assert.equal(counts("many"), undefined);
  assert.equal(counts("none"), undefined);
});
