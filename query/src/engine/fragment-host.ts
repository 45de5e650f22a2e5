import { ServiceError } from "../../../kit/src/errors.ts";
import { fragmentsKept, type RecordLimits, recordLimits } from "../limits.ts";
import type { PlanMessage } from "../plan/plan.ts";
import type { PartReader } from "../source.ts";
import { partialBuffers } from "../table/posted.ts";
import { createFragment, type Fragment, type PartialMessage, type PartTask } from "./fragment.ts";
import { KeptRecords } from "./kept-records.ts";

/** A worker's queries: compiles each plan once and keeps the ones used last. */
export class FragmentHost {
  readonly #reader: PartReader;
  readonly #fragments = new Map<string, Fragment>();
  readonly #limits: RecordLimits;
  readonly #kept: KeptRecords;

  /** `limits.keptBytes` is 0 where a part gives other blocks each time. */
  constructor(reader: PartReader, limits: RecordLimits = recordLimits) {
    this.#reader = reader;
    this.#limits = limits;
    this.#kept = new KeptRecords(limits.keptBytes);
  }

  run(plan: PlanMessage, task: PartTask): PartialMessage {
    try {
      return this.#fragment(plan).run(task);
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      const { code, message, fields } = thrown;
      return { kind: "failed", code, message, fields };
    }
  }

  /** Lets go of what belongs to queries that have ended. */
  closeIdle(): void {
    this.#kept.dropEnded();
  }

  #fragment(plan: PlanMessage): Fragment {
    const kept = this.#fragments.get(plan.id);
    this.#fragments.delete(plan.id);
    const fragment = kept ?? createFragment(plan, this.#reader, this.#limits, this.#kept);
    this.#fragments.set(plan.id, fragment);
    // A map keeps the order of insertion, so the first is the one not used for the longest time.
    for (const id of this.#fragments.keys()) {
      if (this.#fragments.size <= fragmentsKept) break;
      this.#fragments.delete(id);
    }
    return fragment;
  }
}

/** The buffers of a message that may be moved to another thread and not copied. */
export function transferablesOf(message: PartialMessage): ArrayBuffer[] {
  if (message.kind !== "done") return [];
  if (message.answer.kind === "gather") return partialBuffers(message.answer.partial);
  const { bytes, offsets, ms, ns, positions, streamCodes } = message.answer.chunk;
  const arrays = [bytes, offsets, ms, ns, positions, streamCodes];
  const buffers = arrays.map((array) => array.buffer);
  return buffers.filter((buffer): buffer is ArrayBuffer => buffer instanceof ArrayBuffer);
}
