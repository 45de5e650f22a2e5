import { assert } from "../../../kit/src/assert.ts";
import type { InnerRow, JoinPipe, UnionPipe } from "../language/pipe-node.ts";
import { collectRows } from "../table/collect.ts";
import { textAt, ValuesColumn, valuesOf } from "../table/column.ts";
import { streamLabelsOf, TableBlock } from "../table/table-block.ts";
import { parseTime } from "../table/time-text.ts";
import { View } from "../table/view.ts";
import { allRows, type Rows } from "./pipe.ts";
import { checkRowCount, repeated } from "./unroll.ts";

/** Each row once for every row of the inner answer with the same keys, extended by that one's other fields. */
export function joinRows({ view, rows }: Rows, node: JoinPipe): Rows {
  const { by, isInner, prefix } = node;
  assert(node.found !== undefined, "an inner query is answered before its pipe runs");
  const found = node.found;
  const matches = groupedBy(found, by);
  const keys = by.map((field) => view.column(field));
  const sources: number[] = [];
  const partners: (InnerRow | undefined)[] = [];
  for (const row of rows) {
    const key = JSON.stringify(keys.map((column) => textAt(column, row)));
    const own = matches.get(key) ?? (isInner ? [] : [undefined]);
    for (const partner of own) {
      sources.push(row);
      partners.push(partner);
    }
    checkRowCount(sources.length);
  }
  const names = namesOf(found).filter((name) => !by.includes(name));
  return repeated({ view, rows: Uint32Array.from(sources) }, (each) =>
    names.reduce((made, name) => {
      const original = made.column(prefix + name);
      const texts = partners.map((partner, i) => partner?.[name] ?? textAt(original, i));
      return made.with(prefix + name, new ValuesColumn("rows", valuesOf(texts)));
    }, each),
  );
}

function groupedBy(
  rows: readonly InnerRow[],
  by: readonly string[],
): ReadonlyMap<string, readonly InnerRow[]> {
  const groups = new Map<string, InnerRow[]>();
  for (const row of rows) {
    const key = JSON.stringify(by.map((field) => (Object.hasOwn(row, field) ? row[field] : "")));
    const group = groups.get(key) ?? [];
    group.push(row);
    groups.set(key, group);
  }
  return groups;
}

/** The rows, then those of the inner answer. */
export function unionRows({ view, rows }: Rows, { found }: UnionPipe): Rows {
  assert(found !== undefined, "an inner query is answered before its pipe runs");
  checkRowCount(rows.length + found.length);
  const other = viewOfRows(found);
  if (rows.length === 0) return { view: other, rows: allRows(found.length) };
  const viewOf = new Uint32Array(rows.length + found.length).fill(1, rows.length);
  const both = new Uint32Array(viewOf.length);
  both.set(rows);
  both.set(allRows(found.length), rows.length);
  const views = [other.hasTimes() ? view : spelledOut(view), other];
  const united = collectRows({ views, viewOf, rows: both }, true);
  return { view: View.table(united.block, united.names, "records"), rows: allRows(both.length) };
}

/** With its times and streams as texts, beside rows that have none. */
function spelledOut(view: View): View {
  const names = ["_time", "_stream"].filter((name) => view.names.includes(name));
  return names.reduce((made, name) => made.with(name, view.column(name)), view);
}

/** Rows as they are answered, as a view: records where each has its time and stream, else rows whose `_time` is a text. */
export function viewOfRows(rows: readonly InnerRow[]): View {
  const moments = rows.map((row) => parseTime(ownText(row, "_time")));
  const isRecords = rows.every(
    (row, i) => moments[i] !== undefined && ownText(row, "_stream") !== "",
  );
  const names = namesOf(rows);
  const implied = isRecords ? ["_time", "_stream"] : [];
  const columns = new Map(
    names
      .filter((name) => !implied.includes(name))
      .map((name) => [
        name,
        new ValuesColumn("rows", valuesOf(rows.map((row) => ownText(row, name)))),
      ]),
  );
  const streams = [...new Set(rows.map((row) => ownText(row, "_stream")))];
  const numbers = new Map(streams.map((stream, i) => [stream, i]));
  const parts = isRecords && {
    times: {
      ms: Float64Array.from(moments, (moment) => moment?.ms ?? 0),
      ns: Uint32Array.from(moments, (moment) => moment?.ns ?? 0),
    },
    streams: {
      labels: streams.map(streamLabelsOf),
      codes: Uint32Array.from(rows, (row) => numbers.get(ownText(row, "_stream")) ?? 0),
    },
  };
  const block = new TableBlock({ rowCount: rows.length, columns, repeats: true, ...parts });
  return View.table(block, names, "records");
}

function namesOf(rows: readonly InnerRow[]): readonly string[] {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) names.add(name);
  return [...names];
}

/** A field may be named like a property that every object inherits. */
function ownText(row: InnerRow, name: string): string {
  return Object.hasOwn(row, name) ? (row[name] ?? "") : "";
}
