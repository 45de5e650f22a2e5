import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "../../kit/src/errors.ts";
import { Prng } from "../../kit/src/prng.ts";
import { parseQuery } from "../src/language/parse.ts";
import { printQuery } from "../src/language/print.ts";
import { QueryDraw } from "./language-draw.ts";

// Goal: a printed query reads back as the same query, and no text makes the parser fail but with `query.syntax`.
// Method: a seed draws the query; a failure prints the seed and the text.

const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 3_000);

test("a printed query reads back as the same query", () => {
  for (let seed = 0; seed < rounds; seed++) {
    const query = new QueryDraw(new Prng(seed)).query();
    const text = printQuery(query);
    if (Buffer.byteLength(text) > 16_000) continue;
    let read: unknown;
    try {
      read = parseQuery(text);
    } catch (thrown) {
      assert.fail(`SEED=${seed} ${text}\n${JSON.stringify((thrown as ServiceError).fields)}`);
    }
    assert.deepEqual(read, query, `SEED=${seed} ${text}`);
  }
});

test("a query can be posted to a thread as it is", () => {
  for (let seed = 0; seed < 100; seed++) {
    const query = new QueryDraw(new Prng(seed)).query();
    assert.deepEqual(structuredClone(query), query);
  }
});

test("a mangled query is read or refused with its place, never worse", () => {
  const prng = new Prng(1);
  for (let seed = 0; seed < 7 * rounds; seed++) {
    const text = mangled(printQuery(new QueryDraw(new Prng(seed % 2_000)).query()), prng);
    try {
      parseQuery(text);
    } catch (thrown) {
      assert.ok(thrown instanceof ServiceError, `${JSON.stringify(text)}: ${String(thrown)}`);
      assert.equal(thrown.code, "query.syntax", JSON.stringify(text));
      const { line, column } = thrown.fields;
      const lines = text.split("\n");
      assert.ok(typeof line === "number" && line >= 1 && line <= lines.length, text);
      const length = [...(lines[line - 1] as string)].length;
      assert.ok(typeof column === "number" && column >= 1 && column <= length + 1, text);
    }
  }
});

const shards = [
  ..."()[]{}|,:*=!<>~\"'`-\\ #\n0a",
  " or ",
  " and ",
  "not ",
  "_time:",
  "in(",
  "| stats ",
];

/** Some places cut out, doubled, swapped, or overwritten. */
function mangled(text: string, prng: Prng): string {
  let result = text;
  for (let times = 1 + prng.below(3); times > 0; times--) {
    const at = prng.below(result.length + 1);
    const to = Math.min(result.length, at + prng.below(8));
    switch (prng.below(4)) {
      case 0:
        result = result.slice(0, at) + result.slice(to);
        break;
      case 1:
        result = result.slice(0, to) + result.slice(at);
        break;
      case 2:
        result = result.slice(0, at) + prng.pick(shards) + result.slice(at);
        break;
      default:
        result = result.slice(0, at) + String.fromCharCode(prng.below(0x3000)) + result.slice(to);
    }
  }
  return result;
}
