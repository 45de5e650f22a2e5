import type { Values } from "../../../kit/src/block.ts";
import type { GroupKey } from "../language/ast.ts";
import { directGroupsMax } from "../limits.ts";
import { BytesTable, type BytesTableData } from "./bytes-table.ts";
import { type KeyColumn, keyCodeAt, keyColumnOf } from "./group-key.ts";
import { TupleTable } from "./tuple-table.ts";
import type { View } from "./view.ts";

/** The groups of a partial as plain data: group g has value `tuples[g × keys + k]` of key k. */
export interface GrouperData {
  readonly size: number;
  readonly values: readonly BytesTableData[];
  readonly tuples: Uint32Array;
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
    if (columns.length === 1) {
      this.#groupsOfOne(columns[0] as KeyColumn, rows, groups);
      return groups;
    }
    const combinations = columns.reduce((product, column) => product * column.count, 1);
    if (combinations <= directGroupsMax) this.#groupsDirect(columns, rows, groups, combinations);
    else this.#groupsHashed(columns, rows, groups);
    return groups;
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

  #groupsOfOne(column: KeyColumn, rows: Uint32Array, groups: Uint32Array): void {
    const values = new LocalValues(column, this.#values[0] as BytesTable);
    if (column.layout === "const") {
      if (rows.length > 0) groups.fill(values.idOf(0));
    } else if (column.codes === undefined) {
      for (let i = 0; i < rows.length; i++) groups[i] = values.idOf(rows[i] as number);
    } else {
      const { codes } = column;
      const { ids } = values;
      for (let i = 0; i < rows.length; i++) {
        const code = codes[rows[i] as number] as number;
        const id = ids[code] as number;
        groups[i] = id >= 0 ? id : values.idOf(code);
      }
    }
  }

  /** Few combinations: the block's own codes address the group. */
  #groupsDirect(
    columns: readonly KeyColumn[],
    rows: Uint32Array,
    groups: Uint32Array,
    combinations: number,
  ): void {
    addCombinations(columns, rows, groups);
    if (this.#direct.length < combinations) this.#direct = new Int32Array(combinations);
    const direct = this.#direct.fill(-1, 0, combinations);
    const values = columns.map(
      (column, k) => new LocalValues(column, this.#values[k] as BytesTable),
    );
    for (let i = 0; i < rows.length; i++) {
      const combination = groups[i] as number;
      let group = direct[combination] as number;
      if (group < 0) {
        group = this.#groupOf(columns, values, rows[i] as number);
        direct[combination] = group;
      }
      groups[i] = group;
    }
  }

  #groupsHashed(columns: readonly KeyColumn[], rows: Uint32Array, groups: Uint32Array): void {
    const values = columns.map(
      (column, k) => new LocalValues(column, this.#values[k] as BytesTable),
    );
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

/** `into[i]` becomes one number for the codes of row `rows[i]` in all columns. */
function addCombinations(
  columns: readonly KeyColumn[],
  rows: Uint32Array,
  into: Uint32Array,
): void {
  for (const { count, codes, layout } of columns) {
    if (layout === "const") continue;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const code = codes === undefined ? row : (codes[row] as number);
      into[i] = (into[i] as number) * count + code;
    }
  }
}
