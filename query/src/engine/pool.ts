import type { PlanMessage } from "../plan/plan.ts";
import type { FinishMessage, FinishTask } from "./finish.ts";
import type { PartialMessage, PartTask } from "./fragment.ts";

/**
 * Whoever runs fragments: worker threads, each with a `FragmentHost`. A rejection means that the
 * worker failed, not the query.
 */
export interface FragmentPool {
  /** Pieces of work that are worth handing out at a time. */
  readonly size: number;
  /** Does the work somewhere; once the signal is aborted, work that waits need not be begun. */
  run(plan: PlanMessage, task: PartTask, signal: AbortSignal): Promise<PartialMessage>;
  /** Merges many answers and does what is left of the query; absent: whoever asks does it. */
  readonly finish?: ((task: FinishTask, signal: AbortSignal) => Promise<FinishMessage>) | undefined;
}
