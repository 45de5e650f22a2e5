import {
  changeRetryMs,
  heartbeatMs,
  holdStallMs,
  joinTimeoutMs,
  membersBesideSlowMin,
  replicaStallMs,
  replicaTimeoutMs,
} from "./limits.ts";
import type { MultiItem } from "./multi-queue.ts";
import type { Other, OwnerState } from "./owner-state.ts";
import { isDeposed } from "./owner-view.ts";
import type { MultiOp, ShardFacts } from "./types.ts";

/** The set as it shall be. */
interface WantedSet {
  readonly replicas: readonly string[];
  readonly inSync: readonly string[];
  /** The learner that comes in by it. */
  readonly joiner: Other | undefined;
}

/**
 * "The in-sync set": takes out who does not answer, lets in who has caught up, and follows the balancer's orders, one
 * change at a time. From before a change is asked until it is settled the owner waits for both sets.
 */
export class SetChanges {
  readonly #state: OwnerState;
  /** The set is another, or its change is settled. */
  readonly #changed: () => void;
  #change: SetChange | undefined;
  /** When a change may be tried again, and when one that lets somebody in. */
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #joinAtMs = Number.NEGATIVE_INFINITY;

  constructor(state: OwnerState, changed: () => void) {
    this.#state = state;
    this.#changed = changed;
  }

  get isPending(): boolean {
    return this.#change !== undefined;
  }

  /** Looks whether the set is as it shall be, and begins a change or takes it further. */
  evaluate(): void {
    const { core, inSync, isBegun, isHandingOver, isOver } = this.#state;
    if (!isBegun || isOver) return;
    if (this.#change !== undefined) {
      this.#change.evaluate();
      return;
    }
    if (isHandingOver || core.nowMs < this.#retryAtMs) return;
    // Who is left of the set when it is repaired is for a sound owner to say: it gives the shard up.
    if (core.isDamaged && inSync.members.length > 1) return;
    const wanted = this.#wanted();
    if (wanted === undefined) return;
    this.#change = new SetChange(this.#state, wanted, (isRetry) => {
      this.#change = undefined;
      const retryAtMs = core.nowMs + changeRetryMs;
      if (isRetry && wanted.joiner !== undefined) this.#joinAtMs = retryAtMs;
      else if (isRetry) this.#retryAtMs = retryAtMs;
      this.#changed();
    });
    this.#change.evaluate();
  }

  #wanted(): WantedSet | undefined {
    const { assigned, core, inSync, others, replicas, start } = this.#state;
    const { members } = inSync;
    let set = members.filter((member) => {
      const other = others.get(member);
      return other === undefined || !this.#isLost(other);
    });
    if (set.length === 1 && !this.#mayBeAlone()) set = [...members];
    const slow = set.find((member) => this.#canSpare(others.get(member), set));
    if (slow !== undefined) set = set.filter((member) => member !== slow);
    let joiner: Other | undefined;
    // Until its first entry is committed, an owner does not know of all that was committed before it.
    const isKnown = inSync.committed >= start;
    if (isKnown && set.length === members.length && core.nowMs >= this.#joinAtMs) {
      joiner = assigned
        .map((replica) => others.get(replica))
        .find(
          (other) =>
            other !== undefined &&
            !set.includes(other.replica) &&
            !this.#canSpare(other, set) &&
            isReady(this.#state, other),
        );
      if (joiner !== undefined) set = [...set, joiner.replica];
    }
    const isWhole = assigned.every((replica) => set.includes(replica));
    if (isWhole && assigned.includes(core.replica)) {
      const stayed = set.filter((member) => assigned.includes(member));
      if (stayed.length > 1 || this.#mayBeAlone()) set = stayed;
    }
    const wanted = [...new Set([...assigned, ...set])];
    if (isSameSet(set, members) && isSameSet(wanted, replicas)) return undefined;
    return { replicas: wanted, inSync: set, joiner };
  }

  /**
   * Whether others are enough without a member on whose disk every append would wait. An owner that is slow cannot tell whether it
   * is the other; and who leaves the set is to be replaced, by whomever.
   */
  #canSpare(other: Other | undefined, set: readonly string[]): boolean {
    const { assigned, core, minInSync } = this.#state;
    if (other?.isSlow !== true || core.isSlow) return false;
    const left = set.filter((member) => member !== other.replica);
    const isEnough = left.length >= Math.max(membersBesideSlowMin, minInSync);
    return isEnough && left.every((member) => assigned.includes(member));
  }

  /**
   * Not while an owner before may have a lease: who finds itself alone in the set serves without waiting for one
   * (`isLeaseFree`).
   */
  #mayBeAlone(): boolean {
    const { core, leaseFreeMs } = this.#state;
    return core.nowMs >= leaseFreeMs;
  }

  /** A member that can not be waited for any longer. */
  #isLost(other: Other): boolean {
    const { nowMs, links, live } = this.#state.core;
    if (other.phase === "unfit" || other.phase === "halted") return true;
    const isLinked = links.has(other.replica);
    if (!isLinked && live.has(other.replica) && live.get(other.replica) === undefined) return true;
    if (nowMs >= other.heardMs + replicaTimeoutMs) return true;
    const { unheldSinceMs } = other;
    if (unheldSinceMs !== undefined && nowMs >= unheldSinceMs + holdStallMs) return true;
    return other.stalledMs(nowMs) >= replicaStallMs;
  }
}

/** One change, from its wish to its settlement. */
class SetChange implements MultiItem {
  readonly #state: OwnerState;
  readonly #wanted: WantedSet;
  readonly #settled: (isRetry: boolean) => void;
  readonly #sinceMs: number;
  #isQueued = false;
  /** What was written last. */
  #written:
    | { readonly replicas: readonly string[]; readonly inSync: readonly string[] }
    | undefined;

  constructor(state: OwnerState, wanted: WantedSet, settled: (isRetry: boolean) => void) {
    this.#state = state;
    this.#wanted = wanted;
    this.#settled = settled;
    this.#sinceMs = state.core.nowMs;
    // Waited for from before the request is sent: when it is, the joiner has all that is committed.
    if (!state.core.faults.has("expansion-not-waited-for")) {
      state.inSync.step({ kind: "change-asked", members: wanted.inSync });
    }
  }

  get isDead(): boolean {
    return this.#state.isOver;
  }

  evaluate(): void {
    if (this.#isQueued) return;
    const { core, inSync, isHandingOver } = this.#state;
    const isLate = core.nowMs >= this.#sinceMs + joinTimeoutMs;
    if (!isHandingOver && this.#isJoined()) {
      this.#isQueued = true;
      core.multis.add(this);
    } else if (isHandingOver || isLate || this.#wanted.joiner?.phase !== "streaming") {
      // Nothing was asked: the set is what it was.
      this.#settle(inSync.members, this.#state.replicas, true);
    }
  }

  write(isRepeat: boolean): { readonly op: MultiOp; readonly version: number } | undefined {
    const { inSync, replicas, version } = this.#state;
    const { joiner } = this.#wanted;
    // Damage may have been found since it was wanted: those who are sound may be the ones that were to go.
    const isShrinking = this.#wanted.inSync.length < inSync.members.length;
    const isUnsound = this.#state.core.isDamaged && isShrinking;
    const isOff = this.#state.isHandingOver || isUnsound;
    if (!isRepeat && (isOff || !this.#isJoined())) {
      this.#isQueued = false;
      if (isOff) this.#settle(inSync.members, replicas, true);
      return undefined;
    }
    // An expansion that may still come is not asked for again, since its joiner may be gone by now: any other write
    // settles it, by moving the version.
    const isTakenBack = isRepeat && (joiner !== undefined || isUnsound);
    this.#written = isTakenBack
      ? { replicas, inSync: inSync.members }
      : { replicas: this.#wanted.replicas, inSync: this.#wanted.inSync };
    const incarnation = joiner?.promised?.incarnation;
    const live = isTakenBack || incarnation === undefined ? [] : [incarnation];
    return { op: { kind: "change-set", ...this.#written, live }, version };
  }

  done(version: number): void {
    const { inSync, replicas } = this.#written ?? this.#wanted;
    this.#state.version = version;
    this.#settle(inSync, replicas, false);
  }

  settle(facts: ShardFacts, isUnknown: boolean): boolean {
    const { core, epoch, version } = this.#state;
    if (isDeposed(facts, { epoch, version, self: core.self })) return true;
    if (facts.version > version) {
      this.#state.version = facts.version;
      this.#settle(facts.inSync, facts.replicas, false);
      return true;
    }
    if (isUnknown) return false;
    this.#settle(this.#state.inSync.members, this.#state.replicas, true);
    return true;
  }

  assumes(): boolean {
    const { core, version } = this.#state;
    if (!core.faults.has("shrink-assumed") || this.#wanted.joiner !== undefined) return false;
    this.done(version + 1);
    return true;
  }

  #isJoined(): boolean {
    const { core, inSync, others } = this.#state;
    const { joiner } = this.#wanted;
    if (joiner === undefined || core.faults.has("expansion-not-waited-for")) return true;
    if (others.get(joiner.replica) !== joiner || !isReady(this.#state, joiner)) return false;
    return joiner.durable >= inSync.committed;
  }

  #settle(inSync: readonly string[], replicas: readonly string[], isRetry: boolean): void {
    const { core } = this.#state;
    const { version } = this.#state;
    this.#state.replicas = replicas;
    this.#state.inSync.step({ kind: "change-settled", members: inSync });
    if (core.facts !== undefined) core.learn({ ...core.facts, version, inSync, replicas });
    this.#settled(isRetry);
  }
}

/** A learner that could be a member: it gets entries, answers, is not far behind, and holds every live segment. */
function isReady({ core, inSync, liveRevision }: OwnerState, other: Other): boolean {
  return (
    other.phase === "streaming" &&
    core.nowMs < other.heardMs + 2 * heartbeatMs &&
    other.heldRevision >= liveRevision &&
    other.toldRevision > 0 &&
    (other.durable >= inSync.committed || other.sent.position === core.log.end.position)
  );
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}
