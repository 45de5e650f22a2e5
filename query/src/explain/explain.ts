import { momentPrint } from "../../../kit/src/time.ts";
import { type QueryRequest, type QuerySummary, runQuery } from "../engine/run.ts";
import { printPipe, printQuery } from "../language/print.ts";
import { printFilter } from "../language/print-filter.ts";
import type { Plan, Sink, Window } from "../plan/plan.ts";
import { splitQuery } from "../plan/split.ts";
import type { TimeRange } from "../source.ts";
import { Analysis, mainStages, type PartsTally, tallyOf } from "./analysis.ts";
import { type PruneReason, pruneReasons, type Tally, workerStages } from "./profile.ts";

/** One step of a plan: what is done, and by whom. */
export interface PlanStep {
  readonly at: "worker" | "merge" | "main";
  readonly step: string;
  readonly text: string;
}

/** What running a query took. Times are milliseconds, those of workers added up. */
export interface Analyzed {
  readonly status: QuerySummary["status"];
  readonly missing: readonly string[];
  readonly tookMs: number;
  /** Rows answered. */
  readonly rows: number;
  readonly parts: {
    readonly stored: PartsTally;
    /** Not of the query's time. */
    readonly prunedByTime: PartsTally;
    /** Not needed for the rows that were asked for. */
    readonly notNeeded: PartsTally;
    readonly read: PartsTally;
  };
  readonly blocks: {
    readonly pruned: readonly ({ readonly by: PruneReason } & Tally)[];
    readonly scanned: Tally;
    readonly matchedRows: number;
  };
  readonly columns: readonly {
    readonly name: string;
    readonly blocks: number;
    readonly decodedBytes: number;
  }[];
  readonly decodedBytes: number;
  readonly tasks: number;
  readonly stages: readonly {
    readonly at: "worker" | "main";
    readonly stage: string;
    readonly ms: number;
  }[];
}

export interface Explained {
  /** As it was understood, relative times resolved. */
  readonly query: string;
  /** The times that are looked at, those of the filter taken in. */
  readonly range: { readonly start: string; readonly end: string };
  readonly steps: readonly PlanStep[];
  /** Whether a cursor goes on behind a record (`records`) or behind a number of rows (`rows`). */
  readonly cursor: "records" | "rows";
  readonly analyzed?: Analyzed;
}

const allTimes: TimeRange = { from: { ms: -8.64e15, ns: 0 }, to: { ms: 8.64e15, ns: 0 } };

/** How a query is run. With `analyze` it is run, and its rows are thrown away. Throws as `runQuery` does. */
export async function explainQuery(request: QueryRequest, analyze: boolean): Promise<Explained> {
  const { query, range, limit, oldestFirst } = request;
  const plan = splitQuery(query, { range, limit, oldestFirst });
  const { worker } = plan;
  const { from, to } = worker.range;
  const explained: Explained = {
    query: printQuery(query),
    range: { start: momentPrint(from), end: momentPrint(to) },
    steps: stepsOf(plan),
    cursor: worker.sink.kind === "records" ? "records" : "rows",
  };
  return analyze ? { ...explained, analyzed: await analyzed(request) } : explained;
}

function stepsOf({ worker, window, rest, limit }: Plan): PlanStep[] {
  const steps: PlanStep[] = [
    { at: "worker", step: "filter", text: printFilter(worker.filter) },
    ...worker.pipes
      .filter((pipe) => pipe.kind !== "showStreamId")
      .map((pipe) => ({ at: "worker", step: "pipe", text: printPipe(pipe) }) as const),
    { at: "worker", step: "collect", text: sinkText(worker.sink) },
    { at: "merge", step: "merge", text: mergeText(worker.sink) },
  ];
  if (window.offset > 0 || window.limit !== undefined) {
    steps.push({ at: "merge", step: "window", text: windowText(window) });
  }
  for (const pipe of rest) steps.push({ at: "main", step: "pipe", text: printPipe(pipe) });
  const isWindowed = worker.sink.kind === "records";
  if (limit !== undefined && !isWindowed) {
    steps.push({ at: "main", step: "window", text: windowText({ offset: 0, limit }) });
  }
  return steps;
}

function sinkText(sink: Sink): string {
  if (sink.kind === "gather") return `${printPipe(sink.pipe)}, of each part`;
  const order = sink.kind === "records" && sink.oldestFirst === true ? "oldest" : "newest";
  const wanted = sink.kind === "records" || sink.kind === "newest" ? sink.wanted : undefined;
  const rows = wanted === undefined ? "rows" : `${wanted} rows`;
  return `the ${order} ${rows} of each part, until no older part can matter`;
}

function mergeText(sink: Sink): string {
  return sink.kind === "gather" ? "the answers of the parts" : "the rows of the parts, by time";
}

function windowText({ offset, limit }: Window): string {
  const skipped = offset === 0 ? "" : `after ${offset} rows `;
  return limit === undefined ? `${skipped}all rows` : `${skipped}at most ${limit} rows`;
}

async function analyzed(request: QueryRequest): Promise<Analyzed> {
  const analysis = new Analysis();
  const answer = await runQuery({ ...request, analysis });
  let rows = 0;
  for await (const batch of answer.rows) rows += batch.rows;
  const { status, missing, took_ms } = answer.summary();
  const stored = await storedParts(request);
  const { profile, inRange, partsRead } = analysis;
  const columns = Object.entries(profile.decoded)
    .map(([name, { blocks, bytes }]) => ({ name, blocks, decodedBytes: bytes }))
    .sort((a, b) => b.decodedBytes - a.decodedBytes || (a.name < b.name ? -1 : 1));
  return {
    status,
    missing,
    tookMs: took_ms,
    rows,
    parts: {
      stored,
      prunedByTime: less(stored, inRange),
      notNeeded: less(inRange, partsRead),
      read: partsRead,
    },
    blocks: {
      pruned: pruneReasons.map((by) => ({ by, ...profile.pruned[by] })),
      scanned: profile.scanned,
      matchedRows: profile.matched,
    },
    columns,
    decodedBytes: columns.reduce((sum, { decodedBytes }) => sum + decodedBytes, 0),
    tasks: profile.tasks,
    stages: [
      ...mainStages
        .slice(0, 1)
        .map((stage) => ({ at: "main", stage, ms: roundMs(analysis.ms[stage]) }) as const),
      ...workerStages.map(
        (stage) => ({ at: "worker", stage, ms: roundMs(profile.ms[stage]) }) as const,
      ),
      ...mainStages
        .slice(1)
        .map((stage) => ({ at: "main", stage, ms: roundMs(analysis.ms[stage]) }) as const),
    ],
  };
}

/** All parts that there are for the tenant, whatever their times. */
async function storedParts({ source, tenant }: QueryRequest): Promise<PartsTally> {
  const cut = await source.open(tenant, allTimes);
  try {
    return tallyOf(cut.parts);
  } finally {
    cut.release();
  }
}

/** Parts come and go between two cuts. */
function less(a: PartsTally, b: PartsTally): PartsTally {
  const difference = (x: number, y: number) => Math.max(0, x - y);
  return {
    parts: difference(a.parts, b.parts),
    rows: difference(a.rows, b.rows),
    bytes: difference(a.bytes, b.bytes),
  };
}

function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
