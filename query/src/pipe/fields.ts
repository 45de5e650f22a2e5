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
    for (const pair of this.#pairs) {
      const before = view;
      for (const { from, to } of spelledOut(view, pair)) {
        if (from !== to) view = put(view, to, before.column(from));
      }
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
    for (const pair of this.#pairs) {
      view = pair.prefix === true ? renamedAll(view, pair) : renamed(view, pair);
    }
    return { view, rows };
  }
}

function renamed(view: View, { from, to }: FieldPair): View {
  if (from === to) return view;
  const column = view.column(from);
  const at = view.names.indexOf(from);
  const names = view.names.filter((name) => name !== to);
  const kept = names.map((name) => (name === from ? to : name));
  return put(view, to, column).only(at < 0 ? [...names, to] : kept);
}

/** All at once, so that a name may be both an old and a new one. */
function renamedAll(view: View, pair: FieldPair): View {
  const pairs = spelledOut(view, pair);
  const newName = new Map(pairs.map(({ from, to }) => [from, to]));
  const taken = new Set(newName.values());
  const names = view.names.filter((name) => newName.has(name) || !taken.has(name));
  const written = pairs.reduce((made, { from, to }) => made.with(to, view.column(from)), view);
  return written.only([...new Set(names.map((name) => newName.get(name) ?? name))]);
}

/** A pair of beginnings as the pairs of names that it stands for. */
function spelledOut(view: View, { from, to, prefix }: FieldPair): readonly FieldPair[] {
  if (prefix !== true) return [{ from, to }];
  return matching(view, { name: from, prefix }).map((name) => ({
    from: name,
    to: to + name.slice(from.length) || "_msg",
  }));
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
