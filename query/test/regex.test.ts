import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import { requiredLiteral } from "../src/regex/literal.ts";
import { Pattern } from "../src/regex/pattern.ts";

const literals: readonly (readonly [string, string | undefined])[] = [
  ["etaddrinf", "etaddrinf"],
  ["blk_-?[0-9]+77 ", "blk_"],
  ["a.bcd", "bcd"],
  ["a\\.b", "a.b"],
  ["ab+cd", "bcd"],
  ["abc?d", "ab"],
  ["ab{2}cde", "bcde"],
  ["ab{0,2}", "a"],
  ["(x|y)abc", "abc"],
  ["a|b", undefined],
  ["(abc)", undefined],
  ["(?i)abc", undefined],
  ["[abc]d[^]e]f", "d"],
  ["[[:alpha:]\\]]xyz", "xyz"],
  ["^start", "start"],
  ["\\bword\\b", "word"],
  ["\\x41bc", undefined],
  ["\\pLbc", undefined],
  ["tab\\there", "tab\there"],
  ["диск.*полон", "полон"],
  [".*", undefined],
];

for (const [pattern, literal] of literals) {
  test(`every match of ${pattern} contains ${literal ?? "nothing that is known"}`, () => {
    assert.equal(requiredLiteral(pattern)?.text, literal);
  });
}

test("texts beside the longest are known too", () => {
  assert.deepEqual(requiredLiteral("blk_-?[0-9]+77 ")?.others, ["77 "]);
  assert.deepEqual(requiredLiteral("ab+cd.x.ab.bc")?.others, ["ab"]);
});

test("a pattern that is all literal says so", () => {
  assert.equal(requiredLiteral("a\\.b")?.isWhole, true);
  for (const pattern of ["^ab", "ab$", "ab+", "a.", "ab[c]", "ab(c)"]) {
    assert.equal(requiredLiteral(pattern)?.isWhole, false, pattern);
  }
});

test("no text that matches lacks the literal", () => {
  const prng = new Prng(7);
  const atoms = [
    "a",
    "b",
    "ab",
    "\\.",
    ".",
    "[ab]",
    "(a|b)",
    "(?:ab)",
    "^",
    "$",
    "\\d",
    "|",
    "[^a]",
  ];
  const repeats = ["", "", "", "*", "+", "?", "{2}", "{0,1}", "{1,}", "+?"];
  let found = 0;
  for (let round = 0; round < 5_000; round++) {
    const source = Array.from(
      { length: 1 + prng.below(5) },
      () => prng.pick(atoms) + prng.pick(repeats),
    ).join("");
    let pattern: Pattern;
    try {
      pattern = new Pattern(source);
    } catch {
      continue;
    }
    const text = Array.from({ length: prng.below(8) }, () => prng.pick([..."ab.1"])).join("");
    const { literal } = pattern;
    if (literal === undefined) continue;
    const contains = text.includes(literal.text);
    const hasOthers = literal.others.every((other) => text.includes(other));
    if (pattern.test(text)) assert.ok(contains && hasOthers, `${source} matches ${text}`);
    if (literal.isWhole) assert.equal(pattern.test(text), contains, `${source} and ${text}`);
    found++;
  }
  assert.ok(found > 500, `only ${found} patterns had a literal`);
});

test("time to match grows with the text, whatever the pattern", () => {
  const patterns = ["(a+)+$", "(a|aa)+$", "(.*a){12}$", "(a*)*c", "(x+x+)+y", "(a|b)*a(a|b){100}c"];
  for (const source of patterns) {
    const pattern = new Pattern(source);
    const texts = [`${"a".repeat(50_000)}!`, `${"ab".repeat(25_000)}!`];
    const before = process.cpuUsage();
    for (const text of texts) assert.equal(pattern.test(text), false, source);
    // Backtracking would take longer than the universe has lasted.
    assert.ok(process.cpuUsage(before).user < 5_000_000, source);
  }
});

test("a dot matches the end of a line, since a record is one text", () => {
  assert.equal(new Pattern("first.*second").test("first\nsecond"), true);
  assert.equal(new Pattern("^second").test("first\nsecond"), false);
});

test("a whole match leaves nothing over", () => {
  const pattern = new Pattern("web-.*|db");
  assert.equal(pattern.testWhole("db"), true);
  assert.equal(pattern.testWhole("web-01"), true);
  assert.equal(pattern.testWhole("db-01"), false);
});

test("what is no pattern is refused", () => {
  const isRefused = (thrown: unknown) =>
    thrown instanceof ServiceError && thrown.code === "query.invalid";
  for (const source of ["(", "(?=a)", "\\1", "a{2000}", "x".repeat(3_000), "(a{500}){3}b{999}"]) {
    assert.throws(() => new Pattern(source), isRefused, source.slice(0, 20));
  }
});
