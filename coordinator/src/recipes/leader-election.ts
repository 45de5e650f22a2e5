import { pause } from "../../../kit/src/pause.ts";
import { isZooKeeperError } from "../client/errors.ts";
import type { MultiStep } from "../client/multi.ts";
import type { CallOptions } from "../client/options.ts";
import type { Contest } from "./contest.ts";
import type { Entry } from "./entries.ts";
import type { Hold } from "./hold.ts";
import { retryMs } from "./limits.ts";
import { contestOf, enter, type LockOptions, whoIsBefore } from "./lock.ts";

/** A time in which this process leads. */
export interface LeaderTerm {
  /** Greater than that of every leader before. */
  readonly token: bigint;
  /** Aborted when the term is over or may be. */
  readonly signal: AbortSignal;
  /** The operations behind a check that we still lead: for `multi`. */
  guard(operations: readonly MultiStep[]): readonly MultiStep[];
}

export interface LeaderOptions extends LockOptions {
  /** Who we are, for those who ask who leads. */
  readonly id: string;
  /** Does the leader's work; the term ends when it settles, and we stand for election again, last. */
  readonly lead: (term: LeaderTerm) => Promise<void>;
  /** Told what `lead` or the election threw, for the log. */
  readonly onFailure?: (thrown: unknown) => void;
}

/** Who stands for election, and with which token. */
export interface Candidate {
  readonly id: string;
  readonly token: bigint;
}

/**
 * Stands for election until it is closed. The oldest candidate leads; each other one waits for the one before it, so
 * that a leader who goes wakes only its successor.
 */
export class LeaderElection {
  readonly #options: LeaderOptions;
  readonly #contest: Contest;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#contest = contestOf(options);
    this.#ended = this.#stand();
  }

  /** The leader, then its successors in their order. */
  async candidates({ signal }: CallOptions = {}): Promise<readonly Candidate[]> {
    return (await this.#contest.entries(signal)).map(candidateOf);
  }

  /** Undefined when nobody leads. */
  async leader(options: CallOptions = {}): Promise<Candidate | undefined> {
    return (await this.candidates(options))[0];
  }

  /** Ends the term, if there is one, waits for `lead`, and stands no more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
    await this.#contest.close();
  }

  async #stand(): Promise<void> {
    const { id, onFailure } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const data = Buffer.from(id);
        const hold = await enter(this.#contest, "candidate", whoIsBefore, { data, signal }, true);
        if (hold === undefined) continue;
        // Work that ended by itself is begun anew, but not in a tight loop.
        if (!(await this.#lead(hold))) await pause(retryMs, signal);
      } catch (thrown) {
        if (signal.aborted || isZooKeeperError(thrown, "CLOSED")) return;
        onFailure?.(thrown);
        // What fails at once must not fail in a tight loop.
        await pause(retryMs, signal);
      }
    }
  }

  /** Says whether the term was over before the work. */
  async #lead(hold: Hold): Promise<boolean> {
    const signal = AbortSignal.any([hold.lost, this.#closing.signal]);
    const term: LeaderTerm = {
      token: hold.token,
      signal,
      guard: (operations) => hold.guard(operations),
    };
    try {
      if (!signal.aborted) await this.#options.lead(term);
      return signal.aborted;
    } finally {
      // Not waited for without a connection: others follow once it is back, or with the session's end.
      void hold.release();
    }
  }
}

function candidateOf({ data, czxid }: Entry): Candidate {
  return { id: data?.toString() ?? "", token: czxid };
}
