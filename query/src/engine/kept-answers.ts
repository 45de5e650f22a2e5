import type { FilterNode } from "../language/ast.ts";
import { keptAnswerBytesMax } from "../limits.ts";
import type { PlanMessage } from "../plan/plan.ts";
import type { Part } from "../source.ts";
import { byteSizeOf } from "./byte-size.ts";
import type { PartialMessage, PartTask } from "./fragment.ts";
import type { FragmentPool } from "./pool.ts";

type Done = Extract<PartialMessage, { readonly kind: "done" }>;

interface Kept {
  readonly message: Done;
  readonly bytes: number;
}

/**
 * A pool that keeps what was answered of parts that never change, so that a question that comes again is only merged:
 * at most so many bytes, the least recently used go first.
 */
export class KeptAnswers implements FragmentPool {
  readonly #pool: FragmentPool;
  readonly #bytesMax: number;
  /** Insertion order is order of use. */
  readonly #kept = new Map<string, Kept>();
  /** What of a plan is the same for all parts, as text; the plans of running queries. */
  readonly #texts = new WeakMap<PlanMessage, PlanText>();
  #bytes = 0;

  constructor(pool: FragmentPool, bytesMax: number) {
    this.#pool = pool;
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#pool.size;
  }

  get finish(): FragmentPool["finish"] {
    return this.#pool.finish?.bind(this.#pool);
  }

  get bytes(): number {
    return this.#bytes;
  }

  async run(plan: PlanMessage, task: PartTask, signal: AbortSignal): Promise<PartialMessage> {
    const key = this.#keyOf(plan, task);
    if (key === undefined) return this.#pool.run(plan, task, signal);
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept.message;
    }
    const message = await this.#pool.run(plan, task, signal);
    if (message.kind === "done" && message.damaged.length === 0) this.#keep(key, message);
    return message;
  }

  #keep(key: string, message: Done): void {
    // Nothing is read to answer it again.
    const again: Done = { ...message, scanned: { rows: 0, bytes: 0, blocks: 0 } };
    const bytes = byteSizeOf(message.answer) + 2 * key.length + 200;
    if (bytes > Math.min(keptAnswerBytesMax, this.#bytesMax)) return;
    this.#bytes += bytes - (this.#kept.get(key)?.bytes ?? 0);
    this.#kept.delete(key);
    this.#kept.set(key, { message: again, bytes });
    for (const [oldest, { bytes: freed }] of this.#kept) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#kept.delete(oldest);
      this.#bytes -= freed;
    }
  }

  /** What the answer depends on; undefined for one that is not to be kept. */
  #keyOf(plan: PlanMessage, task: PartTask): string | undefined {
    const { part, after, slice } = task;
    const { floorMs = part.timeMin.ms, ceilingMs = part.timeMax.ms } = task;
    const isWhole =
      after === undefined && floorMs <= part.timeMin.ms && ceilingMs >= part.timeMax.ms;
    if (part.identity === undefined || !isWhole || plan.analyze === true) return undefined;
    let text = this.#texts.get(plan);
    if (text === undefined) {
      text = planTextOf(plan);
      this.#texts.set(plan, text);
    }
    if (!text.isSteady) return undefined;
    const ends = coveredBy(plan, part) ? text.withoutTimes : text.withTimes;
    return `${part.identity} ${slice?.index ?? 0}/${slice?.of ?? 1} ${ends}`;
  }
}

interface PlanText {
  /** With the query's range, for parts that reach beyond it. */
  readonly withTimes: string;
  /** For parts within the range, so that a range that moves finds what was kept. */
  readonly withoutTimes: string;
  /** The same records give the same answer each time. */
  readonly isSteady: boolean;
}

function planTextOf({ filter, range, pipes, sink }: PlanMessage): PlanText {
  const rest = JSON.stringify([pipes, sink], textOfNumber);
  return {
    withTimes: JSON.stringify([range, filter], textOfNumber) + rest,
    withoutTimes: JSON.stringify(withoutTimes(filter), textOfNumber) + rest,
    isSteady: !/"(rand|now|sample)"/.test(rest),
  };
}

/** JSON has no infinity, and an open end is not the same as none. */
function textOfNumber(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? `number ${value}` : value;
}

/** The query's range has been narrowed by those times that every record must be in. */
function withoutTimes(filter: FilterNode): FilterNode {
  if (filter.kind === "time") return { kind: "any" };
  if (filter.kind !== "and") return filter;
  return { kind: "and", parts: filter.parts.map(withoutTimes) };
}

function coveredBy({ range: { from, to } }: PlanMessage, { timeMin, timeMax }: Part): boolean {
  const begins = timeMin.ms > from.ms || (timeMin.ms === from.ms && timeMin.ns >= from.ns);
  return begins && (timeMax.ms < to.ms || (timeMax.ms === to.ms && timeMax.ns < to.ns));
}
