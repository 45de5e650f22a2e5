import { type Command, InvalidArgumentError, Option } from "commander";
import { type Summary, summarySchema } from "../../api/src/answers.ts";
import {
  causeOf,
  failureOf,
  problemOf,
  ServiceClient,
  type ServiceOptions,
  type ServiceProblem,
  withService,
} from "./client.ts";
import { CliExit, type CliIo, print } from "./io.ts";
import { textLines } from "./lines.ts";
import { printSize } from "./numbers.ts";
import type { Row } from "./record-text.ts";
import { type OutputName, outputOf, outputs } from "./search-output.ts";
import { harmless, styleOf } from "./style.ts";

/** A longer query string goes as a form: proxies refuse long URLs. */
const urlLengthMax = 6000;

/** Adds `search`. */
export function registerSearch(program: Command, io: CliIo): void {
  withService(program.command("search"))
    .description("search records, newest first")
    .argument("<query>", "what to look for; * is everything")
    .option("--from <time>", "from here on: 1h, now-15m, RFC 3339, epoch (1h)")
    .option("--to <time>", "up to here, not included (now)")
    .option("--limit <n>", "rows at most; 0: no limit (1000)", wholeOf)
    .option("--timeout <time>", "give up after this, as 5s")
    .addOption(
      new Option("--partial <how>", "deny: refuse an incomplete answer").choices(["allow", "deny"]),
    )
    .addOption(
      new Option(
        "-o, --output <form>",
        "form of the rows (text on a terminal, else ndjson)",
      ).choices(outputs),
    )
    .addOption(
      new Option(
        "--explain [how]",
        "say how the query is run; analyze: run it, and say what that took",
      )
        .choices(["plan", "analyze"])
        .preset("plan"),
    )
    .option("--summary", "say on stderr what was read and how long it took")
    .addHelpText(
      "after",
      `
Examples:
  logkeep search error
  logkeep search 'level:error AND NOT timeout' --from 24h --limit 50
  logkeep search '{service="api"} path:/login' --output ndjson | jq .status
  logkeep search '* | stats by (level) count() n | sort by (n desc)' --output table`,
    )
    .action((query: string, options: SearchOptions) => search(io, query, options));
}

interface SearchOptions extends ServiceOptions {
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
  readonly timeout?: string;
  readonly partial?: string;
  readonly output?: OutputName;
  readonly summary?: boolean;
  readonly explain?: "plan" | "analyze";
}

async function search(io: CliIo, query: string, options: SearchOptions): Promise<void> {
  const client = new ServiceClient(io, options);
  const asked = {
    query,
    start: options.from,
    end: options.to,
    limit: options.limit,
    timeout: options.timeout,
    partial: options.partial,
  };
  if (options.explain !== undefined) {
    const params = { ...asked, analyze: options.explain === "analyze" ? "1" : undefined };
    const { output } = options;
    const accept = output === "json" ? "application/json" : "text/plain";
    const told = await ask(client, io, { path: "/api/v1/query/explain", accept, params });
    if (!told.ok) throw queryFailure(query, await problemOf(told), io);
    return print(io.stdout, harmless(await told.text()));
  }
  const response = await ask(client, io, {
    path: "/api/v1/query",
    accept: "application/x-ndjson",
    params: { ...asked, summary: "1" },
  });
  if (!response.ok) throw queryFailure(query, await problemOf(response), io);

  const output = outputOf(
    options.output ?? (io.isTTY ? "text" : "ndjson"),
    io,
    styleOf(io, io.isTTY),
  );
  let summary: Summary | undefined;
  let rowCount = 0;
  for await (const line of linesOf(response, io)) {
    if (io.stdout.destroyed) return;
    const row = rowOf(line);
    const parsed = summarySchema.safeParse(row["_summary"]);
    if (parsed.success) {
      summary = parsed.data;
    } else {
      rowCount++;
      await output.row(row, line);
    }
  }
  await output.end();
  await tell(io, summary, { rowCount, isAsked: options.summary === true, response });
}

interface Asked {
  readonly path: string;
  /** The form of the answer. */
  readonly accept: string;
  readonly params: Readonly<Record<string, string | undefined>>;
}

async function ask(
  client: ServiceClient,
  io: CliIo,
  { path, accept, params }: Asked,
): Promise<Response> {
  const headers = { accept };
  const url = client.urlOf(path, params);
  try {
    if (url.href.length <= urlLengthMax) {
      return await client.send(url, { headers, signal: io.signal });
    }
    const body = url.searchParams;
    const target = client.urlOf(path);
    return await client.send(target, { method: "POST", headers, body, signal: io.signal });
  } catch (thrown) {
    if (io.signal.aborted) throw new CliExit(1, "interrupted");
    throw client.unreachable(thrown);
  }
}

async function* linesOf(response: Response, io: CliIo): AsyncGenerator<string> {
  if (response.body === null) return;
  try {
    for await (const line of textLines(response.body as AsyncIterable<Uint8Array>)) {
      if (line !== "") yield line;
    }
  } catch (thrown) {
    if (io.signal.aborted) throw new CliExit(1, "interrupted");
    throw new CliExit(1, `the answer broke off and is incomplete: ${causeOf(thrown)}`);
  }
}

function rowOf(line: string): Row {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row === "object" && row !== null && !Array.isArray(row)) return row as Row;
  } catch {
    // Told below, as any other line that is no row.
  }
  throw new CliExit(1, "the answer is not NDJSON; is it Logkeep?");
}

/** Says on stderr what a reader of the rows could not see. */
async function tell(
  io: CliIo,
  summary: Summary | undefined,
  about: { readonly rowCount: number; readonly isAsked: boolean; readonly response: Response },
): Promise<void> {
  if (summary?.status === "error") {
    throw new CliExit(
      1,
      `the query failed on the way: ${summary.code ?? "unknown"}; rows are missing`,
    );
  }
  if (summary?.status === "partial" || about.response.headers.has("x-logkeep-partial")) {
    const shards = summary?.missing ?? [];
    const missing = shards.length === 0 ? "" : `, shards ${shards.join(", ")} could not be asked`;
    await print(io.stderr, `partial: the answer is incomplete${missing}\n`);
  }
  if (about.isAsked) {
    const scanned = summary?.scanned === undefined ? "" : `, ${printSize(summary.scanned)} read`;
    const took = summary?.took_ms === undefined ? "" : `, ${Math.round(summary.took_ms)} ms`;
    await print(io.stderr, `${about.rowCount} rows${scanned}${took}\n`);
  }
}

/** The end of a verb over a query the service did not take, with a caret under the column. */
export function queryFailure(query: string, problem: ServiceProblem, io: CliIo): CliExit {
  const { line, column, suggestion } = problem.body;
  if (typeof column !== "number" || !problem.code.startsWith("query.")) return failureOf(problem);
  const text = query.split("\n")[typeof line === "number" ? line - 1 : 0] ?? "";
  const style = styleOf(io, io.isErrTTY ?? io.isTTY);
  // A tab before the column has to be one under it as well.
  const before = Array.from(text)
    .slice(0, column - 1)
    .map((char) => (char === "\t" ? "\t" : " "));
  const hint = typeof suggestion === "string" ? `\n  ${suggestion}` : "";
  return new CliExit(
    1,
    `${problem.detail}\n  ${text}\n  ${before.join("")}${style.red("^")}${hint}`,
  );
}

function wholeOf(text: string): string {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return text;
}
