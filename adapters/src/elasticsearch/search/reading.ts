import type { PartialMessage, PartTask, Scanned } from "../../../../query/src/engine/fragment.ts";
import type { PlanMessage } from "../../../../query/src/plan/plan.ts";

/** A part of a cut, as whoever evaluates it finds it in the part's `ref`. */
export interface PartReading {
  /** Throws a `ServiceError` when Elasticsearch cannot answer. */
  run(plan: PlanMessage, task: PartTask, signal: AbortSignal): Promise<PartialMessage>;
}

/** Whether a part's `ref` was made here. */
export function isPartReading(ref: unknown): ref is PartReading {
  return typeof (ref as Partial<PartReading> | null)?.run === "function";
}

type Done = Extract<PartialMessage, { readonly kind: "done" }>;

/** What was looked at, and what could not be, page by page. */
export class ReadSoFar {
  #scanned: Scanned = { rows: 0, bytes: 0, blocks: 0 };
  readonly #damaged = new Set<string>();

  add({ scanned, damaged }: Pick<Done, "scanned" | "damaged">): void {
    const { rows, bytes, blocks } = this.#scanned;
    this.#scanned = {
      rows: rows + scanned.rows,
      bytes: bytes + scanned.bytes,
      blocks: blocks + scanned.blocks,
    };
    for (const each of damaged) this.#damaged.add(each);
  }

  /** The answer with what all pages say. */
  done(answer: Done["answer"]): Done {
    return { kind: "done", answer, scanned: this.#scanned, damaged: [...this.#damaged] };
  }
}

/** As a worker says it of its own share. */
export function tooMuchMemory({ memoryBytesMax }: PlanMessage): PartialMessage {
  const message = "the query needs more memory than allowed";
  return { kind: "failed", code: "query.memory", message, fields: { bytesMax: memoryBytesMax } };
}
