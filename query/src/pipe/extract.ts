import type { Column } from "../../../kit/src/block.ts";
import type { ExtractPipe as ExtractNode, ExtractPattern } from "../language/ast.ts";
import type { RowPipe, Rows } from "./pipe.ts";
import { quotedAt } from "./quoted-value.ts";
import { columnLike, eachValue } from "./values.ts";
import { rowsToUpdate, writeField } from "./write-field.ts";

/** `extract "user=<user> id=<_>" from _msg`: looks at each distinct value of the source once. */
export class ExtractPipe implements RowPipe {
  readonly #node: ExtractNode;
  readonly #condition: RowPipe | undefined;
  readonly #fields: readonly string[];

  /** `condition` narrows to the rows of `if (…)`. */
  constructor(node: ExtractNode, condition: RowPipe | undefined) {
    this.#node = node;
    this.#condition = condition;
    const named = node.pattern.steps.map(({ field }) => field);
    this.#fields = [...new Set(named.filter((field) => field !== undefined))];
  }

  apply({ view, rows }: Rows): Rows {
    const updated = rowsToUpdate({ view, rows }, this.#condition);
    const source = view.column(this.#node.from);
    const results = source === undefined ? undefined : this.#extract(source, updated);
    let written = view;
    for (const [i, field] of this.#fields.entries()) {
      written = writeField(written, field, results?.[i], { rows, updated, rules: this.#node });
    }
    return { view: written, rows };
  }

  /** A column a field, of the source's layout; values that no row has stay empty. */
  #extract(source: Column, rows: Uint32Array): Column[] {
    const texts = this.#fields.map(() => new Array<string | undefined>(source.valueCount));
    const found = new Map<string, string>();
    eachValue(source, rows, (text, code) => {
      found.clear();
      extractInto(found, text, this.#node.pattern);
      for (const [i, field] of this.#fields.entries()) {
        (texts[i] as (string | undefined)[])[code] = found.get(field);
      }
    });
    return texts.map((each) => columnLike(source, each));
  }
}

/** What the pattern finds up to where it stops to match; nothing where its first literal is not found. */
function extractInto(found: Map<string, string>, text: string, pattern: ExtractPattern): void {
  const { steps, tail } = pattern;
  let at = 0;
  for (const [i, { literal, field, plain }] of steps.entries()) {
    if (i === 0) {
      const start = text.indexOf(literal);
      if (start < 0) return;
      at = start;
    } else if (!text.startsWith(literal, at)) {
      return;
    }
    at += literal.length;
    const next = steps[i + 1]?.literal ?? tail;
    const quoted = plain ? undefined : quotedAt(text, at);
    if (quoted !== undefined && text.startsWith(next, quoted.end)) {
      if (field !== undefined) found.set(field, quoted.value);
      at = quoted.end;
      continue;
    }
    const end = next === "" ? text.length : text.indexOf(next, at);
    if (end < 0) return;
    if (field !== undefined) found.set(field, text.slice(at, end));
    at = end;
  }
}
