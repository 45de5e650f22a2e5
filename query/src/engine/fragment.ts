import type { Block } from "../../../kit/src/block.ts";
import { type ErrorCode, type ErrorFields, ServiceError } from "../../../kit/src/errors.ts";
import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import { Probe } from "../explain/probe.ts";
import type { Profile } from "../explain/profile.ts";
import { compileFilter } from "../filter/compile.ts";
import type { Filter } from "../filter/filter.ts";
import { RowSet } from "../filter/row-set.ts";
import { type RecordLimits, recordLimits } from "../limits.ts";
import { createRowPipe } from "../pipe/create.ts";
import { allRows, type RowPipe, type Rows } from "../pipe/pipe.ts";
import type { PlanMessage } from "../plan/plan.ts";
import type { Part, PartReader, TimeRange } from "../source.ts";
import { interrupt } from "../table/interrupt.ts";
import { View } from "../table/view.ts";
import { Deletions } from "./deletions.ts";
import { KeptRecords } from "./kept-records.ts";
import { narrowToRange } from "./range.ts";
import {
  answerOfNothing,
  createSink,
  type Found,
  type PartEnd,
  type PartialAnswer,
  type PartSink,
} from "./sink.ts";

/** A piece of work: one part, or the rest of a part whose first rows were answered before. */
export interface PartTask {
  readonly part: Part;
  /** Where the records of the part that were answered before end. */
  readonly after: PartEnd | undefined;
  /** Records older than this are not wanted any more, in milliseconds. */
  readonly floorMs: number | undefined;
  /** Nor are those newer than this, where the oldest come first. */
  readonly ceilingMs?: number | undefined;
  /** Every block whose number leaves `index` by `of`; undefined: all of them. */
  readonly slice?: { readonly index: number; readonly of: number } | undefined;
}

/** What a worker answers: plain data, errors included. */
export type PartialMessage =
  | {
      readonly kind: "done";
      readonly answer: PartialAnswer;
      readonly scanned: Scanned;
      /** What could not be read, in words; the answer is without it. */
      readonly damaged: readonly string[];
      /** Of a query that is analysed. */
      readonly profile?: Profile;
    }
  | {
      readonly kind: "failed";
      readonly code: ErrorCode;
      readonly message: string;
      readonly fields: ErrorFields;
    };

/** What was looked at for the first time: a part that is read again for its next rows counts once. */
export interface Scanned {
  readonly rows: number;
  /** Stored bytes of the parts that were looked at. */
  readonly bytes: number;
  readonly blocks: number;
}

/** The worker's side of one query, compiled once. */
export interface Fragment {
  /** Does the work; whatever a caller can bring about is in the message, never thrown. */
  run(task: PartTask): PartialMessage;
}

/** Compiles a plan. Throws `query.invalid` for what cannot be run. */
export function createFragment(
  plan: PlanMessage,
  reader: PartReader,
  limits: RecordLimits = recordLimits,
  kept: KeptRecords = new KeptRecords(limits.keptBytes),
): Fragment {
  const compiled = {
    plan,
    reader,
    limits,
    kept,
    filter: compileFilter(plan.filter),
    pipes: plan.pipes.map(createRowPipe),
    cancelled: new Int32Array(plan.cancelled),
    every: new EveryRow(),
    deletions: new Deletions(),
    probe: plan.analyze === true ? new Probe() : undefined,
  };
  const { cancelled } = compiled;
  return { run: (task) => interrupt.during(cancelled, () => runTask(compiled, task)) };
}

interface Compiled {
  readonly plan: PlanMessage;
  readonly reader: PartReader;
  readonly limits: RecordLimits;
  readonly kept: KeptRecords;
  readonly filter: Filter;
  readonly pipes: readonly RowPipe[];
  readonly cancelled: Int32Array;
  readonly every: EveryRow;
  readonly deletions: Deletions;
  readonly probe: Probe | undefined;
}

/** The numbers of all rows of a block, made once for the largest; nobody writes to rows that were handed on. */
class EveryRow {
  #rows = new Uint32Array(0);

  upTo(count: number): Uint32Array {
    if (this.#rows.length < count) this.#rows = allRows(count);
    return this.#rows.subarray(0, count);
  }
}

function runTask(compiled: Compiled, task: PartTask): PartialMessage {
  const rest = task.after?.rest;
  const records = rest === undefined ? undefined : compiled.kept.take(rest);
  if (records === undefined) return evaluate(compiled, task);
  compiled.probe?.begin();
  const answer = answerOf(compiled, { kind: "records", records });
  const profile = compiled.probe?.end();
  return { kind: "done", answer, scanned: nothing, damaged: [], ...(profile && { profile }) };
}

function answerOf({ kept, cancelled }: Compiled, found: Found): PartialAnswer {
  if (found.kind === "gather") return found;
  return { kind: "records", chunk: kept.next(found.records, cancelled) };
}

function evaluate(compiled: Compiled, task: PartTask): PartialMessage {
  const damaged = new Map<number, string>();
  for (;;) {
    const progress = { block: -1 };
    try {
      compiled.probe?.begin();
      const sink = createSink(compiled.plan.sink, task.after, compiled.limits);
      const scanned = scanPart(compiled, { task, sink, damaged, progress });
      progress.block = -1;
      const answer = answerOf(compiled, sink.finish());
      const profile = compiled.probe?.end();
      const found = { kind: "done", answer, scanned, damaged: [...damaged.values()] } as const;
      return profile === undefined ? found : { ...found, profile };
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      const { code, message, fields } = thrown;
      if (code !== "storage.damaged") return { kind: "failed", code, message, fields };
      const seen = damaged.has(progress.block);
      // What was added of a damaged block cannot be taken back, so the part is done again without
      // it. Damage that no block is to blame for takes the whole part.
      damaged.set(progress.block, describe(thrown));
      if (progress.block < 0 || seen) return wholeDamaged(compiled.plan, task, damaged);
    }
  }
}

function wholeDamaged(
  plan: PlanMessage,
  task: PartTask,
  damaged: ReadonlyMap<number, string>,
): PartialMessage {
  const answer = answerOfNothing(plan.sink);
  const bytes = task.after === undefined ? Math.ceil(task.part.bytes / (task.slice?.of ?? 1)) : 0;
  const scanned = { rows: 0, bytes, blocks: 0 };
  return { kind: "done", answer, scanned, damaged: [...damaged.values()] };
}

function describe({ message, fields }: ServiceError): string {
  const facts = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
  return [message, ...facts].join(" ");
}

interface Scan {
  readonly task: PartTask;
  readonly sink: PartSink;
  /** Blocks to leave out, by their number in the part. */
  readonly damaged: Map<number, string>;
  /** Which block is being read, for whoever catches. */
  readonly progress: { block: number };
}

function scanPart(compiled: Compiled, { task, sink, damaged, progress }: Scan): Scanned {
  const { plan, reader, limits } = compiled;
  const blocks = listBlocks(reader, task, damaged);
  const oldestFirst = plan.sink.kind === "records" && plan.sink.oldestFirst === true;
  if (oldestFirst) blocks.sort(oldestLast);
  compiled.probe?.lap("open");
  let rows = 0;
  let count = 0;
  let heldBytes = 0;
  // What is done leaves the list, so that its memory goes.
  for (let next = blocks.pop(); next !== undefined; next = blocks.pop()) {
    interrupt.check();
    progress.block = next.number;
    if (damaged.has(next.number)) continue;
    const block = compiled.probe?.watch(next.block) ?? next.block;
    const looked = scanBlock(compiled, block, task, sink);
    rows += looked;
    if (looked > 0) count++;
    if (sink.byteSize > plan.memoryBytesMax) {
      throw new ServiceError("query.memory", "the query needs more memory than allowed", {
        bytesMax: plan.memoryBytesMax,
      });
    }
    if (looked > 0) heldBytes += next.block.byteSize ?? 0;
    const behind = blocks.at(-1)?.block;
    if (heldBytes < limits.orderedBytes || behind === undefined) continue;
    if (sink.isEnough?.(oldestFirst ? behind.timeMin : behind.timeMax) === true) break;
    heldBytes = 0;
  }
  const bytes = Math.ceil(task.part.bytes / (task.slice?.of ?? 1));
  return task.after === undefined ? { rows, bytes, blocks: count } : nothing;
}

const nothing: Scanned = { rows: 0, bytes: 0, blocks: 0 };

interface NumberedBlock {
  readonly number: number;
  readonly block: Block;
}

/**
 * The part's blocks, the newest last; nothing of them is decoded yet. A part that cannot be listed to its end is damaged
 * from there on.
 */
function listBlocks(
  reader: PartReader,
  { part, slice }: PartTask,
  damaged: Map<number, string>,
): NumberedBlock[] {
  const blocks: NumberedBlock[] = [];
  let number = 0;
  try {
    for (const block of reader.blocks(part)) {
      if (slice === undefined || number % slice.of === slice.index) blocks.push({ number, block });
      number++;
    }
  } catch (thrown) {
    if (!(thrown instanceof ServiceError) || thrown.code !== "storage.damaged") throw thrown;
    damaged.set(number, describe(thrown));
  }
  return blocks.sort(
    (a, b) => momentCompare(a.block.timeMax, b.block.timeMax) || a.number - b.number,
  );
}

function oldestLast(a: NumberedBlock, b: NumberedBlock): number {
  return momentCompare(b.block.timeMin, a.block.timeMin) || b.number - a.number;
}

/** Gives how many rows were looked at. */
function scanBlock(
  { plan, filter, pipes, every, deletions, probe }: Compiled,
  block: Block,
  task: PartTask,
  sink: PartSink,
): number {
  const range = wantedRange(plan, task, sink);
  if (momentCompare(block.timeMax, range.from) < 0 || momentCompare(block.timeMin, range.to) >= 0) {
    probe?.skipped();
    return 0;
  }
  const rows = new RowSet(block.rowCount);
  narrowToRange(block, rows, range);
  // Through a view, since there `_time` and `_stream` are columns to whoever asks for them by name.
  const view = View.records(block);
  if (!rows.isEmpty) filter.narrow(view, rows);
  deletions.hide(view, rows, task.part.deletions ?? []);
  probe?.filtered(rows.count);
  if (rows.isEmpty) return block.rowCount;
  const isWhole = rows.count === block.rowCount;
  let left: Rows = { view, rows: isWhole ? every.upTo(block.rowCount) : rows.rows() };
  for (const pipe of pipes) {
    interrupt.check();
    left = pipe.apply(left);
    if (left.rows.length === 0) return block.rowCount;
  }
  probe?.lap("pipes");
  sink.add(left);
  probe?.lap("collect");
  return block.rowCount;
}

/** The query's range without what is too old to be wanted by now, or was answered before. */
function wantedRange({ range, sink }: PlanMessage, task: PartTask, filled: PartSink): TimeRange {
  const floorMs = Math.max(
    task.floorMs ?? Number.NEGATIVE_INFINITY,
    filled.floorMs ?? Number.NEGATIVE_INFINITY,
  );
  const from = later(range.from, { ms: floorMs, ns: 0 });
  const key = task.after?.key ?? (sink.kind === "records" ? sink.from : undefined);
  if (sink.kind === "records" && sink.oldestFirst === true) {
    const ceilingMs = Math.min(
      task.ceilingMs ?? Number.POSITIVE_INFINITY,
      filled.ceilingMs ?? Number.POSITIVE_INFINITY,
    );
    const begin = key === undefined ? from : later(from, { ms: key.ms, ns: key.ns });
    return { from: begin, to: earlier(range.to, { ms: ceilingMs + 1, ns: 0 }) };
  }
  // Records of the key's own time may still be wanted.
  const end = key === undefined ? range.to : { ms: key.ms, ns: key.ns + 1 };
  return { from, to: earlier(end, range.to) };
}

function earlier(a: Moment, b: Moment): Moment {
  return momentCompare(a, b) <= 0 ? a : b;
}

function later(a: Moment, b: Moment): Moment {
  return momentCompare(a, b) >= 0 ? a : b;
}
