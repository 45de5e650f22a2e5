import type { Column } from "../../../kit/src/block.ts";
import type { ExtractPipe as ExtractNode, ExtractPattern } from "../language/ast.ts";
import { codeAt, ValuesBuilder, ValuesColumn } from "../table/column.ts";
import { overlay } from "./overlay.ts";
import type { RowPipe, Rows } from "./pipe.ts";

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
    const { from, keepOriginal, skipEmpty } = this.#node;
    const updated = this.#condition?.apply({ view, rows }).rows ?? rows;
    const source = view.column(from);
    const results = source === undefined ? undefined : this.#extract(source, updated);
    const replacesAll = !keepOriginal && !skipEmpty && this.#condition === undefined;
    const when = (oldIsEmpty: boolean, newIsEmpty: boolean) =>
      !(keepOriginal && !oldIsEmpty) && !(skipEmpty && newIsEmpty);
    const before = view;
    for (const [i, field] of this.#fields.entries()) {
      const original = before.column(field);
      const result = results?.[i] ?? emptyColumn();
      const column = replacesAll
        ? result
        : overlay(original, result, { rowCount: view.rowCount, rows, updated, when });
      view = view.with(field, column);
    }
    return { view, rows };
  }

  /** A column a field, of the source's layout; values that no row has stay empty. */
  #extract(source: Column, rows: Uint32Array): Column[] {
    const used = new Uint8Array(source.valueCount);
    for (const row of rows) used[codeAt(source, row)] = 1;
    const { bytes, offsets } = source.values();
    const builders = this.#fields.map(() => new ValuesBuilder(source.valueCount));
    const found = new Map<string, string>();
    for (let code = 0; code < used.length; code++) {
      found.clear();
      if (used[code] === 1) {
        const text = bytes.toString("utf8", offsets[code] as number, offsets[code + 1] as number);
        extractInto(found, text, this.#node.pattern);
      }
      for (const [i, builder] of builders.entries()) {
        builder.pushText(found.get(this.#fields[i] as string) ?? "");
      }
    }
    return builders.map(
      (builder) => new ValuesColumn(source.layout, builder.finish(), source.codes),
    );
  }
}

function emptyColumn(): Column {
  const builder = new ValuesBuilder();
  builder.pushText("");
  return new ValuesColumn("const", builder.finish());
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

const quotedText = /"(?:[^"\\]|\\.)*"|`[^`]*`/y;

/** The quoted string that starts at `at`, without its quotes; undefined when there is none. */
function quotedAt(text: string, at: number): { value: string; end: number } | undefined {
  quotedText.lastIndex = at;
  const quoted = quotedText.exec(text)?.[0];
  if (quoted === undefined) return undefined;
  const end = at + quoted.length;
  if (quoted.startsWith("`")) return { value: quoted.slice(1, -1), end };
  try {
    return { value: JSON.parse(quoted) as string, end };
  } catch {
    return undefined;
  }
}
