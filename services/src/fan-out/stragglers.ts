import type { PlanMessage } from "../../../query/src/plan/plan.ts";
import type { Lateness } from "./attempts.ts";
import {
  askedTwiceMax,
  askedTwiceShare,
  lateFactor,
  lateLoneMs,
  lateMsMin,
  lateRecentCount,
  lateRecentMin,
} from "./limits.ts";

/** What has become of pieces of queries at other nodes, since this process started. */
export interface FragmentCounts {
  /** Asked of other nodes. */
  asked: number;
  /** Begun at a copy, since the first node could not be reached, found damage or took long. */
  elsewhere: number;
  /** Of these, those that took long, and where the copy answered and the first had not. */
  askedTwice: number;
  secondWasFirst: number;
}

/**
 * Says which pieces of queries take far too long. A piece is late when it takes three times as long as nineteen of twenty recent ones and three times
 * as long as the slowest other of its own query, and a quarter of a second at least; a second while its query has nothing to compare it with.
 * After Dean and Barroso, "The Tail at Scale" (hedged requests); the share that is asked twice is bounded, so that
 * a cluster which is slow as a whole is not asked for more.
 */
export class Stragglers {
  readonly counts: FragmentCounts = { asked: 0, elsewhere: 0, askedTwice: 0, secondWasFirst: 0 };
  /** Milliseconds of the last pieces, the oldest overwritten first. */
  readonly #recent: number[] = [];
  #next = 0;
  /** Of `#recent`, as it was a few pieces ago; undefined: to be reckoned again. */
  #highMs: number | undefined;
  readonly #slowest = new WeakMap<PlanMessage, number>();
  #credit = askedTwiceMax;

  of(plan: PlanMessage): Lateness & { readonly wasTaken: boolean } {
    let wasTaken = false;
    return {
      lateMs: () => this.#lateMs(plan),
      take: () => {
        if (this.#credit < 1) return false;
        this.#credit--;
        this.counts.askedTwice++;
        wasTaken = true;
        return true;
      },
      get wasTaken() {
        return wasTaken;
      },
    };
  }

  /** A piece was answered. */
  done(plan: PlanMessage, tookMs: number): void {
    this.#recent[this.#next] = tookMs;
    this.#next = (this.#next + 1) % lateRecentCount;
    // It changes slowly, and sorting is not free.
    if (this.#next % 16 === 0) this.#highMs = undefined;
    this.#slowest.set(plan, Math.max(tookMs, this.#slowest.get(plan) ?? 0));
    this.#credit = Math.min(askedTwiceMax, this.#credit + askedTwiceShare);
  }

  #lateMs(plan: PlanMessage): number {
    const slowest = this.#slowest.get(plan);
    const least = slowest === undefined ? lateLoneMs : lateMsMin;
    return Math.max(least, lateFactor * (slowest ?? 0), lateFactor * this.#high());
  }

  /** What nineteen of twenty recent ones did not exceed. */
  #high(): number {
    if (this.#recent.length < lateRecentMin) return 0;
    this.#highMs ??= this.#recent.toSorted((a, b) => a - b)[
      Math.floor(this.#recent.length * 0.95)
    ] as number;
    return this.#highMs;
  }
}
