import type { Analyzed, Explained } from "./explain.ts";

/** An explanation as people read it. */
export function explainText(explained: Explained): string {
  const { query, range, steps, cursor, analyzed } = explained;
  const who = { worker: "each worker", merge: "merge", main: "main thread" } as const;
  const lines = [
    `query   ${query}`,
    `range   ${range.start} … ${range.end}`,
    `cursor  behind ${cursor === "records" ? "a record" : "a number of rows"}`,
    "",
    ...table(steps.map(({ at, step, text }) => [who[at], step, text])),
    ...(analyzed === undefined ? [] : ["", ...analyzedLines(analyzed)]),
  ];
  return `${lines.join("\n")}\n`;
}

function analyzedLines(analyzed: Analyzed): string[] {
  const { parts, blocks, columns } = analyzed;
  const lacking = analyzed.missing.length === 0 ? "" : `, without ${analyzed.missing.join(", ")}`;
  const partRow = (name: string, { parts: count, rows, bytes }: Analyzed["parts"]["read"]) => [
    name,
    `${count} parts`,
    `${rows} rows`,
    `${bytes} bytes`,
  ];
  return [
    `${analyzed.rows} rows in ${analyzed.tookMs} ms, ${analyzed.tasks} pieces of work, ${analyzed.status}${lacking}`,
    "",
    ...table([
      partRow("stored", parts.stored),
      partRow("pruned by time", parts.prunedByTime),
      partRow("not needed", parts.notNeeded),
      partRow("read", parts.read),
    ]),
    "",
    ...table([
      ...blocks.pruned.map(({ by, ...each }) => [
        `pruned by ${by}`,
        `${each.blocks} blocks`,
        `${each.rows} rows`,
      ]),
      ["scanned", `${blocks.scanned.blocks} blocks`, `${blocks.scanned.rows} rows`],
      ["matched", "", `${blocks.matchedRows} rows`],
    ]),
    "",
    ...table([
      ...columns.map((column) => [
        `column ${column.name}`,
        `${column.blocks} blocks`,
        `${column.decodedBytes} bytes decoded`,
      ]),
      ["all columns", "", `${analyzed.decodedBytes} bytes decoded`],
    ]),
    "",
    ...table(analyzed.stages.map(({ at, stage, ms }) => [at, stage, `${ms} ms`])),
  ];
}

/** Cells in columns. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
