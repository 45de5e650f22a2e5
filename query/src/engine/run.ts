import { randomUUID } from "node:crypto";
import { type ErrorCode, ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import type { Analysis } from "../explain/analysis.ts";
import type { Query } from "../language/ast.ts";
import { memoryBytesDefault, taskRowsTarget, timeoutMsDefault } from "../limits.ts";
import { createGatherPipe } from "../pipe/create.ts";
import { asksInternal } from "../plan/internal.ts";
import type { Plan, PlanMessage } from "../plan/plan.ts";
import { type PageEnd, splitQuery } from "../plan/split.ts";
import type { Cut, Part, Source, TimeRange } from "../source.ts";
import { encodeNdjson } from "../table/ndjson.ts";
import { type Cursor, cursorOf, digestOf, encodeCursor, type Place } from "./cursor.ts";
import { Deadline } from "./deadline.ts";
import type { PartTask } from "./fragment.ts";
import { Gathering } from "./gathering.ts";
import type { FragmentPool } from "./pool.ts";
import { RecordMerger, type RowBatch } from "./record-merger.ts";
import { resolveInner } from "./resolve.ts";
import { Turn } from "./turn.ts";
import { WorkInFlight } from "./work.ts";

export interface QueryRequest {
  readonly source: Source;
  readonly pool: FragmentPool;
  readonly tenant: string;
  /** Its times resolved. */
  readonly query: Query;
  readonly range: TimeRange;
  /** Rows answered at most; undefined: all. */
  readonly limit?: number | undefined;
  /** `summary().cursor` of the page before. */
  readonly cursor?: string | undefined;
  /** What `now` is, for who asks for the next page. */
  readonly asOfMs?: number | undefined;
  /** Records come in the reverse of their usual order; throws `query.invalid` for a query that answers other rows, or sorts. */
  readonly oldestFirst?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  readonly memoryBytesMax?: number | undefined;
  /** `deny`: an answer that would miss something is an error `query.partial`. */
  readonly partial?: "allow" | "deny" | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Is told what is done; costs the query some time. */
  readonly analysis?: Analysis | undefined;
}

export interface QuerySummary {
  readonly status: "complete" | "partial" | "error";
  /** Of an error. */
  readonly code?: ErrorCode;
  /** What the answer is without: shards that nobody answers for, damaged blocks. */
  readonly missing: readonly string[];
  /** There were more rows than were asked for. */
  readonly limited: boolean;
  /** Where the answer goes on. */
  readonly cursor?: string;
  readonly scanned: { readonly rows: number; readonly bytes: number; readonly blocks: number };
  readonly took_ms: number;
}

export interface QueryAnswer {
  /** Known before the first row: shards that nobody answers for. */
  readonly missing: readonly string[];
  /**
   * Once through. Throws a `ServiceError` when the query fails on its way; leaving early cancels it.
   * What the query holds is released when this ends or, if nobody begins it, at the deadline.
   */
  readonly rows: AsyncIterable<RowBatch>;
  /** Good when `rows` has ended. */
  summary(): QuerySummary;
  /** Where a query for records goes on after the rows given out so far; undefined before the first. */
  cursor(): string | undefined;
}

/** Blocks named in a summary; more only say that there are more. */
const missingMax = 100;

/**
 * Runs a query. Throws a `ServiceError` for what is known before the first row: a query that cannot
 * be run, a cut that cannot be opened.
 */
export async function runQuery(request: QueryRequest): Promise<QueryAnswer> {
  const startMs = performance.now();
  const page = pageOf(request);
  const { request: outer, missing, scanned } = await resolveInner(request, runResolved);
  return runResolved(outer, { startMs, missing, scanned, page });
}

/** The page that is asked for: of the query as it was asked, since what stands for its inner ones may differ the next time. */
interface Page {
  readonly question: Pick<Cursor, "asOfMs" | "digest">;
  readonly place: Place | undefined;
  readonly cursor: string | undefined;
}

function pageOf(request: QueryRequest): Page {
  const { cursor, asOfMs, oldestFirst = false } = request;
  const question = { asOfMs, digest: digestOf(request) };
  if (cursor === undefined) return { question, place: undefined, cursor };
  return { question, place: cursorOf(cursor, request, oldestFirst).place, cursor };
}

/** What has happened for a query before it was begun itself. */
interface Before {
  readonly startMs: number;
  readonly missing: readonly string[];
  readonly scanned: QuerySummary["scanned"];
  /** Absent for inner queries, which are asked for all of their rows. */
  readonly page?: Page;
}

async function runResolved(request: QueryRequest, before?: Before): Promise<QueryAnswer> {
  const startMs = before?.startMs ?? performance.now();
  const { query, range, limit, oldestFirst = false } = request;
  const place = before?.page?.place;
  const after = place?.kind === "records" ? place.end : undefined;
  const plan = splitQuery(query, { range, limit, after, oldestFirst });
  if (oldestFirst) checkReversible(query, plan);
  checkPipes(plan);
  const openMs = performance.now();
  const cut = await request.source.open(request.tenant, plan.worker.range, plan.worker);
  if (before?.page !== undefined) request.analysis?.opened(cut.parts, performance.now() - openMs);
  if (request.partial === "deny" && cut.missing.length > 0) {
    cut.release();
    throw new ServiceError("query.partial", "some shards do not answer", { missing: cut.missing });
  }
  const run = new QueryRun(request, plan, cut, {
    missing: [],
    scanned: nothing,
    ...before,
    startMs,
  });
  const missing = [...new Set([...(before?.missing ?? []), ...cut.missing])];
  return {
    missing,
    rows: run.rows(),
    summary: () => run.summary(),
    cursor: () => run.cursor(),
  };
}

function checkReversible({ pipes }: Query, { worker }: Plan): void {
  if (worker.sink.kind === "records" && pipes.every(({ kind }) => kind !== "sort")) return;
  throw new ServiceError("query.invalid", "only records that are not sorted have an oldest one");
}

/** What cannot be run is told before a part is read. */
function checkPipes(plan: Plan): void {
  if (plan.worker.sink.kind === "gather") createGatherPipe(plan.worker.sink.pipe);
}

const nothing: QuerySummary["scanned"] = { rows: 0, bytes: 0, blocks: 0 };

class QueryRun {
  readonly #request: QueryRequest;
  readonly #plan: Plan;
  readonly #cut: Cut;
  readonly #parts: readonly Part[];
  readonly #startMs: number;
  readonly #memoryBytesMax: number;
  readonly #deadline: Deadline;
  #isBegun = false;
  #hasEnded = false;
  readonly #missing: string[];
  readonly #scanned: { rows: number; bytes: number; blocks: number };
  #status: "complete" | "error" = "complete";
  #code: ErrorCode | undefined;
  #limited = false;
  /** Where the page began; then how far its rows have been given out. */
  #place: Place | undefined;
  readonly #page: Page | undefined;
  /** Inner queries are not analysed. */
  readonly #analysis: Analysis | undefined;
  #tookMs = 0;

  constructor(request: QueryRequest, plan: Plan, cut: Cut, before: Before) {
    this.#request = request;
    this.#plan = plan;
    this.#cut = cut;
    this.#startMs = before.startMs;
    this.#scanned = { ...before.scanned };
    this.#page = before.page;
    this.#analysis = before.page === undefined ? undefined : request.analysis;
    this.#place = before.page?.place;
    this.#memoryBytesMax = request.memoryBytesMax ?? memoryBytesDefault;
    this.#deadline = new Deadline(request.timeoutMs ?? timeoutMsDefault, request.signal);
    this.#deadline.failed.catch(() => {
      // Nobody has asked for a row, so nobody would end what has not begun.
      if (!this.#isBegun) this.#end();
    });
    this.#missing = [...new Set([...before.missing, ...cut.missing])];
    const { filter } = plan.worker;
    this.#parts = asksInternal(filter) ? cut.parts : cut.parts.filter((part) => !part.internal);
  }

  async *rows(): AsyncGenerator<RowBatch> {
    const deadline = this.#deadline;
    this.#isBegun = true;
    const message: PlanMessage = {
      ...this.#plan.worker,
      id: randomUUID(),
      memoryBytesMax: this.#memoryBytesMax,
      ...(this.#analysis === undefined ? {} : { analyze: true }),
      cancelled: deadline.cancelled,
    };
    const work = new WorkInFlight(this.#request.pool, message, deadline);
    try {
      deadline.check();
      if (this.#plan.worker.sink.kind === "records") yield* this.#records(work);
      else yield* this.#gathered(work);
    } catch (thrown) {
      const error = serviceErrorOf(thrown);
      this.#status = "error";
      this.#code = error.code;
      throw error;
    } finally {
      deadline.close();
      // The parts stay pinned until nobody reads them.
      await work.settled();
      this.#end();
    }
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#deadline.close();
    this.#cut.release();
    this.#tookMs = performance.now() - this.#startMs;
  }

  cursor(): string | undefined {
    if (this.#page === undefined || this.#place === undefined) return undefined;
    // Nothing was given out yet.
    if (this.#place === this.#page.place) return this.#page.cursor;
    return encodeCursor({ ...this.#page.question, place: this.#place });
  }

  summary(): QuerySummary {
    const partial = this.#missing.length > 0 ? "partial" : "complete";
    // A page without rows is where the query's own limit ends it.
    const goesOn = this.#limited && this.#place !== this.#page?.place;
    const cursor = goesOn ? this.cursor() : undefined;
    return {
      status: this.#status === "error" ? "error" : partial,
      ...(this.#code === undefined ? {} : { code: this.#code }),
      missing: this.#missing,
      limited: this.#limited,
      ...(cursor === undefined ? {} : { cursor }),
      scanned: this.#scanned,
      took_ms: Math.round(this.#tookMs * 1000) / 1000,
    };
  }

  async *#records(work: WorkInFlight): AsyncGenerator<RowBatch> {
    const after = this.#place?.kind === "records" ? this.#place.end : undefined;
    const oldestFirst = this.#request.oldestFirst === true;
    const turn = new Turn();
    const merger = new RecordMerger(this.#parts, this.#plan.window, after, oldestFirst);
    while (!merger.isDone) {
      while (work.hasRoom) {
        const task = merger.nextTask();
        if (task === undefined) break;
        work.start(task);
      }
      const takeMs = performance.now();
      const batch = merger.take();
      this.#analysis?.did("merge", takeMs);
      if (batch !== undefined) {
        const end = { ...(merger.last as PageEnd), rows: (after?.rows ?? 0) + merger.emitted };
        this.#place = { kind: "records", oldestFirst, end };
        yield batch;
        await turn.pause();
        work.check();
        continue;
      }
      if (work.count === 0) continue;
      const { task, message } = await work.next();
      this.#analysis?.answered(task.part, message.profile);
      this.#note(message.scanned, message.damaged);
      if (message.answer.kind === "records") merger.accept(task.part, message.answer.chunk);
      this.#checkMemory(merger.heldBytes);
    }
    this.#limited = merger.isCut;
  }

  async *#gathered(work: WorkInFlight): AsyncGenerator<RowBatch> {
    const { sink } = this.#plan.worker;
    const { rest, window, limit } = this.#plan;
    const skip = this.#place?.kind === "rows" ? this.#place.rows : 0;
    const gathering = new Gathering(this.#request.pool, { sink, window, rest, limit, skip });
    const turn = new Turn();
    await this.#gather(work, gathering, turn);
    const endMs = performance.now();
    const { found, limited } = await gathering.end(this.#deadline.signal);
    this.#analysis?.did("merge", endMs);
    const { view, rows } = found;
    this.#limited = limited;
    this.#place = { kind: "rows", rows: skip + rows.length };
    for (let at = 0; at < rows.length; at += rowsPerBatch) {
      await turn.pause();
      work.check();
      const some = rows.subarray(at, at + rowsPerBatch);
      const encodeMs = performance.now();
      const { bytes } = encodeNdjson(view, some);
      this.#analysis?.did("encode", encodeMs);
      yield { rows: some.length, bytes };
    }
  }

  /** Hands out the parts, newest first, and merges what comes back. */
  async #gather(work: WorkInFlight, gathering: Gathering, turn: Turn): Promise<void> {
    const tasks = newestFirst(this.#parts).flatMap(tasksOf);
    let next = 0;
    while (next < tasks.length || work.count > 0) {
      while (work.hasRoom && next < tasks.length) work.start(tasks[next++] as PartTask);
      const { task, message } = await work.next();
      this.#analysis?.answered(task.part, message.profile);
      this.#note(message.scanned, message.damaged);
      const addMs = performance.now();
      if (message.answer.kind === "gather") gathering.add(message.answer.partial);
      this.#analysis?.did("merge", addMs);
      this.#checkMemory(gathering.byteSize);
      await turn.pause();
    }
  }

  #note(scanned: QuerySummary["scanned"], damaged: readonly string[]): void {
    this.#scanned.rows += scanned.rows;
    this.#scanned.bytes += scanned.bytes;
    this.#scanned.blocks += scanned.blocks;
    for (const each of damaged) {
      // Read again for its next rows, a part may meet the same damage, or damage that the first rows did not need.
      if (this.#missing.includes(each)) continue;
      if (this.#request.partial === "deny") {
        throw new ServiceError("query.partial", "stored data is damaged", { missing: [each] });
      }
      if (this.#missing.length < missingMax) this.#missing.push(each);
    }
  }

  #checkMemory(bytes: number): void {
    if (bytes <= this.#memoryBytesMax) return;
    throw new ServiceError("query.memory", "the query needs more memory than allowed", {
      bytesMax: this.#memoryBytesMax,
    });
  }
}

/** What is encoded in one step: about a millisecond's work. */
const rowsPerBatch = 512;

/** A large part goes to several workers, so that none is left alone with it at the end. */
function tasksOf(part: Part): PartTask[] {
  const of = Math.ceil(part.rows / taskRowsTarget);
  if (of < 2) return [{ part, after: undefined, floorMs: undefined }];
  return Array.from({ length: of }, (_, index) => ({
    part,
    after: undefined,
    floorMs: undefined,
    slice: { index, of },
  }));
}

function newestFirst(parts: readonly Part[]): Part[] {
  return [...parts].sort((a, b) => b.timeMax.ms - a.timeMax.ms);
}
