import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import { parseQuery } from "../src/language/parse.ts";

/** The query, the place `line:column`, and what of message, expectation and suggestion must be said. */
const cases: readonly (readonly [query: string, place: string, ...said: string[]])[] = [
  ["", "1:1", "a filter is missing", "* matches every record"],
  ["   ", "1:4", "a filter is missing"],
  ["# only a comment", "1:17", "a filter is missing"],
  ["| stats count()", "1:1", 'unexpected "|"', "* matches every record"],
  ["error |", "1:8", "the name of a pipe"],
  ["error | | limit 1", "1:9", 'unexpected "|"', "the name of a pipe"],
  ["error AND", "1:10", "a filter is missing"],
  ["error OR OR warn", "1:10", '"OR" stands where a filter is expected'],
  ["and error", "1:1", '"and" stands where a filter is expected', '"and"'],
  ["not", "1:4", "a filter is missing"],
  ["!", "1:2", "a filter is missing"],
  ["(error", "1:7", "the query ends too early", '")"'],
  ["error)", "1:6", 'unexpected ")"', 'a ")" too many'],
  ["()", "1:2", 'unexpected ")"', "a word, a quoted phrase"],
  ['"open', "1:1", "the quoted text is not closed", 'a closing "'],
  ["level:'open", "1:7", "the quoted text is not closed", "a closing '"],
  ["`open", "1:1", "the quoted text is not closed", "a closing `"],
  ['~"\\d+"', "1:3", "unknown escape", "write \\\\d"],
  ['"\\xe9"', "1:2", "a byte beyond ASCII", "\\u00e9"],
  ['"\\u12"', "1:2", "unknown escape"],
  ["level=error", "1:6", "a field is followed by a colon", "level:="],
  ["status>=500", "1:7", "a field is followed by a colon", "status:>="],
  ["a:b:c", "1:4", "a colon in it stands in quotes", '"b:…"'],
  ["ip:=10.0.0.1:80", "1:13", "a colon in it stands in quotes"],
  ["level:", "1:7", "a filter is missing"],
  ["level:=", "1:8", "the query ends too early", "the whole value"],
  ["level:>", "1:8", "a number or a text"],
  ["level:> =5", "1:9", 'unexpected "="'],
  ["*foo", "1:2", "a text after * needs another *", "*foo*"],
  ["foo*bar", "1:5", "a star stands at the end of a text only"],
  ["level:{a=b}", "1:7", "a stream selector stands alone"],
  ["~", "1:2", "a regular expression in quotes"],
  ['~"a(?=b)"', "1:2", "lookahead and lookbehind are not supported"],
  ['~"(?<!a)b"', "1:2", "lookahead and lookbehind are not supported"],
  ["~`(a)\\1`", "1:2", "backreferences are not supported"],
  ['~"a++"', "1:2", "possessive"],
  ['~"(a"', "1:2", "this is no regular expression", "missing closing )"],
  ['~"[z-a]"', "1:2", "invalid character class range"],
  ['~"a{1001}"', "1:2", "invalid repeat count"],
  ['~"(a{900}b{900})"', "1:2", "too large"],
  ["level:inn(a)", "1:7", 'unknown filter function "inn"', '"suggestion":"in"'],
  ["contain_any(a)", "1:1", "unknown filter function", "contains_any"],
  ["level:in(a", "1:11", '"," or ")"'],
  ["level:in(a b)", "1:12", '"," or ")"', "put values between quotes"],
  ["level:in(,)", "1:10", "a value"],
  ["user:in(error:x y)", "1:14", "put values between quotes"],
  ["user:in(error | stats count() n)", "1:9", "| fields name or | uniq by (name) at its end"],
  ["user:in(error | feilds user)", "1:17", 'unknown pipe "feilds"', "fields"],
  ["* | join by (a) (error", "1:23", '"|" or ")"'],
  ["* | join by (a) error", "1:17", '"(" and a query'],
  ["* | stream_context", "1:19", '"before 5" or "after 5"'],
  ['* | format "<upper:x>"', "1:12", 'unknown option "upper"'],
  ['* | extract_regexp "a+"', "1:20", "names no field"],
  ["* | replace (a)", "1:15", '","'],
  ["* | sample 0", "1:12", "above 0"],
  ["* | rename a* as b", "1:18", "a text and"],
  ["_time:day_range[8, 10:00]", "1:17", "hours and minutes"],
  ["_time:week_range[Mon, Fry]", "1:23", "Sun, Mon"],
  ["options(concurency=2) x", "1:9", 'unknown option "concurency"', "concurrency"],
  ["a:eqfield(b)", "1:3", 'unknown filter function "eqfield"', "eq_field"],
  ["level:in[a]", "1:9", '"("'],
  ["status:range(1)", "1:15", '","'],
  ["status:range(1, x)", "1:17", "this is no number", "10KiB"],
  ["status:range[1, 2", "1:18", '")" or "]"'],
  ["ip:ipv4_range(10.0.0.256)", "1:15", "this is no IPv4 address"],
  ["ip:ipv4_range(10.0.0.0/33)", "1:15", "10.0.0.0/8"],
  ["len_range(1, x)", "1:14", "this is no length"],
  ["len_range(-1, 5)", "1:11", "this is no length"],
  ["i()", "1:3", "a word or a quoted phrase"],
  ["{", "1:2", "a label's name"],
  ["{host}", "1:6", 'one of "="'],
  ['{host:"a"}', "1:6", 'one of "="', '"suggestion":"="'],
  ['{host="a"', "1:10", '",", "or" or "}"'],
  ['{host=~"("}', "1:8", "this is no regular expression"],
  ["_time:", "1:7", "a time is missing", "a duration such as 5m"],
  ["_time:yesterday", "1:7", "this is no time"],
  ["_time:5x", "1:7", "this is no time"],
  ["_time:2026-02-30", "1:7", "this is no time"],
  ["_time:2026-11-20T25", "1:7", "this is no time"],
  ["_time:[2026-11-20", "1:18", '","'],
  ["_time:[2026-11-20, 2026-11-21", "1:30", '"]" or ")"'],
  ["_time:5m offset x", "1:17", "this is no duration"],
  ["_time:0000", "1:7", "out of range"],
  ["* | sotr by (x)", "1:5", 'unknown pipe "sotr"', '"suggestion":"sort"'],
  ["* | Limits 5", "1:5", 'unknown pipe "Limits"', '"suggestion":"limit"'],
  ["* | offset", "1:11", "this is no whole number"],
  ["* | limit -1", "1:11", "this number is negative"],
  ["* | limit 1.5", "1:11", "this is no whole number"],
  ["* | limit 99999999999999999999", "1:11", "this is no whole number"],
  ["* | limit 5 6", "1:13", 'unexpected text "6"', "or the end"],
  ["* | fields", "1:11", "a field's name"],
  ["* | fields a,", "1:14", "a field's name"],
  ["* | stats", "1:10", "a function, such as count()"],
  ["* | stats cuont()", "1:11", 'unknown function "cuont"', '"suggestion":"count"'],
  ["* | stats count", "1:16", '"(": count(…)'],
  ["* | stats sum()", "1:15", "sum needs a field", "sum(field)"],
  ["* | stats quantile(99, took)", "1:20", "a share from 0 to 1", '"suggestion":"0.99"'],
  ["* | stats count() n, sum(x) n", "1:22", 'the name "n" is given twice'],
  ["* | stats by (a) count() a", "1:18", 'the name "a" is given twice'],
  ["* | stats by (a, a) count()", "1:18", "grouped by twice"],
  ["* | stats by (_time:5q) count()", "1:21", "this is no step of time"],
  ["* | stats by (size:0) count()", "1:20", "this is no step"],
  ["* | stats by a count()", "1:14", "in parentheses", "by (…)"],
  ["* | stats count() if level:error", "1:22", '"(" and a filter'],
  ["* | stats count() limit 5", "1:19", "count takes no limit"],
  ["* | sort by (a dsec)", "1:16", '",", "desc" or ")"'],
  ["* | sort by ()", "1:14", "a field's name"],
  ["* | top by", "1:11", "a field's name"],
  ["* | uniq by (a) with hit", "1:22", '"hits"'],
  ["* | rename a", "1:13", "a field's name"],
  ["* | math a +", "1:13", "a field, a number"],
  ["* | math (a", "1:12", 'an operator or ")"'],
  ["* | math sqr(a) as b", "1:10", 'unknown function "sqr"', '"suggestion":"sqrt"'],
  ["* | math abs(a, b) as c", "1:10", "another number of arguments"],
  ["* | math 5x as c", "1:10", '"5x"'],
  ["* | extract user", "1:13", "the pattern names no field"],
  ['* | extract "<a><b>"', "1:13", "two placeholders have no text between them"],
  ['* | extract "user=<user"', "1:13", "a placeholder is not closed", "&lt;"],
  ["error\n| stats by (host)\n  cuont()", "3:3", 'unknown function "cuont"'],
  ['"ключ" 🔥 level=x', "1:15", "a field is followed by a colon"],
];

for (const [query, place, ...said] of cases) {
  test(`query ${JSON.stringify(query)} is refused at ${place}`, () => {
    const { message, fields } = refusal(query);
    assert.equal(`${fields["line"]}:${fields["column"]}`, place, message);
    const all = [message, ...Object.values(fields)].join("\n") + JSON.stringify(fields);
    for (const each of said) assert.ok(all.includes(each), `${each} is not said in\n${all}`);
  });
}

test("a query that is too long is refused", () => {
  parseQuery(`"${"x".repeat(16 * 1024 - 2)}"`);
  assert.match(refusal(`"${"x".repeat(16 * 1024 - 1)}"`).message, /too long/);
});

test("a query that is nested too deeply is refused, whatever nests", () => {
  const deep = [
    (n: number) => `${"(".repeat(n)}a${")".repeat(n)}`,
    (n: number) => `${"!".repeat(n)}a`,
    (n: number) => `* | math ${"(".repeat(n)}a${")".repeat(n)} as b`,
    (n: number) => `* | math ${"-".repeat(n)}a as b`,
    (n: number) => `* | math ${"2^".repeat(n)}a as b`,
    (n: number) => `* | math ${"abs(".repeat(n)}a${")".repeat(n)} as b`,
  ];
  for (const make of deep) {
    parseQuery(make(99));
    assert.match(refusal(make(101)).message, /nested too deeply/);
    assert.match(refusal(make(3000)).message, /nested too deeply/);
  }
});

function refusal(query: string): ServiceError {
  try {
    parseQuery(query);
  } catch (thrown) {
    assert.ok(thrown instanceof ServiceError, String(thrown));
    assert.equal(thrown.code, "query.syntax");
    return thrown;
  }
  return assert.fail(`${query} was read`);
}
