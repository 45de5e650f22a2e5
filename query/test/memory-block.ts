import type { Block, Codes, Column } from "../../kit/src/block.ts";
import { Prng } from "../../kit/src/prng.ts";
import { wordsOf } from "../../kit/src/tokens.ts";
import { ValuesColumn, valuesOf } from "../src/table/column.ts";
import { streamLabelsOf, TableBlock } from "../src/table/table-block.ts";
import { parseTime } from "../src/table/time-text.ts";
import { View } from "../src/table/view.ts";
import { TemplateColumn } from "./template-column.ts";

/** A record as tests write it down: `_time` in RFC 3339, `_stream` as canonical text, both optional. */
export type PlainRecord = Readonly<Record<string, string>>;

/** `templates`: rows whose texts are split into templates and variables. */
export type Layout = Column["layout"] | "templates";

/**
 * The records as a block of storage would hold them, seen as filters see it. Token filters are exact
 * and bounds are known, so that a filter which rules out too much is found out. `layoutOf` says how
 * a column is laid out; one that does not fit (`const` for different values) becomes `dict`.
 */
export function memoryBlock(
  records: readonly PlainRecord[],
  layoutOf: (field: string) => Layout = () => "rows",
): Block {
  return View.records(new MemoryBlock(records, layoutOf));
}

class MemoryBlock implements Block {
  readonly rowCount: number;
  readonly #records: readonly PlainRecord[];
  readonly #table: TableBlock;

  constructor(records: readonly PlainRecord[], layoutOf: (field: string) => Layout) {
    this.rowCount = records.length;
    this.#records = records;
    this.#table = tableOf(records, layoutOf);
  }

  get timeMin() {
    return this.#table.timeMin;
  }

  get timeMax() {
    return this.#table.timeMax;
  }

  get fieldNames() {
    return this.#table.fieldNames;
  }

  times() {
    return this.#table.times();
  }

  streams() {
    return this.#table.streams();
  }

  positions() {
    return this.#table.positions();
  }

  column(field: string) {
    return this.#table.column(field);
  }

  mayContain(field: string, tokens: readonly string[]): boolean {
    return this.#records.some((record) => {
      const words = wordsOf(record[field] ?? "");
      return tokens.every((token) => words.includes(token));
    });
  }

  bounds(field: string) {
    const values = this.#records.map((record) => record[field] ?? "");
    if (!values.every((value) => /^-?\d+(\.\d+)?$/.test(value))) return undefined;
    const numbers = values.map(Number);
    return { min: Math.min(...numbers), max: Math.max(...numbers) };
  }

  valueCounts() {
    return undefined;
  }
}

function tableOf(records: readonly PlainRecord[], layoutOf: (field: string) => Layout): TableBlock {
  const streams = records.map((record) => record["_stream"] ?? "{}");
  const distinct = [...new Set(streams)];
  const times = records.map((record) => parseTime(record["_time"] ?? "2026-11-20T12:00:00Z"));
  const hasNanos = times.some((time) => time !== undefined && time.ns !== 0);
  return new TableBlock({
    rowCount: records.length,
    columns: columnsOf(records, layoutOf),
    times: {
      ms: Float64Array.from(times, (time) => time?.ms ?? Number.NaN),
      ns: hasNanos ? Uint32Array.from(times, (time) => time?.ns ?? 0) : undefined,
    },
    streams: {
      labels: distinct.map(streamLabelsOf),
      codes:
        distinct.length < 2
          ? undefined
          : Uint8Array.from(streams, (each) => distinct.indexOf(each)),
    },
  });
}

function columnsOf(records: readonly PlainRecord[], layoutOf: (field: string) => Layout) {
  const names = new Set(records.flatMap((record) => Object.keys(record)));
  names.delete("_time");
  names.delete("_stream");
  const columns = new Map<string, Column>();
  for (const name of names) {
    const texts = records.map((record) => record[name] ?? "");
    columns.set(name, columnOf(texts, layoutOf(name)));
  }
  return columns;
}

function columnOf(texts: readonly string[], layout: Layout): Column {
  if (layout === "rows") return new ValuesColumn("rows", valuesOf(texts));
  if (layout === "templates") return new TemplateColumn(texts, new Prng(texts.length));
  const distinct = [...new Set(texts)];
  if (layout === "const" && distinct.length === 1) {
    return new ValuesColumn("const", valuesOf(distinct));
  }
  // A dictionary may hold values that no row has.
  const values = ["error unused 500", ...distinct.filter((text) => text !== "error unused 500")];
  const codes = texts.map((text) => values.indexOf(text));
  return new ValuesColumn("dict", valuesOf(values), codesOf(codes, values.length));
}

function codesOf(codes: readonly number[], count: number): Codes {
  return count <= 256 ? Uint8Array.from(codes) : Uint16Array.from(codes);
}
