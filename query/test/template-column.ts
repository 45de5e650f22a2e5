import type { Column, Template, Templates } from "../../kit/src/block.ts";
import type { Prng } from "../../kit/src/prng.ts";
import { wordsOf } from "../../kit/src/tokens.ts";
import { ValuesColumn, valuesOf } from "../src/table/column.ts";

/** Texts stored as templates and variables, cut at random where no word is cut. */
export class TemplateColumn extends ValuesColumn {
  override readonly templates: Templates | undefined;

  constructor(texts: readonly string[], prng: Prng) {
    super("rows", valuesOf(texts));
    this.templates = new DrawnTemplates(texts, prng);
  }
}

/** One more literal than variables. */
interface Cut {
  readonly literals: readonly string[];
  readonly variables: readonly string[];
}

class DrawnTemplates implements Templates {
  readonly codes: Uint16Array;
  readonly templates: readonly Template[];
  readonly #groups: readonly Cut[][];
  readonly #words: ReadonlySet<string>;

  constructor(texts: readonly string[], prng: Prng) {
    const salt = prng.below(1000);
    const cuts = texts.map((text) => cutText(text, salt, prng));
    const keys = cuts.map(({ literals }) => JSON.stringify(literals));
    const distinct = [...new Set(keys)];
    this.codes = Uint16Array.from(keys, (key) => distinct.indexOf(key));
    this.#groups = distinct.map((key) => cuts.filter((_, row) => keys[row] === key));
    this.templates = this.#groups.map((rows) => ({
      literals: (rows[0] as Cut).literals.map((literal) => Buffer.from(literal)),
      rowCount: rows.length,
    }));
    this.#words = new Set(cuts.flatMap(({ variables }) => variables.flatMap(wordsOf)));
  }

  /** Those that hold them, and some that do not. */
  templatesHolding(bytes: Buffer): ReadonlySet<number> {
    const found = new Set<number>();
    for (const [template, { literals }] of this.templates.entries()) {
      if (template % 5 === 0 || literals.some((each) => each.includes(bytes))) found.add(template);
    }
    return found;
  }

  variablesMayContain(tokens: readonly string[]): boolean {
    return tokens.every((token) => this.#words.has(token));
  }

  /** Those that hold them, and some that do not; or nothing is known. */
  variablesHolding(bytes: Buffer): ReadonlyMap<number, readonly number[]> | undefined {
    if (this.codes.length % 3 === 0) return undefined;
    const found = new Map<number, number[]>();
    for (const [template, rows] of this.#groups.entries()) {
      const count = (rows[0] as Cut).variables.length;
      const held = Array.from({ length: count }, (_, index) => index).filter(
        (index) =>
          (template + index) % 7 === 0 ||
          rows.some(({ variables }) => (variables[index] as string).includes(bytes.toString())),
      );
      if (held.length > 0) found.set(template, held);
    }
    return found;
  }

  variable(template: number, index: number): Column {
    const rows = this.#groups[template] as readonly Cut[];
    const texts = rows.map(({ variables }) => variables[index] as string);
    const distinct = [...new Set(texts)];
    if (distinct.length === 1) return new ValuesColumn("const", valuesOf(distinct));
    if (index % 2 === 0) return new ValuesColumn("rows", valuesOf(texts));
    const codes = Uint16Array.from(texts, (text) => distinct.indexOf(text));
    return new ValuesColumn("dict", valuesOf(distinct), codes);
  }
}

const runs = /[\w\u0080-\u{10ffff}]+|[^\w\u0080-\u{10ffff}]+/gu;

/** The same runs are cut alike in texts of one column, so that templates have many rows. */
function cutText(text: string, salt: number, prng: Prng): Cut {
  if (prng.chance(0.05)) return { literals: ["", ""], variables: [text] };
  const literals = [""];
  const variables: string[] = [];
  let wasVariable = false;
  for (const run of text.match(runs) ?? []) {
    const isVariable = (run.length * 7 + (run.codePointAt(0) ?? 0) + salt) % 3 === 0;
    if (!isVariable) literals[literals.length - 1] += run;
    else if (wasVariable && salt % 2 === 0) variables[variables.length - 1] += run;
    else {
      variables.push(run);
      literals.push("");
    }
    wasVariable = isVariable;
    if (prng.chance(0.03)) {
      variables.push("");
      literals.push("");
      wasVariable = false;
    }
  }
  return { literals, variables };
}
