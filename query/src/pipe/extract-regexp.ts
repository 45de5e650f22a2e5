import type { Column } from "../../../kit/src/block.ts";
import type { ExtractRegexpPipe as ExtractRegexpNode } from "../language/pipe-node.ts";
import { Pattern, regexGroups } from "../regex/pattern.ts";
import type { RowPipe, Rows } from "./pipe.ts";
import { columnLike, eachValue } from "./values.ts";
import { rowsToUpdate, writeField } from "./write-field.ts";

/** `extract_regexp "(?P<ip>[0-9.]+)" from _msg`: the first match of each distinct value. */
export class ExtractRegexpPipe implements RowPipe {
  readonly #node: ExtractRegexpNode;
  readonly #condition: RowPipe | undefined;
  readonly #pattern: Pattern;
  readonly #groups: readonly string[];

  /** `condition` narrows to the rows of `if (…)`. Throws `query.invalid` for what is no pattern. */
  constructor(node: ExtractRegexpNode, condition: RowPipe | undefined) {
    this.#node = node;
    this.#condition = condition;
    this.#pattern = new Pattern(node.pattern);
    this.#groups = regexGroups(node.pattern);
  }

  apply({ view, rows }: Rows): Rows {
    const updated = rowsToUpdate({ view, rows }, this.#condition);
    const source = view.column(this.#node.from);
    const results = source === undefined ? undefined : this.#extract(source, updated);
    let written = view;
    for (const [i, field] of this.#groups.entries()) {
      written = writeField(written, field, results?.[i], { rows, updated, rules: this.#node });
    }
    return { view: written, rows };
  }

  #extract(source: Column, rows: Uint32Array): Column[] {
    const texts = this.#groups.map(() => new Array<string | undefined>(source.valueCount));
    const literal = this.#pattern.literal?.text ?? "";
    eachValue(source, rows, (text, code) => {
      if (!text.includes(literal)) return;
      for (const match of this.#pattern.matches(text)) {
        for (const [i, group] of this.#groups.entries()) {
          (texts[i] as (string | undefined)[])[code] = match.group(group);
        }
        return;
      }
    });
    return texts.map((each) => columnLike(source, each));
  }
}
