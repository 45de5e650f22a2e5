import type { Closable } from "../../kit/src/lifecycle.ts";

/** An evaluation that is due: the moment it is for, a multiple of the rule's interval. */
export interface Tick {
  /** The rule's id. */
  readonly rule: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

export interface Schedule {
  /** The rule's id. */
  readonly rule: string;
  readonly everyMs: number;
}

/** What a scheduler calls. Both reject to be called again with the same argument, after a backoff. */
export interface SchedulerHandlers {
  /** One call at a time for a rule; several rules side by side. */
  onTick(tick: Tick, signal: AbortSignal): Promise<void>;
  /**
   * An attempt to deliver what `deliver` named. Resolves with undefined when there is nothing left to do for it, or with
   * the milliseconds after which it wants to be called again.
   */
  onDelivery(id: string, attempt: number, signal: AbortSignal): Promise<number | undefined>;
}

/**
 * Says when rules are evaluated and when deliveries are attempted. Two implementations, in process and on Redis, one
 * contract suite. Durable means: after a crash at any moment and a new start with the same schedules and deliveries,
 * no rule stops being ticked and no delivery is forgotten. A tick may come twice (the state remembers which it has
 * seen); of ticks that were missed only the latest comes.
 */
export interface Scheduler extends Closable {
  /** Replaces all schedules: what is not in the list any more is ticked no more, what has not changed goes on undisturbed. */
  schedule(schedules: readonly Schedule[]): Promise<void>;
  /** Calls `onDelivery` with the id, soon and until it is done. An id that is already waiting is not doubled. */
  deliver(id: string): Promise<void>;
  /** Starts no more calls, aborts the signals of those under way and waits for them. */
  close(): Promise<void>;
}
