import type { Column } from "../../../kit/src/block.ts";
import type { FacetsPipe as FacetsNode } from "../language/pipe-node.ts";
import { BytesTable, type BytesTableData } from "../table/bytes-table.ts";
import { codeAt, ValuesColumn, valuesOf } from "../table/column.ts";
import { GrowingF64 } from "../table/growing.ts";
import { TableBlock } from "../table/table-block.ts";
import { View } from "../table/view.ts";
import { allRows, type GatherPipe, type Rows } from "./pipe.ts";

interface Counted {
  readonly values: BytesTable;
  readonly counts: GrowingF64;
}

interface FacetsPartial {
  readonly rows: number;
  readonly fields: readonly {
    readonly name: string;
    /** Undefined: the field is no facet. */
    readonly values: BytesTableData | undefined;
    readonly counts: Float64Array | undefined;
  }[];
}

/** `facets 10`: the most frequent values of every field that has few and short ones. */
export class FacetsPipe implements GatherPipe {
  readonly #node: FacetsNode;
  /** Undefined for a field that has too many values, or a long one: what it has is counted no more. */
  readonly #fields = new Map<string, Counted | undefined>();
  #rows = 0;

  constructor(node: FacetsNode) {
    this.#node = node;
  }

  get byteSize(): number {
    let bytes = 0;
    for (const [name, counted] of this.#fields) {
      bytes += 64 + 2 * name.length;
      if (counted !== undefined) bytes += counted.values.byteSize + counted.counts.byteSize;
    }
    return bytes;
  }

  add({ view, rows }: Rows): void {
    this.#rows += rows.length;
    for (const name of view.names) {
      if (this.#isOut(name)) continue;
      const column = view.column(name);
      if (column !== undefined) this.#addColumn(name, column, rows);
    }
  }

  export(): FacetsPartial {
    const fields = [...this.#fields].map(([name, counted]) => ({
      name,
      values: counted?.values.export(),
      counts: counted?.counts.export(),
    }));
    return { rows: this.#rows, fields };
  }

  merge(partial: unknown): void {
    const { rows, fields } = partial as FacetsPartial;
    this.#rows += rows;
    for (const { name, values, counts } of fields) {
      if (values === undefined || counts === undefined) this.#fields.set(name, undefined);
      else this.#mergeField(name, values, counts);
    }
  }

  finish(): Rows {
    const found: { name: string; value: string; hits: number }[] = [];
    for (const [name, counted] of [...this.#fields].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (counted !== undefined) found.push(...this.#facetsOf(name, counted));
    }
    const column = (texts: string[]) => new ValuesColumn("rows", valuesOf(texts));
    const columns = new Map([
      ["field_name", column(found.map(({ name }) => name))],
      ["field_value", column(found.map(({ value }) => value))],
      ["hits", column(found.map(({ hits }) => String(hits)))],
    ]);
    const view = View.table(new TableBlock({ rowCount: found.length, columns }));
    return { view, rows: allRows(found.length) };
  }

  #facetsOf(name: string, { values, counts }: Counted) {
    const { limit, keepConst } = this.#node;
    const facets = Array.from({ length: values.size }, (_, id) => ({
      name,
      value: values.text(id),
      hits: counts.at(id),
    }));
    const isConst = facets.length === 1 && facets[0]?.hits === this.#rows;
    if (isConst && !keepConst) return [];
    return facets.sort((a, b) => b.hits - a.hits || (a.value < b.value ? -1 : 1)).slice(0, limit);
  }

  #isOut(name: string): boolean {
    return this.#fields.has(name) && this.#fields.get(name) === undefined;
  }

  #addColumn(name: string, column: Column, rows: Uint32Array): void {
    const hits = new Uint32Array(column.valueCount);
    for (const row of rows) {
      const code = codeAt(column, row);
      hits[code] = (hits[code] as number) + 1;
    }
    const { bytes, offsets } = column.values();
    for (let code = 0; code < hits.length; code++) {
      const [from, to] = [offsets[code] as number, offsets[code + 1] as number];
      if (hits[code] === 0 || from === to) continue;
      if (!this.#count(name, bytes, { from, to }, hits[code] as number)) return;
    }
  }

  #mergeField(name: string, { bytes, offsets }: BytesTableData, counts: Float64Array): void {
    for (let id = 0; id < offsets.length - 1; id++) {
      const span = { from: offsets[id] as number, to: offsets[id + 1] as number };
      if (!this.#count(name, bytes, span, counts[id] ?? 0)) return;
    }
  }

  /** False once the field is no facet. */
  #count(
    name: string,
    bytes: Uint8Array,
    { from, to }: { readonly from: number; readonly to: number },
    hits: number,
  ): boolean {
    if (this.#isOut(name)) return false;
    const counted = this.#fields.get(name) ?? {
      values: new BytesTable(),
      counts: new GrowingF64(),
    };
    const { valuesMax, lengthMax } = this.#node;
    const id =
      to - from > lengthMax ? Number.POSITIVE_INFINITY : counted.values.intern(bytes, from, to);
    const isFacet = id < valuesMax;
    this.#fields.set(name, isFacet ? counted : undefined);
    if (!isFacet) return false;
    const counts = counted.counts.upTo(id + 1);
    counts[id] = (counts[id] as number) + hits;
    return true;
  }
}
