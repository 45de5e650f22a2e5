import { handOverTimeoutMs, heartbeatMs, strainedHandOverTimeoutMs } from "./limits.ts";
import type { MultiItem } from "./multi-queue.ts";
import type { Other, OwnerState } from "./owner-state.ts";
import { isDeposed } from "./owner-view.ts";
import type { MultiOp, ShardFacts } from "./types.ts";

export interface HandOverOrder {
  readonly target: string | undefined;
  readonly transferMs: number;
  /** Gives up even if nobody can take it. */
  readonly isDrain: boolean;
  /** Its disk is slow or full: it takes longer, and then gives up if somebody can take it. */
  readonly isStrained?: boolean;
  /** Somebody waits for an answer. */
  readonly isAsked: boolean;
}

/**
 * "Moving", hand over: appends and cuts rest, all is committed, one write gives the shard away. While its outcome is
 * not known they go on resting.
 */
export class HandOver implements MultiItem {
  readonly order: HandOverOrder;
  readonly #state: OwnerState;
  readonly #isQuiet: () => boolean;
  readonly #isServing: () => boolean;
  readonly #settled: (isDone: boolean, reason: string) => void;
  readonly #sinceMs: number;
  #target: string | undefined;
  #isQueued = false;
  isAsked = false;

  /**
   * `isQuiet`: no change of the set and no commit of segments is pending. `isServing`: no lease of an owner before is
   * left; whoever it is handed to counts on that.
   */
  constructor(
    state: OwnerState,
    order: HandOverOrder,
    isQuiet: () => boolean,
    isServing: () => boolean,
    settled: (isDone: boolean, reason: string) => void,
  ) {
    this.#state = state;
    this.order = order;
    this.#isQuiet = isQuiet;
    this.#isServing = isServing;
    this.#settled = settled;
    this.#sinceMs = state.core.nowMs;
  }

  get isDead(): boolean {
    return this.#state.isOver;
  }

  evaluate(): void {
    if (this.#isQueued) return;
    const { core, inSync } = this.#state;
    const { isDrain, isStrained = false } = this.order;
    const timeoutMs = isStrained ? strainedHandOverTimeoutMs : handOverTimeoutMs;
    const isLate = core.nowMs >= this.#sinceMs + timeoutMs;
    this.#target = this.#isServing() ? takerOf(this.#state, this.order.target) : undefined;
    const isCommitted = inSync.committed === core.log.end.position;
    const isTaker = this.#target !== undefined || (isDrain && isLate);
    if (isTaker && this.#isQuiet() && (isCommitted || (isLate && (isDrain || isStrained)))) {
      // Given up with entries that are not committed: nobody was told of them, whoever takes over decides.
      if (!isCommitted) this.#target = undefined;
      this.#isQueued = true;
      core.multis.add(this);
    } else if (isLate && !isDrain) {
      this.#settled(false, isTaker ? "entries were not committed in time" : "nobody can take it");
    }
  }

  write(): { readonly op: MultiOp; readonly version: number } {
    this.isAsked = true;
    const transferMs = this.#target === undefined ? 0 : this.order.transferMs;
    const op: MultiOp = { kind: "hand-over", next: this.#target, transferMs };
    return { op, version: this.#state.version };
  }

  done(version: number): void {
    const { core } = this.#state;
    if (core.facts !== undefined) {
      const { transferMs } = this.order;
      const given = { owner: undefined, holder: undefined, next: this.#target, transferMs };
      core.learn({ ...core.facts, ...given, version });
    }
    this.#settled(true, "handed over");
  }

  /** Whether a reading shows that it was carried out; then it is settled. */
  isGiven(facts: ShardFacts): boolean {
    const { epoch, version } = this.#state;
    if (facts.epoch !== epoch || facts.version <= version || facts.owner !== undefined)
      return false;
    this.#settled(true, "handed over");
    return true;
  }

  settle(facts: ShardFacts, isUnknown: boolean): boolean {
    const { core, epoch, version } = this.#state;
    if (this.isGiven(facts)) return true;
    if (isDeposed(facts, { epoch, version, self: core.self })) return true;
    // The owner znode goes with its session, and no try can delete it then: this version settles that it was not given.
    if (isUnknown && facts.holder?.isOwnSession === true) return false;
    this.#settled(false, "refused by the coordinator");
    return true;
  }
}

/** Who takes it: the target, or the one that is furthest, a strained one last; undefined when none can. */
export function takerOf(state: OwnerState, target: string | undefined): string | undefined {
  const able = ableOf(state);
  if (target !== undefined)
    return able.some(({ replica }) => replica === target) ? target : undefined;
  const unstrained = able.filter(({ isStrained }) => !isStrained);
  return furthestOf(state, unstrained.length > 0 ? unstrained : able);
}

/** Who takes it from an owner whose disk is full or slow: one whose disk is neither, first of all the one preferred. */
export function reliefOf(state: OwnerState): string | undefined {
  const unstrained = ableOf(state).filter(({ isStrained }) => !isStrained);
  const { preferred } = state;
  if (unstrained.some(({ replica }) => replica === preferred)) return preferred;
  return furthestOf(state, unstrained);
}

function ableOf(state: OwnerState): Other[] {
  return state.inSync.members
    .map((member) => state.others.get(member))
    .filter((other): other is Other => other !== undefined && isAble(state, other));
}

function furthestOf({ assigned }: OwnerState, able: readonly Other[]): string | undefined {
  const wanted = able.filter(({ replica }) => assigned.includes(replica));
  const choice = wanted.length > 0 ? wanted : able;
  return choice.toSorted((a, b) => b.durable - a.durable)[0]?.replica;
}

function isAble({ core }: OwnerState, other: Other): boolean {
  const isHeard = core.nowMs < other.heardMs + 2 * heartbeatMs;
  return other.phase === "streaming" && !other.needsReset && isHeard;
}
