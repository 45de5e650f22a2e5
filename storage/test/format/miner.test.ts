// Goal: a text is split in the same way whatever came before it, so that like texts always share a template.
// Method: generated texts, full of quotes and delimiters, are mined together, where most templates are guessed from
// the texts before, and each alone, where there is nothing to guess from.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../../kit/src/prng.ts";
import { type MinedTexts, Miner } from "../../src/templates/miner.ts";

const rounds = Number(process.env["LOGKEEP_SOAK_SEEDS"] ?? 40);

test("a text has the same variables among others as alone", () => {
  const alone = new Miner();
  const together = new Miner();
  for (let seed = 0; seed < rounds; seed++) {
    const prng = new Prng(seed);
    const texters = Array.from({ length: 1 + prng.below(5) }, () => textMaker(prng));
    const texts = Array.from({ length: 300 }, () => Buffer.from(prng.pick(texters)()));
    const values = valuesOf(texts);
    const mined = together.mine(values);
    for (const [row, text] of texts.entries()) {
      const own = splitOf(alone.mine(valuesOf([text])), text, 0, 0);
      const found = splitOf(mined, values.bytes, row, values.offsets[row]!);
      assert.deepEqual(found, own, `SEED=${seed} ${JSON.stringify(text.toString("latin1"))}`);
    }
    const own = mined.templates.slice(1).map(({ bytes }) => bytes.toString("latin1"));
    assert.equal(new Set(own).size, own.length, `SEED=${seed}: no template stands twice`);
  }
});

/** A template's text, and where the row's variables lie, from the row's start. */
function splitOf(mined: MinedTexts, bytes: Buffer, row: number, start: number): unknown[] {
  const template = mined.templates[mined.templateOf[row]!]!;
  const from = mined.variablesAt[row]!;
  const variables = Array.from({ length: template.variableCount }, (_, i) =>
    bytes.toString("latin1", mined.starts[from + i], mined.ends[from + i]),
  );
  const places = variables.map((_, i) => mined.starts[from + i]! - start);
  return [template.bytes.toString("latin1"), variables, places];
}

function textMaker(prng: Prng): () => string {
  const parts = Array.from({ length: 2 + prng.below(6) }, () => {
    const before = prng.pick([
      " ",
      ' "',
      '" ',
      "=",
      ": ",
      "(",
      "user ",
      " a=b=",
      "... ",
      '"a b c',
      "",
    ]);
    const values = Array.from({ length: 1 + prng.below(3) }, () => prng.pick(makers));
    return () => before + prng.pick(values)(prng);
  });
  return () => parts.map((part) => part()).join("");
}

const makers: readonly ((prng: Prng) => string)[] = [
  (prng) => String(prng.below(1_000)),
  (prng) => `/a/${prng.pick(["b", "c=1", "d.", "e:"])}${prng.below(9)}`,
  (prng) => `${prng.below(9)}.${prng.pick(["", ".", ":", "=", "=x"])}`,
  (prng) => prng.pick(["word", "other", "-", "x.", ""]),
  (prng) => `"Agent/${prng.below(9)} (one; two) three${prng.pick(["", " four", "\nfive"])}"`,
  (prng) => `"${prng.pick(["a b c", "a b c d", "a b 1 d e", "/", "7 8"])}"`,
  (prng) => prng.pick(['"', '""', "\u0001", "é 1", "\n", "naïve7"]),
];

function valuesOf(texts: readonly Buffer[]): { bytes: Buffer; offsets: Uint32Array } {
  const offsets = new Uint32Array(texts.length + 1);
  for (const [i, text] of texts.entries()) offsets[i + 1] = offsets[i]! + text.length;
  return { bytes: Buffer.concat(texts), offsets };
}
