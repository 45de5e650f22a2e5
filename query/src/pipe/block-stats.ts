import type { Column, StoredFields } from "../../../kit/src/block.ts";
import { typeOf } from "../filter/value-type.ts";
import { ValuesColumn, valuesOf } from "../table/column.ts";
import { TableBlock } from "../table/table-block.ts";
import { View } from "../table/view.ts";
import { allRows, type GatherPipe, type Rows } from "./pipe.ts";

/** The columns of its rows, those of VictoriaLogs' pipe of this name. */
export const blockStatsNames = [
  "field",
  "type",
  "values_bytes",
  "bloom_bytes",
  "dict_items",
  "dict_bytes",
  "rows",
  "part_path",
] as const;

/** What stands for the type and the path of what lies in no file. */
const inMemory = "inmemory";

/** A value for each of `blockStatsNames`. */
type Stats = readonly string[];

/** `block_stats`: how each field of each block with a row that was found is stored. */
export class BlockStatsPipe implements GatherPipe {
  #rows: Stats[] = [];
  #bytes = 0;

  get byteSize(): number {
    return this.#bytes;
  }

  add({ view, rows }: Rows): void {
    for (const name of view.names) {
      const stats = statsOf(view, name, rows.length);
      if (stats !== undefined) this.#push(stats);
    }
  }

  export(): readonly Stats[] {
    return this.#rows;
  }

  merge(partial: unknown): void {
    for (const stats of partial as readonly Stats[]) this.#push(stats);
  }

  finish(): Rows {
    const columns = new Map<string, ValuesColumn>(
      blockStatsNames.map((name, i) => {
        const texts = this.#rows.map((stats) => stats[i] ?? "");
        return [name, new ValuesColumn("rows", valuesOf(texts))];
      }),
    );
    const view = View.table(new TableBlock({ rowCount: this.#rows.length, columns }));
    return { view, rows: allRows(this.#rows.length) };
  }

  #push(stats: Stats): void {
    this.#rows.push(stats);
    this.#bytes += stats.reduce((sum, text) => sum + text.length + 16, 64);
  }
}

/** Undefined for a field that no row of the block has. */
function statsOf(view: View, name: string, rowCount: number): Stats | undefined {
  const column = view.column(name);
  if (column === undefined) return undefined;
  const stored = view.block.storedFields?.();
  const { type, value = 0, filter = 0, items = 0, dict = 0 } = sizesOf(view, name, column, stored);
  const numbers = [value, filter, items, dict, rowCount].map(String);
  return [name, type, ...numbers, stored?.path ?? inMemory];
}

interface Sizes {
  readonly type: string;
  /** Bytes of values, of the token filter, and of a dictionary of so many items. */
  readonly value?: number;
  readonly filter?: number;
  readonly items?: number;
  readonly dict?: number;
}

function sizesOf(view: View, name: string, column: Column, stored?: StoredFields): Sizes {
  const bytes = () => column.values().offsets.at(-1) ?? 0;
  if (column.layout === "const") return { type: "const", value: bytes() };
  if (stored === undefined || !view.isStored(name)) return { type: inMemory };
  const own = stored.fields.get(name);
  const [value, filter] = [own?.valueBytes ?? 0, own?.filterBytes ?? 0];
  if (name === "_time") return { type: "time", value };
  // What is made of the streams' texts is a dictionary of them.
  const type = own === undefined ? column.layout : typeOf(view.block, name);
  if (type !== "dict") return { type: type ?? inMemory, value, filter };
  return { type, value, filter, items: column.valueCount, dict: bytes() };
}
