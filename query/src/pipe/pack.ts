import type { FieldSelector } from "../language/ast.ts";
import type { PackPipe as PackNode } from "../language/pipe-node.ts";
import { textAt } from "../table/column.ts";
import type { View } from "../table/view.ts";
import type { RowPipe, Rows } from "./pipe.ts";
import { columnOfRows } from "./values.ts";
import { overwrite, writeField } from "./write-field.ts";

type NamedTexts = readonly (readonly [string, string])[];

/** `pack_json fields (a, b.*) as c`, `pack_logfmt`. */
export class PackPipe implements RowPipe {
  readonly #node: PackNode;

  constructor(node: PackNode) {
    this.#node = node;
  }

  apply({ view, rows }: Rows): Rows {
    const { format, fields, as } = this.#node;
    const names = fields.length === 0 ? view.names : selectedNames(view, fields);
    const columns = names.map((name) => ({ name, column: view.column(name) }));
    const print = format === "json" ? printJson : printLogfmt;
    const result = columnOfRows(view.rowCount, rows, (row) =>
      print(columns.map(({ name, column }) => [name, textAt(column, row)])),
    );
    const to = { rows, updated: rows, rules: overwrite };
    return { view: writeField(view, as, result, to), rows };
  }
}

/** Names that are written out count also where no row has them; a beginning takes those that there are. */
export function selectedNames(view: View, fields: readonly FieldSelector[]): readonly string[] {
  const names = fields.flatMap(({ name, prefix }) =>
    prefix ? view.names.filter((each) => each.startsWith(name)) : [name],
  );
  return [...new Set(names)];
}

/** The fields that have a value, as a JSON object of texts. */
export function printJson(fields: NamedTexts): string {
  const filled = fields.filter(([, text]) => text !== "");
  return `{${filled.map(([name, text]) => `${JSON.stringify(name)}:${JSON.stringify(text)}`).join(",")}}`;
}

function printLogfmt(fields: NamedTexts): string {
  return fields.map(([name, text]) => `${logfmtText(name)}=${logfmtText(text)}`).join(" ");
}

function logfmtText(text: string): string {
  return /[\s"=\\\p{Cc}]/u.test(text) ? JSON.stringify(text) : text;
}
