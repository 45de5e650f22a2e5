import { type FileHandle, open } from "node:fs/promises";
import { z } from "zod";
import { type ExportSummary, exportSummarySchema } from "../../../api/src/answers.ts";
import { causeOf } from "../client.ts";
import { CliExit, type CliIo, print } from "../io.ts";
import { textLines } from "../lines.ts";
import type { Row } from "../record-text.ts";
import { csvLine } from "../search-output.ts";
import type { Progress, ProgressFile } from "./progress.ts";
import { BrokenOff } from "./request.ts";

/** Where lines go, in pieces that belong together with a cursor. */
export interface LinesTarget {
  write(text: string, progress: Progress): Promise<void>;
  close(): Promise<void>;
}

/** Writes to stdout. */
export function stdoutTarget(io: CliIo): LinesTarget {
  return { write: (text) => print(io.stdout, text), close: () => Promise.resolve() };
}

/**
 * Writes a file and how far it is, in this order: what was written without being noted is cut off by who goes on. Throws a
 * `CliExit` when the file cannot be opened or is shorter than noted.
 */
export async function fileTarget(
  output: string,
  file: ProgressFile,
  { bytes }: Progress,
): Promise<LinesTarget> {
  const handle = await opened(output, bytes);
  return {
    write: async (text, progress) => {
      await handle.appendFile(text);
      await file.write(progress);
    },
    close: () => handle.close(),
  };
}

async function opened(output: string, bytes: number): Promise<FileHandle> {
  const handle = await open(output, bytes === 0 ? "w" : "r+").catch((thrown: Error) => {
    throw new CliExit(1, `cannot write ${output}: ${thrown.message}`);
  });
  const { size } = await handle.stat();
  if (size < bytes) {
    await handle.close();
    throw new CliExit(1, `${output} is shorter than it was; start anew without --continue`);
  }
  await handle.truncate(bytes);
  await handle.close();
  return open(output, "a");
}

export interface LinesJob {
  readonly io: CliIo;
  readonly target: LinesTarget;
  readonly isCsv: boolean;
  /** How far it is; moves with each cursor. */
  progress: Progress;
  /** What came, for who watches. */
  readonly watch: { bytes: number; rows: number };
}

const columnsSchema = z.array(z.string());

/**
 * Writes what comes, up to each cursor when that has come; gives the summary. Throws `BrokenOff` when the body ends
 * without one.
 */
export async function takeLines(
  job: LinesJob,
  body: AsyncIterable<Uint8Array>,
): Promise<ExportSummary> {
  let held: string[] = [];
  let rows = 0;
  for await (const line of bodyLines(job, body)) {
    if (job.io.stdout.destroyed) throw new CliExit(1, "");
    job.watch.bytes += line.length + 1;
    const control = /^\{"_(cursor|columns|summary)":/.exec(line);
    if (control === null) {
      held.push(job.isCsv ? csvOf(line, job.progress.columns ?? []) : `${line}\n`);
      rows++;
      continue;
    }
    const told = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if (control[1] === "summary") {
      // Columns without a record after them.
      await noted(job, held, {});
      return exportSummarySchema.parse(told["_summary"]);
    }
    if (control[1] === "columns") {
      const columns = columnsSchema.parse(told["_columns"]);
      job.progress = { ...job.progress, columns };
      held.push(`${csvLine(columns)}\n`);
      continue;
    }
    const cursor = z.string().parse(told["_cursor"]);
    await noted(job, held, { cursor, rows: job.progress.rows + rows });
    job.watch.rows = job.progress.rows;
    held = [];
    rows = 0;
  }
  throw new BrokenOff("the export broke off");
}

/** Writes what is held, and how far that is. */
async function noted(
  job: LinesJob,
  held: readonly string[],
  more: Partial<Progress>,
): Promise<void> {
  const text = held.join("");
  const bytes = job.progress.bytes + Buffer.byteLength(text);
  const progress = { ...job.progress, bytes, ...more };
  await job.target.write(text, progress);
  job.progress = progress;
}

async function* bodyLines({ io }: LinesJob, body: AsyncIterable<Uint8Array>) {
  try {
    for await (const line of textLines(body)) if (line !== "") yield line;
  } catch (thrown) {
    if (thrown instanceof CliExit || thrown instanceof BrokenOff) throw thrown;
    if (io.signal.aborted) throw new CliExit(1, "interrupted");
    throw new BrokenOff(`the export broke off: ${causeOf(thrown)}`);
  }
}

function csvOf(line: string, columns: readonly string[]): string {
  const row = JSON.parse(line) as Row;
  const texts = columns.map((name) => (Object.hasOwn(row, name) ? row[name] : undefined));
  return `${csvLine(texts)}\n`;
}
