import type { Column } from "../../../kit/src/block.ts";
import { BytesTable, type BytesTableData } from "../table/bytes-table.ts";
import { codeAt } from "../table/column.ts";
import { GrowingF64 } from "../table/growing.ts";
import { TupleTable } from "../table/tuple-table.ts";
import type { View } from "../table/view.ts";
import type { GroupedRows, StatsPartial, StatsState } from "./function.ts";

/**
 * The distinct tuples of fields in each group, the tuple of empty values left out: values are kept
 * once a field, tuples as their numbers. What `count_uniq` and `uniq_values` stand on. Exact; the
 * query's memory bound is the only limit.
 */
export class UniqTuples {
  readonly #fields: readonly string[];
  readonly #values: BytesTable[];
  readonly #tuples: TupleTable;
  readonly #counts = new GrowingF64();
  /** Made when results are asked for, which is after the last row. */
  #idsOfGroups: number[][] | undefined;

  constructor(fields: readonly string[]) {
    this.#fields = fields;
    this.#values = fields.map(() => new BytesTable());
    this.#tuples = new TupleTable(fields.length + 1);
    for (const table of this.#values) table.internText("");
  }

  get byteSize(): number {
    const values = this.#values.reduce((sum, table) => sum + table.byteSize, 0);
    return values + this.#tuples.byteSize + this.#counts.byteSize;
  }

  add(view: View, { rows, groups, groupCount }: GroupedRows): void {
    this.#counts.upTo(groupCount);
    const sources = this.#fields.map((field, i) => {
      const column = view.column(field);
      const ids = new Int32Array(column?.valueCount ?? 0).fill(-1);
      return { column, ids, table: this.#values[i] as BytesTable };
    });
    const tuple = new Uint32Array(sources.length + 1);
    for (let i = 0; i < rows.length; i++) {
      tuple[0] = groups === undefined ? 0 : (groups[i] as number);
      let any = 0;
      for (let f = 0; f < sources.length; f++) {
        const { column, ids, table } = sources[f] as (typeof sources)[number];
        const id = column === undefined ? 0 : valueId(column, rows[i] as number, ids, table);
        tuple[f + 1] = id;
        any |= id;
      }
      if (any !== 0) this.#addTuple(tuple);
    }
  }

  export(): Readonly<Record<string, unknown>> {
    return { values: this.#values.map((table) => table.export()), tuples: this.#tuples.export() };
  }

  merge(data: Readonly<Record<string, unknown>>, groupOf: Uint32Array): void {
    const values = data["values"] as readonly BytesTableData[];
    const ids = values.map((theirs, i) => (this.#values[i] as BytesTable).merge(theirs));
    const tuples = data["tuples"] as Uint32Array;
    const { width } = this.#tuples;
    const tuple = new Uint32Array(width);
    for (let at = 0; at < tuples.length; at += width) {
      tuple[0] = groupOf[tuples[at] as number] as number;
      for (let f = 1; f < width; f++) {
        tuple[f] = (ids[f - 1] as Uint32Array)[tuples[at + f] as number] as number;
      }
      this.#addTuple(tuple);
    }
  }

  /** How many tuples a group has. */
  count(group: number): number {
    return this.#counts.at(group);
  }

  /** The values that a group has of the only field. */
  texts(group: number): string[] {
    this.#idsOfGroups ??= this.#groupedIds();
    const ids = this.#idsOfGroups[group] ?? [];
    return ids.map((id) => (this.#values[0] as BytesTable).text(id));
  }

  #groupedIds(): number[][] {
    const grouped: number[][] = [];
    for (let at = 0; at < this.#tuples.size; at++) {
      const group = this.#tuples.part(at, 0);
      const ids = grouped[group] ?? [];
      ids.push(this.#tuples.part(at, 1));
      grouped[group] = ids;
    }
    return grouped;
  }

  #addTuple(tuple: Uint32Array): void {
    const before = this.#tuples.size;
    if (this.#tuples.intern(tuple) < before) return;
    this.#idsOfGroups = undefined;
    const group = tuple[0] as number;
    const counts = this.#counts.upTo(group + 1);
    counts[group] = (counts[group] as number) + 1;
  }
}

function valueId(column: Column, row: number, ids: Int32Array, table: BytesTable): number {
  const code = codeAt(column, row);
  const known = ids[code] as number;
  if (known >= 0) return known;
  const { bytes, offsets } = column.values();
  const id = table.intern(bytes, offsets[code] as number, offsets[code + 1] as number);
  ids[code] = id;
  return id;
}

/** `count_uniq(a, b)`: distinct tuples that are not all empty, at most `limit`. */
export class CountUniqState implements StatsState {
  readonly #tuples: UniqTuples;
  readonly #limit: number;

  constructor(fields: readonly string[], limit: number | undefined) {
    this.#tuples = new UniqTuples(fields);
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
  }

  get byteSize(): number {
    return this.#tuples.byteSize;
  }

  add(view: View, rows: GroupedRows): void {
    this.#tuples.add(view, rows);
  }

  export(): StatsPartial {
    return { function: "uniq", data: this.#tuples.export() };
  }

  merge(partial: StatsPartial, groupOf: Uint32Array): void {
    this.#tuples.merge(partial.data, groupOf);
  }

  finish(group: number): string {
    return String(Math.min(this.#tuples.count(group), this.#limit));
  }
}
