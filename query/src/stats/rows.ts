import { parseNumeric } from "../language/numeric.ts";
import { valuesMax } from "../limits.ts";
import { textAt } from "../table/column.ts";
import { numberOfText } from "../table/number.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/** Which of a view's fields a function looks at. */
export type NamesOf = (view: View) => readonly string[];

/** A row as a JSON object of its fields that are not empty. */
function printRow(view: View, row: number, names: readonly string[]): string {
  const found = names
    .map((name) => [name, textAt(view.column(name), row)] as const)
    .filter(([, text]) => text !== "");
  return JSON.stringify(Object.fromEntries(found));
}

/** `json_values(a, b) limit 3`: rows as a JSON array of texts, each a JSON object; in no certain order. */
export class JsonValuesState implements StatsState {
  readonly #namesOf: NamesOf;
  readonly #limit: number;
  readonly #groups: string[][] = [];
  #byteSize = 0;

  constructor(namesOf: NamesOf, limit: number | undefined) {
    this.#namesOf = namesOf;
    this.#limit = Math.min(limit ?? valuesMax, valuesMax);
  }

  get byteSize(): number {
    return this.#byteSize;
  }

  add(view: View, { rows, groups }: GroupedRows): void {
    const names = this.#namesOf(view);
    for (let i = 0; i < rows.length; i++) {
      const group = groups === undefined ? 0 : (groups[i] as number);
      if (this.#isFull(group)) continue;
      this.#keep(group, printRow(view, rows[i] as number, names));
    }
  }

  export(): StatsPartial {
    return { function: "json-values", data: { groups: this.#groups } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["groups"] as readonly (readonly string[] | undefined)[];
    for (const [i, texts] of theirs.entries()) {
      for (const text of texts ?? []) this.#keep(groupOf[i] as number, text);
    }
  }

  finish(group: number): string {
    return JSON.stringify(this.#groups[group] ?? []);
  }

  #isFull(group: number): boolean {
    return (this.#groups[group]?.length ?? 0) >= this.#limit;
  }

  #keep(group: number, text: string): void {
    if (this.#isFull(group)) return;
    const texts = this.#groups[group] ?? [];
    texts.push(text);
    this.#groups[group] = texts;
    this.#byteSize += 24 + 2 * text.length;
  }
}

interface Best {
  readonly key: string;
  readonly row: string;
}

/**
 * `row_max(a, b, c)` and `row_min(a, …)`: the row whose first field is the largest or smallest, numbers before texts, as a JSON object of
 * the other fields, all of them when none is named. Rows without the field do not count.
 */
export class RowExtremeState implements StatsState {
  readonly #field: string;
  readonly #namesOf: NamesOf;
  readonly #sign: 1 | -1;
  readonly #best: (Best | undefined)[] = [];
  #byteSize = 0;

  constructor(field: string, namesOf: NamesOf, sign: 1 | -1) {
    this.#field = field;
    this.#namesOf = namesOf;
    this.#sign = sign;
  }

  get byteSize(): number {
    return this.#byteSize;
  }

  add(view: View, { rows, groups }: GroupedRows): void {
    const column = view.column(this.#field);
    if (column === undefined) return;
    let names: readonly string[] | undefined;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const group = groups === undefined ? 0 : (groups[i] as number);
      const key = textAt(column, row);
      if (!this.#isBetter(group, key)) continue;
      names ??= this.#namesOf(view);
      this.#keep(group, { key, row: printRow(view, row, names) });
    }
  }

  export(): StatsPartial {
    return { function: "row-extreme", data: { best: this.#best } };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    const theirs = partial.data["best"] as readonly (Best | undefined)[];
    for (const [i, best] of theirs.entries()) {
      const group = groupOf[i] as number;
      if (best !== undefined && this.#isBetter(group, best.key)) this.#keep(group, best);
    }
  }

  finish(group: number): string {
    return this.#best[group]?.row ?? "{}";
  }

  #isBetter(group: number, key: string): boolean {
    if (key === "") return false;
    const best = this.#best[group];
    return best === undefined || compareKeys(key, best.key) * this.#sign > 0;
  }

  #keep(group: number, best: Best): void {
    const before = this.#best[group];
    this.#byteSize += 2 * (best.row.length - (before?.row.length ?? -48));
    this.#best[group] = best;
  }
}

/** By number when both are one, else by bytes. */
function compareKeys(a: string, b: string): number {
  const difference = numberIn(a) - numberIn(b);
  if (!Number.isNaN(difference)) return difference;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function numberIn(text: string): number {
  const plain = numberOfText(text);
  return Number.isNaN(plain) ? (parseNumeric(text) ?? Number.NaN) : plain;
}
