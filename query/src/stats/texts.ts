import { valuesMax } from "../limits.ts";
import { textAt } from "../table/column.ts";
import { numberOfText } from "../table/number.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";
import { UniqTuples } from "./uniq.ts";

/**
 * `uniq_values(a, b)`: the distinct values that are not empty, as a JSON array, numbers first in their order, then texts
 * in theirs; at most `limit`, the first ones.
 */
export class UniqValuesState implements StatsState {
  readonly #fields: readonly UniqTuples[];
  readonly #limit: number;

  constructor(fields: readonly string[], limit: number | undefined) {
    this.#fields = fields.map((field) => new UniqTuples([field]));
    this.#limit = Math.min(limit ?? valuesMax, valuesMax);
  }

  get byteSize(): number {
    return this.#fields.reduce((sum, tuples) => sum + tuples.byteSize, 0);
  }

  add(view: View, rows: GroupedRows): void {
    for (const tuples of this.#fields) tuples.add(view, rows);
  }

  export(): StatsPartial {
    const fields = this.#fields.map((tuples) => tuples.export());
    return { function: "uniq-values", data: { fields } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["fields"] as readonly Readonly<Record<string, unknown>>[];
    for (const [i, tuples] of this.#fields.entries()) tuples.merge(theirs[i] ?? {}, groupOf);
  }

  finish(group: number): string {
    const texts = new Set(this.#fields.flatMap((tuples) => [...tuples.texts(group)]));
    return JSON.stringify([...texts].sort(naturalOrder).slice(0, this.#limit));
  }
}

/** Empty, then numbers by size, then texts by their bytes. */
export function naturalOrder(a: string, b: string): number {
  const [x, y] = [numberOfText(a), numberOfText(b)];
  const [rankA, rankB] = [rankOf(a, x), rankOf(b, y)];
  if (rankA !== rankB) return rankA - rankB;
  if (rankA === 1 && x !== y) return x - y;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function rankOf(text: string, number: number): number {
  if (text === "") return 0;
  return Number.isNaN(number) ? 2 : 1;
}

/**
 * `values(a, b)`: the values of all rows, empty ones too, as a JSON array, up to `limit`; in no certain order, since workers
 * take parts as they come.
 */
export class ValuesState implements StatsState {
  readonly #fields: readonly string[];
  readonly #limit: number;
  readonly #groups: string[][] = [];
  #byteSize = 0;

  constructor(fields: readonly string[], limit: number | undefined) {
    this.#fields = fields;
    this.#limit = Math.min(limit ?? valuesMax, valuesMax);
  }

  get byteSize(): number {
    return this.#byteSize;
  }

  add(view: View, { rows, groups }: GroupedRows): void {
    for (const field of this.#fields) {
      const column = view.column(field);
      for (let i = 0; i < rows.length; i++) {
        const group = groups === undefined ? 0 : (groups[i] as number);
        this.#keep(group, textAt(column, rows[i] as number));
      }
    }
  }

  export(): StatsPartial {
    return { function: "values", data: { groups: this.#groups } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["groups"] as readonly (readonly string[] | undefined)[];
    for (let i = 0; i < theirs.length; i++) {
      for (const text of theirs[i] ?? []) this.#keep(groupOf[i] as number, text);
    }
  }

  finish(group: number): string {
    return JSON.stringify(this.#groups[group] ?? []);
  }

  #keep(group: number, text: string): void {
    let texts = this.#groups[group];
    if (texts === undefined) {
      texts = [];
      this.#groups[group] = texts;
    }
    if (texts.length >= this.#limit) return;
    texts.push(text);
    this.#byteSize += 24 + 2 * text.length;
  }
}

/**
 * `row_any(a, b)`: some row of the group as a JSON object of its fields that are not empty, all of
 * them when none is named.
 */
export class RowAnyState implements StatsState {
  readonly #fields: readonly string[];
  readonly #rows: (string | undefined)[] = [];
  #byteSize = 0;

  constructor(fields: readonly string[]) {
    this.#fields = fields;
  }

  get byteSize(): number {
    return this.#byteSize;
  }

  add(view: View, { rows, groups }: GroupedRows): void {
    const names = this.#fields.length > 0 ? this.#fields : view.names;
    for (let i = 0; i < rows.length; i++) {
      const group = groups === undefined ? 0 : (groups[i] as number);
      if (this.#rows[group] !== undefined) {
        if (groups === undefined) return;
        continue;
      }
      const found = names
        .map((name) => [name, textAt(view.column(name), rows[i] as number)] as const)
        .filter(([, text]) => text !== "");
      this.#keep(group, JSON.stringify(Object.fromEntries(found)));
    }
  }

  export(): StatsPartial {
    return { function: "row-any", data: { rows: this.#rows } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["rows"] as readonly (string | undefined)[];
    for (let i = 0; i < theirs.length; i++) {
      const row = theirs[i];
      const group = groupOf[i] as number;
      if (row !== undefined && this.#rows[group] === undefined) this.#keep(group, row);
    }
  }

  finish(group: number): string {
    return this.#rows[group] ?? "{}";
  }

  #keep(group: number, row: string): void {
    this.#rows[group] = row;
    this.#byteSize += 24 + 2 * row.length;
  }
}
