import type { Column } from "../../../kit/src/block.ts";
import type { FieldPair, FieldSelector } from "../language/ast.ts";
import type { View } from "../table/view.ts";
import type { RowPipe, Rows } from "./pipe.ts";

/** `fields a, b.*`: only these, in this order. */
export class FieldsPipe implements RowPipe {
  readonly #fields: readonly FieldSelector[];

  constructor(fields: readonly FieldSelector[]) {
    this.#fields = fields;
  }

  apply({ view, rows }: Rows): Rows {
    const names = this.#fields.flatMap((field) => {
      const found = matching(view, field);
      // A table shows what was asked for, found or not.
      return found.length === 0 && view.shape === "table" && !field.prefix ? [field.name] : found;
    });
    return { view: view.only([...new Set(names)]), rows };
  }
}

/** `delete a, b.*`. */
export class DeletePipe implements RowPipe {
  readonly #fields: readonly FieldSelector[];

  constructor(fields: readonly FieldSelector[]) {
    this.#fields = fields;
  }

  apply({ view, rows }: Rows): Rows {
    return { view: without(view, this.#fields), rows };
  }
}

/** `copy a as b`: pairs one after the other. */
export class CopyPipe implements RowPipe {
  readonly #pairs: readonly FieldPair[];

  constructor(pairs: readonly FieldPair[]) {
    this.#pairs = pairs;
  }

  apply({ view, rows }: Rows): Rows {
    for (const { from, to } of this.#pairs) {
      if (from !== to) view = put(view, to, view.column(from));
    }
    return { view, rows };
  }
}

/** `rename a as b`: pairs one after the other; the new name stands where the old one stood. */
export class RenamePipe implements RowPipe {
  readonly #pairs: readonly FieldPair[];

  constructor(pairs: readonly FieldPair[]) {
    this.#pairs = pairs;
  }

  apply({ view, rows }: Rows): Rows {
    for (const { from, to } of this.#pairs) {
      if (from === to) continue;
      const column = view.column(from);
      const at = view.names.indexOf(from);
      const names = view.names.filter((name) => name !== to);
      const renamed = names.map((name) => (name === from ? to : name));
      view = put(view, to, column).only(at < 0 ? [...names, to] : renamed);
    }
    return { view, rows };
  }
}

function matching(view: View, { name, prefix }: FieldSelector): string[] {
  return view.names.filter((each) => (prefix ? each.startsWith(name) : each === name));
}

function without(view: View, fields: readonly FieldSelector[]): View {
  const gone = new Set(fields.flatMap((field) => matching(view, field)));
  return view.only(view.names.filter((name) => !gone.has(name)));
}

/** A record that lacks the source loses the target; a table keeps it, empty. */
function put(view: View, name: string, column: Column | undefined): View {
  const changed = view.with(name, column);
  return column === undefined && view.shape === "records"
    ? without(changed, [{ name, prefix: false }])
    : changed;
}
