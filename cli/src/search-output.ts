import type { CliIo } from "./io.ts";
import { print } from "./io.ts";
import { type Row, recordText, valueText } from "./record-text.ts";
import { harmless, type Style, tableOf } from "./style.ts";

export const outputs = ["text", "ndjson", "json", "csv", "table"] as const;

export type OutputName = (typeof outputs)[number];

/** Takes rows of an answer in order and writes them in one form. */
export interface RowOutput {
  /** `line` is the row as it came. */
  row(row: Row, line: string): Promise<void>;
  end(): Promise<void>;
}

/** Rows of a table, and of a CSV, that are held until the columns are known. */
const heldRowsMax = 10_000;

export function outputOf(name: OutputName, io: CliIo, style: Style): RowOutput {
  const write = (text: string): Promise<void> => print(io.stdout, text);
  switch (name) {
    case "text":
      return { row: (row) => write(`${recordText(row, style)}\n`), end: nothing };
    case "ndjson":
      return { row: (_, line) => write(`${line}\n`), end: nothing };
    case "json":
      return jsonOutput(write);
    case "csv":
      return columnsOutput((rows, isFirst, columns) => write(csvOf(rows, isFirst, columns)));
    case "table":
      return columnsOutput((rows, isFirst, columns) => write(tableText(rows, isFirst, columns)));
  }
}

type Write = (text: string) => Promise<void>;

/** One JSON array, a row a line, written as it comes. */
function jsonOutput(write: Write): RowOutput {
  let count = 0;
  return {
    row: (_, line) => write(`${count++ === 0 ? "[" : ","}\n${line}`),
    end: () => write(count === 0 ? "[]\n" : "\n]\n"),
  };
}

/**
 * Columns are the fields of the first rows, in order of appearance. Beyond those rows the columns
 * stay as they are, and a later field that none of them had is gathered into none: the forms that
 * lose nothing are ndjson and json.
 */
function columnsOutput(
  flush: (rows: readonly Row[], isFirst: boolean, columns: readonly string[]) => Promise<void>,
): RowOutput {
  let held: Row[] = [];
  let isFirst = true;
  const columns = new Set<string>();
  const send = async (): Promise<void> => {
    if (held.length > 0) await flush(held, isFirst, [...columns]);
    held = [];
    isFirst = false;
  };
  return {
    row: async (row) => {
      if (isFirst) for (const name of Object.keys(row)) columns.add(name);
      held.push(row);
      if (held.length >= heldRowsMax) await send();
    },
    end: send,
  };
}

/** RFC 4180, with line feeds. */
function csvOf(rows: readonly Row[], isFirst: boolean, columns: readonly string[]): string {
  const lines = rows.map((row) => csvLine(columns.map((name) => row[name])));
  if (isFirst) lines.unshift(csvLine(columns));
  return `${lines.join("\n")}\n`;
}

/** One line, without its end. */
export function csvLine(values: readonly Row[string][]): string {
  return values.map((value) => csvCell(valueText(value))).join(",");
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function tableText(rows: readonly Row[], isFirst: boolean, columns: readonly string[]): string {
  const cells = rows.map((row) =>
    columns.map((name) => harmless(valueText(row[name])).replaceAll(/[\t\n]/g, " ")),
  );
  const text = tableOf(columns.map(harmless), cells);
  return isFirst ? text : text.slice(text.indexOf("\n") + 1);
}

async function nothing(): Promise<void> {}
