// Goal: the byte parser of JSON lines agrees with JSON.parse and a naive flattening, on what it accepts and
// on every value.
// Method: a seed draws objects and mutates their texts; a failure prints the seed and the line. SEED=<n> begins
// elsewhere, LOGKEEP_SOAK_SEEDS=<n> draws more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../kit/src/prng.ts";
import { TestDecoder } from "./decoding.ts";
import { ambiguous, expected, mutate, sorted, stored } from "./json-reading.ts";

const seedFirst = Number(process.env["SEED"] ?? 1);
const cases = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 5) * 1_000;

const texts = [
  "",
  "plain",
  "two words",
  'quo"te',
  "back\\slash",
  "\n\r\t\b\f",
  "\u0000\u001f",
  "é€😀",
  "日本",
  "/",
  "0",
];
const names = ["a", "b", "level", "a.b", "__proto__", "constructor", "é", 'q"', "x y", "1"];
const numbers = [
  "0",
  "-0",
  "1",
  "-12",
  "3.25",
  "1e5",
  "1E-7",
  "0.10",
  "12345678901234567890123",
  "-1.5e+300",
];

function value(random: Prng, depth: number): string {
  const kind = random.below(depth > 3 ? 5 : 8);
  if (kind <= 1) return printString(random, random.pick(texts));
  if (kind === 2) return random.pick(numbers);
  if (kind === 3) return random.pick(["true", "false"]);
  if (kind === 4) return "null";
  if (kind === 5) return array(random, depth + 1);
  return object(random, depth + 1);
}

function array(random: Prng, depth: number): string {
  const items = Array.from({ length: random.below(4) }, () => value(random, depth));
  return `[${space(random)}${items.join(`${space(random)},${space(random)}`)}${space(random)}]`;
}

/** Names differ within an object: what two of one name mean is told by another test. */
function object(random: Prng, depth: number): string {
  const left = [...names];
  const members = Array.from({ length: random.below(6) }, () => {
    const [name = ""] = left.splice(random.below(left.length), 1);
    return `${printString(random, name)}${space(random)}:${space(random)}${value(random, depth)}`;
  });
  return `{${space(random)}${members.join(`${space(random)},${space(random)}`)}${space(random)}}`;
}

function space(random: Prng): string {
  return random.chance(0.1) ? random.pick([" ", "\t", "  ", "\r"]) : "";
}

/** As JSON.stringify, or every unit as an escape. */
function printString(random: Prng, text: string): string {
  if (random.chance(0.8)) return JSON.stringify(text);
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("")}"`;
}

test(`${cases} random and mutated lines mean what JSON.parse says`, () => {
  const decoder = new TestDecoder();
  let acceptedCount = 0;
  for (let seed = seedFirst; seed < seedFirst + cases; seed++) {
    const random = new Prng(seed);
    let line = object(random, 0);
    for (let i = random.below(3); i > 0; i--) line = mutate(random, line).toWellFormed();
    if (line.trim() === "" || ambiguous(line)) continue;
    const want = expected(line);
    const { result, records } = decoder.run("json-lines", line, { timeFields: [] });
    const about = `SEED=${seed} ${JSON.stringify(line)} ${JSON.stringify(result.errors)}`;
    assert.equal(result.accepted, want === undefined ? 0 : 1, about);
    assert.equal(result.rejected, want === undefined ? 1 : 0, about);
    if (want === undefined) continue;
    acceptedCount++;
    const found = stored(records[0]?.fields ?? {}, want);
    const wanted = new Map([...want.fields].filter(([name, text]) => text !== "" && name !== ""));
    found.delete("_overflow");
    assert.deepEqual(sorted(found), sorted(wanted), about);
  }
  assert.ok(acceptedCount > cases / 3, "enough of the lines are good");
});
