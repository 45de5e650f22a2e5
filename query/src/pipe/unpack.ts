import type { Column } from "../../../kit/src/block.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { FieldSelector } from "../language/ast.ts";
import type { UnpackPipe as UnpackNode } from "../language/pipe-node.ts";
import { unpackedFieldsMax } from "../limits.ts";
import { codeAt, textAt } from "../table/column.ts";
import { interrupt } from "../table/interrupt.ts";
import type { RowPipe, Rows } from "./pipe.ts";
import { fieldsOfSyslog } from "./syslog.ts";
import { fieldsOfJson, fieldsOfLogfmt } from "./unpack-text.ts";
import { columnLike, columnOfRows, eachValue } from "./values.ts";
import { rowsToUpdate, writeField } from "./write-field.ts";

/** `unpack_json from a fields (b, c.*) result_prefix "x_"`, `unpack_logfmt`, `unpack_syslog`. */
export class UnpackPipe implements RowPipe {
  readonly #node: UnpackNode;
  readonly #condition: RowPipe | undefined;

  /** `condition` narrows to the rows of `if (…)`. */
  constructor(node: UnpackNode, condition: RowPipe | undefined) {
    this.#node = node;
    this.#condition = condition;
  }

  apply({ view, rows }: Rows): Rows {
    const { from, fields, format } = this.#node;
    const updated = rowsToUpdate({ view, rows }, this.#condition);
    const source = view.column(from);
    const found = new FoundFields(fields, this.#node.prefix);
    let codeOf: (row: number) => number = () => 0;
    let layout: Column | undefined;
    if (source !== undefined && format === "syslog") {
      // A syslog time may lack its year, which the record's own time tells: each row for itself.
      codeOf = (row) => row;
      const { ms } = view.times();
      const offsetMs = this.#node.offset.ms;
      for (const row of updated) {
        interrupt.check();
        found.addAll(row, fieldsOfSyslog(textAt(source, row), ms[row] as number, offsetMs));
      }
    } else if (source !== undefined) {
      codeOf = (row) => codeAt(source, row);
      layout = source;
      const read = format === "json" ? fieldsOfJson : fieldsOfLogfmt;
      eachValue(source, updated, (text, code) => found.addAll(code, read(text)));
    }
    let written = view;
    for (const { name, texts, isNamed } of found.fields()) {
      const own = isNamed ? updated : updated.filter((row) => texts[codeOf(row)] !== undefined);
      const result =
        layout === undefined
          ? columnOfRows(view.rowCount, own, (row) => texts[codeOf(row)] ?? "")
          : columnLike(layout, texts);
      written = writeField(written, name, result, { rows, updated: own, rules: this.#node });
    }
    return { view: written, rows };
  }
}

interface FoundField {
  readonly name: string;
  /** By code; undefined where the text had no such field. */
  readonly texts: (string | undefined)[];
  /** The pipe names it, so that it is written also where it was not found. */
  readonly isNamed: boolean;
}

class FoundFields {
  readonly #selectors: readonly FieldSelector[];
  readonly #prefix: string;
  readonly #fields = new Map<string, FoundField>();

  constructor(selectors: readonly FieldSelector[], prefix: string) {
    this.#selectors = selectors;
    this.#prefix = prefix;
    for (const { name, prefix: isPrefix } of selectors) if (!isPrefix) this.#field(name, true);
  }

  addAll(code: number, found: Iterable<readonly [string, string]>): void {
    for (const [name, text] of found)
      if (this.#isWanted(name)) this.#field(name).texts[code] = text;
  }

  fields(): Iterable<FoundField> {
    return this.#fields.values();
  }

  #isWanted(name: string): boolean {
    if (this.#selectors.length === 0) return true;
    return this.#selectors.some((each) =>
      each.prefix ? name.startsWith(each.name) : name === each.name,
    );
  }

  #field(name: string, isNamed = false): FoundField {
    let field = this.#fields.get(name);
    if (field === undefined) {
      if (this.#fields.size >= unpackedFieldsMax) {
        throw new ServiceError(
          "query.memory",
          "too many fields are unpacked, name the ones wanted",
          {
            fieldsMax: unpackedFieldsMax,
          },
        );
      }
      field = { name: this.#prefix + name, texts: [], isNamed };
      this.#fields.set(name, field);
    }
    return field;
  }
}
