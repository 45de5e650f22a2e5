import { type Core, replicaOf } from "./core.ts";
import {
  acquireStaggerMs,
  idleLookMs,
  lookRetryMs,
  ownerTickMs,
  replicaTimeoutMs,
  strainedHoldMs,
} from "./limits.ts";

/** What a replica that neither owns the shard nor takes it over should do about its owner. */
export type Turn = "rest" | "look" | "take-over";

/** When a replica tries to acquire: a preference only, since the coordinator's version decides. */
export class Vacancy {
  readonly #core: Core;
  #sinceMs: number | undefined;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(core: Core) {
    this.#core = core;
  }

  /** How long it can do without looking at its clock; undefined: for good, since it may not acquire. */
  get restMs(): number | undefined {
    const { facts, isDamaged, looks } = this.#core;
    if (looks.wakeAtMs !== undefined || this.#sinceMs !== undefined) return ownerTickMs;
    return facts === undefined || isDamaged || !this.#core.isMember(facts) ? undefined : idleLookMs;
  }

  looked(): void {
    this.#lookedMs = this.#core.nowMs;
  }

  /** It has acquired: should it give the shard away, the others' turns count from then. */
  acquired(): void {
    this.#sinceMs = undefined;
  }

  /** It was not to be. */
  failed(): void {
    this.#retryAtMs = this.#core.nowMs + lookRetryMs;
  }

  /** `heardMs`: when anything came from an owner last. */
  turn(heardMs: number): Turn {
    const core = this.#core;
    const { facts, looks, nowMs, replica } = core;
    if (facts === undefined || core.isDamaged || !core.isMember(facts)) {
      this.#sinceMs = undefined;
      return "rest";
    }
    const { holder, next, owner, replicas } = facts;
    if (holder !== undefined && replicaOf(holder.name) !== replica) {
      this.#sinceMs = undefined;
      // Watches come late or not at all.
      const isQuiet = nowMs >= Math.max(heardMs + replicaTimeoutMs, this.#lookedMs + idleLookMs);
      return isQuiet && !looks.isWanted ? "look" : "rest";
    }
    this.#sinceMs ??= nowMs;
    const isOwnTurn = next === replica || (owner !== undefined && replicaOf(owner) === replica);
    const place = isOwnTurn ? 0 : Math.max(0, replicas.indexOf(replica));
    const staggeredMs = this.#sinceMs + place * acquireStaggerMs;
    const holdMs =
      core.isStrained && next !== replica && facts.inSync.length > 1 ? strainedHoldMs : 0;
    const fromMs = Math.max(this.#retryAtMs, staggeredMs + holdMs, core.heldBackUntilMs(facts));
    return nowMs >= fromMs ? "take-over" : "rest";
  }
}
