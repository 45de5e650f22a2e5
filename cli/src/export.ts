import { type Command, InvalidArgumentError, Option } from "commander";
import type { ExportSummary } from "../../api/src/answers.ts";
import { ServiceClient, type ServiceOptions, withService } from "./client.ts";
import { fileTarget, type LinesJob, stdoutTarget, takeLines } from "./export/lines-job.ts";
import { fileNameOf, takeParquet } from "./export/parquet-job.ts";
import { noProgress, type Progress, ProgressFile } from "./export/progress.ts";
import { BrokenOff, type ExportParams, openExport, untilDone } from "./export/request.ts";
import { CliExit, type CliIo, print, usageError } from "./io.ts";
import { printCount, printSize } from "./numbers.ts";
import { queryFailure } from "./search.ts";
import { ProgressBar } from "./ship/bar.ts";

const formats = ["ndjson", "csv", "parquet"] as const;
type Format = (typeof formats)[number];

/** Rows of one Parquet file: a break costs one file, and its metadata grows with its row groups. */
const rowsPerFileDefault = 5_000_000;

/** Adds `export`. */
export function registerExport(program: Command, io: CliIo): void {
  withService(program.command("export"))
    .description("write all records of a query, however many, to a file or stdout")
    .argument("<query>", "what to look for; * is everything")
    .option("--from <time>", "from here on: 1h, now-15m, RFC 3339, epoch (1h)")
    .option("--to <time>", "up to here, not included (now)")
    .addOption(
      new Option(
        "--format <form>",
        "form of the records (by the file's name, else ndjson)",
      ).choices(formats),
    )
    .option("-o, --output <file>", "the file (stdout)")
    .addOption(
      new Option("--order <order>", "which come first")
        .choices(["oldest", "newest"])
        .default("oldest"),
    )
    .addOption(new Option("--limit <n>", "records at most (all)").argParser(countOf))
    .addOption(
      new Option("--rows-per-file <n>", "parquet: then another file is begun, as logs-2.parquet")
        .argParser(countOf)
        .default(rowsPerFileDefault),
    )
    .option("--continue", "go on with a file where an export of the same query broke off")
    .addHelpText(
      "after",
      `
A connection that breaks off is taken up again by itself. A run that was ended is taken up by the same command with
--continue, each record once; until it is done, FILE.export says how far it is.

Examples:
  logkeep export '{service="api"} error' --from 24h -o errors.ndjson
  logkeep export '* | fields _time, level, _msg' --from 2026-11-01 --to 2026-11-02 -o day.csv
  logkeep export '*' --from 30d -o logs.parquet --continue`,
    )
    .action((query: string, options: ExportOptions) => exportRecords(io, query, options));
}

interface ExportOptions extends ServiceOptions {
  readonly from?: string;
  readonly to?: string;
  readonly format?: Format;
  readonly output?: string;
  readonly order: string;
  readonly limit?: number;
  readonly rowsPerFile: number;
  readonly continue?: boolean;
}

/** An export that is under way. */
interface Running {
  readonly io: CliIo;
  readonly client: ServiceClient;
  readonly query: string;
  readonly options: ExportOptions;
  readonly format: Format;
  readonly file: ProgressFile | undefined;
  readonly watch: { bytes: number; rows: number };
  readonly bar: ProgressBar;
}

async function exportRecords(io: CliIo, query: string, options: ExportOptions): Promise<void> {
  const { output } = options;
  const format = options.format ?? formatOf(output);
  if (output === undefined && (format === "parquet" || options.continue === true)) {
    throw usageError(`${format === "parquet" ? "parquet" : "--continue"} needs --output`);
  }
  const client = new ServiceClient(io, options);
  const file = output === undefined ? undefined : new ProgressFile(output);
  const question = questionOf(query, options, format);
  const known = options.continue === true ? await file?.read(question) : undefined;
  const begun = known ?? noProgress(question);
  const startMs = performance.now();
  const watch = { bytes: 0, rows: begun.rows };
  const bar = new ProgressBar(io, () => ({
    totalBytes: undefined,
    readBytes: watch.bytes,
    records: watch.rows,
    elapsedMs: performance.now() - startMs,
  }));
  const running: Running = { io, client, query, options, format, file, watch, bar };
  try {
    const missing = await (format === "parquet"
      ? exportFiles(running, begun)
      : exportLines(running, begun));
    await file?.remove();
    bar.stop();
    if (output !== undefined) {
      const size = printSize(watch.bytes);
      await print(io.stderr, `${printCount(watch.rows)} records, ${size}\n`);
    }
    if (missing.length > 0) throw new CliExit(1, `incomplete: ${missing.join(", ")} is missing`);
  } catch (thrown) {
    if (!(thrown instanceof BrokenOff) && !io.signal.aborted) throw thrown;
    const advice = output === undefined ? "" : "; the same command with --continue goes on";
    throw new CliExit(1, `${(thrown as Error).message}${advice}`, { cause: thrown });
  } finally {
    bar.stop();
  }
}

/** Gives what is missing. */
async function exportLines(running: Running, begun: Progress): Promise<readonly string[]> {
  const { io, file, options, format } = running;
  const { output } = options;
  const target =
    file === undefined || output === undefined
      ? stdoutTarget(io)
      : await fileTarget(output, file, begun);
  const { watch } = running;
  const job: LinesJob = { io, target, isCsv: format === "csv", progress: begun, watch };
  let summary: ExportSummary | undefined;
  const attempt = async (): Promise<void> => {
    const { cursor, columns, rows } = job.progress;
    if (options.limit !== undefined && rows >= options.limit) return;
    const { body } = await openOne(running, {
      format: "ndjson",
      cursors: "1",
      summary: "1",
      columns: job.isCsv && columns === undefined ? "1" : undefined,
      cursor,
      limit: options.limit === undefined ? undefined : String(options.limit - rows),
    });
    summary = await takeLines(job, body);
  };
  try {
    await untilDone(io, {
      attempt,
      progress: () => job.progress.rows,
      onTrouble: (reason) => running.bar.say(`export: ${reason}; trying again`),
    });
  } finally {
    await target.close();
  }
  return summary?.status === "partial" ? (summary.missing ?? ["something"]) : [];
}

/** One file after the other, each whole; gives what is missing. */
async function exportFiles(running: Running, begun: Progress): Promise<readonly string[]> {
  const { io, file, options, watch } = running;
  let progress = begun;
  let isDone = false;
  const missing = new Set<string>();
  const attempt = async (): Promise<void> => {
    while (!isDone) {
      const left = (options.limit ?? Number.POSITIVE_INFINITY) - progress.rows;
      const limit = String(Math.min(left, options.rowsPerFile));
      const asked = { format: "parquet", cursor: progress.cursor, limit };
      const { body, isPartial } = await openOne(running, asked);
      const name = fileNameOf(options.output ?? "", progress.files);
      const end = await takeParquet(name, body, (count) => {
        watch.bytes += count;
      });
      if (isPartial) missing.add(`part of what is in ${name}`);
      const { cursor } = end;
      isDone = cursor === undefined || end.rows >= left;
      const rows = progress.rows + end.rows;
      progress = { ...progress, cursor, rows, files: progress.files + 1 };
      watch.rows = rows;
      if (!isDone) await file?.write(progress);
    }
  };
  await untilDone(io, {
    attempt,
    progress: () => progress.rows,
    onTrouble: (reason) => running.bar.say(`export: ${reason}; trying again`),
  });
  return [...missing];
}

function openOne({ client, io, query, options }: Running, params: ExportParams) {
  const { from, to, order } = options;
  const asked = { query, start: from, end: to, order, ...params };
  return openExport(client, io, asked, (problem) => queryFailure(query, problem, io));
}

/** What has to be the same for an export to go on; the service may have moved. */
function questionOf(
  query: string,
  { tenant, from, to, order, limit }: ExportOptions,
  format: Format,
): string {
  return JSON.stringify([tenant, query, from, to, order, limit, format]);
}

function formatOf(output: string | undefined): Format {
  return formats.find((format) => output?.endsWith(`.${format}`)) ?? "ndjson";
}

function countOf(text: string): number {
  const count = Number(text);
  if (/^\d{1,15}$/.test(text) && count > 0) return count;
  throw new InvalidArgumentError("It must be a whole number above 0.");
}
