import type { ValueCounts, Values } from "../../../kit/src/block.ts";
import type { GroupKey } from "../language/ast.ts";
import { directGroupsMax } from "../limits.ts";
import { BytesTable, type BytesTableData } from "./bytes-table.ts";
import { codesInto, combineCodes, countCodes } from "./codes.ts";
import { type KeyColumn, keyCodeAt, keyColumnOf } from "./group-key.ts";
import { TupleTable } from "./tuple-table.ts";
import type { View } from "./view.ts";

/** The groups of a partial as plain data: group g has value `tuples[g × keys + k]` of key k. */
export interface GrouperData {
  readonly size: number;
  readonly values: readonly BytesTableData[];
  readonly tuples: Uint32Array;
}

/** Groups with how many rows each has; a group may come more than once. `groups` undefined: group 0. */
export interface Tally {
  readonly groups: Uint32Array | undefined;
  readonly hits: Float64Array;
}

/**
 * Numbers the groups that rows fall into. Values are interned once a block and dictionary entry, never once a
 * row; a group of several keys is a tuple of value numbers.
 */
export class Grouper {
  readonly #keys: readonly GroupKey[];
  readonly #values: readonly BytesTable[];
  readonly #tuples: TupleTable;
  readonly #tuple: Uint32Array;
  #direct = new Int32Array(0);

  constructor(keys: readonly GroupKey[]) {
    this.#keys = keys;
    this.#values = keys.map(() => new BytesTable());
    this.#tuples = new TupleTable(keys.length);
    this.#tuple = new Uint32Array(keys.length);
  }

  /** Groups so far; without keys there is one, rows or not. */
  get size(): number {
    if (this.#keys.length === 0) return 1;
    // With one key its values are the groups.
    return this.#keys.length === 1 ? (this.#values[0] as BytesTable).size : this.#tuples.size;
  }

  get byteSize(): number {
    const values = this.#values.reduce((sum, table) => sum + table.byteSize, 0);
    return values + this.#tuples.byteSize;
  }

  /** The group of each of the rows; undefined: there are no keys and all are of group 0. */
  groupsOf(view: View, rows: Uint32Array): Uint32Array | undefined {
    if (this.#keys.length === 0) return undefined;
    const columns = this.#keys.map((key) => keyColumnOf(view, key, rows));
    const groups = new Uint32Array(rows.length);
    const isWhole = rows.length === view.rowCount;
    if (columns.length === 1) {
      this.#groupsOfOne(columns[0] as KeyColumn, rows, isWhole, groups);
      return groups;
    }
    const combinations = combinationsOf(columns);
    if (combinations > directGroupsMax) this.#groupsHashed(columns, rows, groups);
    else {
      combinationsInto(columns, rows, isWhole, groups);
      this.#groupsDirect(columns, groups, combinations);
    }
    return groups;
  }

  /** How many of the rows each group has. Cheaper than `groupsOf` where nothing but counts is wanted. */
  tally(view: View, rows: Uint32Array): Tally {
    const [first] = this.#keys;
    if (first === undefined) return { groups: undefined, hits: Float64Array.of(rows.length) };
    const isWhole = rows.length === view.rowCount;
    if (this.#keys.length === 1 && first.bucket === undefined && isWhole) {
      const known = view.valueCounts(first.field);
      if (known !== undefined) return this.#tallyKnown(known);
    }
    const columns = this.#keys.map((key) => keyColumnOf(view, key, rows));
    const combinations = combinationsOf(columns);
    // Counting costs a look at every combination, also of those that no row has.
    const isDirect = combinations <= Math.min(directGroupsMax, 2 * rows.length + 1024);
    if (!isDirect || columns.some(({ layout }) => layout === "rows")) {
      const groups = this.groupsOf(view, rows) as Uint32Array;
      return { groups, hits: new Float64Array(rows.length).fill(1) };
    }
    const counts = new Uint32Array(combinations);
    if (combinations === 1) counts[0] = rows.length;
    else {
      const codes = new Uint32Array(rows.length);
      combinationsInto(columns, rows, isWhole, codes);
      countCodes(codes, counts);
    }
    return this.#tallyOf(columns, counts);
  }

  export(): GrouperData {
    return {
      size: this.size,
      values: this.#values.map((table) => table.export()),
      tuples: this.#keys.length > 1 ? this.#tuples.export() : new Uint32Array(0),
    };
  }

  /** Takes a partial's groups in; element i is the number here of its group i. */
  merge(data: GrouperData): Uint32Array {
    const ids = data.values.map((values, k) => (this.#values[k] as BytesTable).merge(values));
    const [first] = ids;
    if (first === undefined) return new Uint32Array(1);
    if (ids.length === 1) return first;
    const groups = new Uint32Array(data.size);
    const tuple = new Uint32Array(ids.length);
    for (let group = 0; group < data.size; group++) {
      for (let k = 0; k < ids.length; k++) {
        const id = data.tuples[group * ids.length + k] as number;
        tuple[k] = (ids[k] as Uint32Array)[id] as number;
      }
      groups[group] = this.#tuples.intern(tuple);
    }
    return groups;
  }

  /** The text of a group's key. */
  text(group: number, key: number): string {
    const id = this.#keys.length === 1 ? group : this.#tuples.part(group, key);
    return (this.#values[key] as BytesTable).text(id);
  }

  #tallyKnown({ values: { bytes, offsets }, counts }: ValueCounts): Tally {
    const table = this.#values[0] as BytesTable;
    const groups = new Uint32Array(counts.length);
    let count = 0;
    const hits = new Float64Array(counts.length);
    for (let i = 0; i < counts.length; i++) {
      if (counts[i] === 0) continue;
      groups[count] = table.intern(bytes, offsets[i] as number, offsets[i + 1] as number);
      hits[count++] = counts[i] as number;
    }
    return { groups: groups.subarray(0, count), hits: hits.subarray(0, count) };
  }

  /** From how many rows each combination of codes has. */
  #tallyOf(columns: readonly KeyColumn[], counts: Uint32Array): Tally {
    const values = this.#localValues(columns);
    const groups: number[] = [];
    const hits: number[] = [];
    for (let combination = 0; combination < counts.length; combination++) {
      const count = counts[combination] as number;
      if (count === 0) continue;
      groups.push(this.#groupOfCombination(columns, values, combination));
      hits.push(count);
    }
    return { groups: Uint32Array.from(groups), hits: Float64Array.from(hits) };
  }

  #localValues(columns: readonly KeyColumn[]): LocalValues[] {
    return columns.map((column, k) => new LocalValues(column, this.#values[k] as BytesTable));
  }

  #groupOfCombination(
    columns: readonly KeyColumn[],
    values: readonly LocalValues[],
    combination: number,
  ): number {
    const tuple = this.#tuple;
    let rest = combination;
    for (let k = columns.length - 1; k >= 0; k--) {
      const { layout, count } = columns[k] as KeyColumn;
      const code = layout === "const" ? 0 : rest % count;
      if (layout !== "const") rest = (rest - code) / count;
      tuple[k] = (values[k] as LocalValues).idOf(code);
    }
    // With one key its values are the groups.
    return columns.length === 1 ? (tuple[0] as number) : this.#tuples.intern(tuple);
  }

  #groupsOfOne(column: KeyColumn, rows: Uint32Array, isWhole: boolean, groups: Uint32Array): void {
    const values = new LocalValues(column, this.#values[0] as BytesTable);
    if (column.layout === "const") {
      if (rows.length > 0) groups.fill(values.idOf(0));
    } else if (column.codes === undefined) {
      for (let i = 0; i < rows.length; i++) groups[i] = values.idOf(rows[i] as number);
    } else {
      codesInto(column.codes, rows, isWhole, groups);
      const { ids } = values;
      for (let i = 0; i < groups.length; i++) {
        const code = groups[i] as number;
        const id = ids[code] as number;
        groups[i] = id >= 0 ? id : values.idOf(code);
      }
    }
  }

  /** Few combinations: the block's own codes address the group. `groups` holds the combinations. */
  #groupsDirect(columns: readonly KeyColumn[], groups: Uint32Array, combinations: number): void {
    if (this.#direct.length < combinations) this.#direct = new Int32Array(combinations);
    const direct = this.#direct.fill(-1, 0, combinations);
    const values = this.#localValues(columns);
    for (let i = 0; i < groups.length; i++) {
      const combination = groups[i] as number;
      let group = direct[combination] as number;
      if (group < 0) {
        group = this.#groupOfCombination(columns, values, combination);
        direct[combination] = group;
      }
      groups[i] = group;
    }
  }

  #groupsHashed(columns: readonly KeyColumn[], rows: Uint32Array, groups: Uint32Array): void {
    const values = this.#localValues(columns);
    for (let i = 0; i < rows.length; i++) {
      groups[i] = this.#groupOf(columns, values, rows[i] as number);
    }
  }

  #groupOf(columns: readonly KeyColumn[], values: readonly LocalValues[], row: number): number {
    const tuple = this.#tuple;
    for (let k = 0; k < columns.length; k++) {
      tuple[k] = (values[k] as LocalValues).idOf(keyCodeAt(columns[k] as KeyColumn, row));
    }
    return this.#tuples.intern(tuple);
  }
}

/** The numbers that a block's values have in a table, interned when first met. */
class LocalValues {
  readonly ids: Int32Array;
  readonly #column: KeyColumn;
  readonly #table: BytesTable;
  #values: Values | undefined;

  constructor(column: KeyColumn, table: BytesTable) {
    this.ids = new Int32Array(column.count).fill(-1);
    this.#column = column;
    this.#table = table;
  }

  idOf(code: number): number {
    const known = this.ids[code] as number;
    if (known >= 0) return known;
    this.#values ??= this.#column.values();
    const { bytes, offsets } = this.#values;
    const id = this.#table.intern(bytes, offsets[code] as number, offsets[code + 1] as number);
    this.ids[code] = id;
    return id;
  }
}

function combinationsOf(columns: readonly KeyColumn[]): number {
  return columns.reduce(
    (product, { layout, count }) => (layout === "const" ? product : product * count),
    1,
  );
}

/** `into[i]`, zero before, becomes one number for the codes of row `rows[i]` in all columns. */
function combinationsInto(
  columns: readonly KeyColumn[],
  rows: Uint32Array,
  isWhole: boolean,
  into: Uint32Array,
): void {
  const varying = columns.filter(({ layout }) => layout !== "const");
  const scratch = new Uint32Array(varying.length > 1 ? rows.length : 0);
  for (const [k, { codes = rows, count }] of varying.entries()) {
    const own = k === 0 ? into : scratch;
    // Of a column without codes every row has its own value: its number is the row's.
    if (codes === rows) own.set(rows);
    else codesInto(codes, rows, isWhole, own);
    if (k > 0) combineCodes(into, own, count);
  }
}
