import { ServiceError } from "../../../kit/src/errors.ts";
import type { Query } from "../language/ast.ts";
import { tailsMax } from "../limits.ts";
import { MatchSubscription } from "./match-subscription.ts";
import { TailSubscription } from "./subscription.ts";
import { decodeTailId } from "./tail-id.ts";
import { planTail, type TailChunk, type TailPlan } from "./tail-plan.ts";

/** Of a watch: what is counted, and from where on. */
export interface WatchOptions {
  readonly tenant: string;
  /** Its times resolved; row pipes only. */
  readonly query: Query;
  /** As of `SubscribeOptions`. */
  readonly positions: ReadonlyMap<number, number>;
  /** `progress` of an earlier batch; undefined: from now. */
  readonly progress: string | undefined;
  /** Lines of a batch at most, and their bytes beyond those of the first. */
  readonly keep: number;
  readonly linesBytesMax: number;
}

export interface SubscribeOptions {
  readonly tenant: string;
  /** Its times resolved; row pipes only. */
  readonly query: Query;
  /**
   * The committed position of every shard, read in the same turn of the loop in which the hub is told of commits, so that
   * no entry is both in here and offered later, and none is in neither.
   */
  readonly positions: ReadonlyMap<number, number>;
  /** `Last-Event-ID`. */
  readonly lastEventId?: string | undefined;
  readonly bufferBytes?: number | undefined;
}

/** Who is told of what matches a plan. */
export interface TailListener {
  readonly plan: TailPlan;
  readonly tenant: string;
  /** An entry of the tenant: what matched, undefined for nothing. Entries of a shard come in order, each once. */
  offer(shard: number, position: number, chunk: TailChunk | undefined): void;
  /** An entry of the tenant could not be matched. */
  missed?(shard: number, position: number): void;
}

/** All tails of a node: pure state, told of commits and matches by its host. */
export class TailHub {
  readonly #subscriptions = new Map<string, TailSubscription>();
  readonly #watchers = new Map<string, MatchSubscription>();
  #number = 0;

  get size(): number {
    return this.#subscriptions.size;
  }

  /** Throws `query.invalid` for a query or an id that cannot be, `query.busy` when there are too many tails. */
  subscribe(options: SubscribeOptions): TailSubscription {
    if (this.#subscriptions.size >= tailsMax) {
      throw new ServiceError("query.busy", "too many tails are open", { tailsMax });
    }
    const { tenant, query, positions, lastEventId, bufferBytes } = options;
    const plan = planTail(`tail-${this.#number++}`, query);
    const resume = lastEventId === undefined ? undefined : decodeTailId(lastEventId);
    const subscription = new TailSubscription({ plan, tenant, positions, resume, bufferBytes });
    this.#subscriptions.set(plan.id, subscription);
    return subscription;
  }

  unsubscribe(subscription: TailSubscription): void {
    this.#subscriptions.delete(subscription.plan.id);
  }

  /**
   * Begins to count what matches. Throws `query.invalid` for a query or a progress that cannot be; how many watch
   * is bounded by who asks.
   */
  watch(options: WatchOptions): MatchSubscription {
    const { query, progress, ...rest } = options;
    const plan = { ...planTail(`match-${this.#number++}`, query), keep: options.keep };
    const resume = progress === undefined ? undefined : decodeTailId(progress);
    const subscription = new MatchSubscription({ ...rest, plan, resume });
    this.#watchers.set(plan.id, subscription);
    return subscription;
  }

  unwatch(subscription: MatchSubscription): void {
    this.#watchers.delete(subscription.plan.id);
  }

  /** What a committed batch of a tenant is to be matched against; empty: nobody watches. */
  plansOf(tenant: string): TailPlan[] {
    return this.#of(tenant).map(({ plan }) => plan);
  }

  /**
   * A committed entry and what was found in it. Entries of a shard come in the order of their
   * positions, each once, those without a match too.
   */
  offer(
    entry: { readonly tenant: string; readonly shard: number; readonly position: number },
    found: ReadonlyMap<string, TailChunk>,
  ): void {
    for (const subscription of this.#of(entry.tenant)) {
      subscription.offer(entry.shard, entry.position, found.get(subscription.plan.id));
    }
  }

  /** An entry that could not be matched: it counts as one without a match, but for who must miss none. */
  missed(entry: {
    readonly tenant: string;
    readonly shard: number;
    readonly position: number;
  }): void {
    for (const listener of this.#of(entry.tenant)) {
      if (listener.missed === undefined) listener.offer(entry.shard, entry.position, undefined);
      else listener.missed(entry.shard, entry.position);
    }
  }

  #of(tenant: string): TailListener[] {
    const all: TailListener[] = [...this.#subscriptions.values(), ...this.#watchers.values()];
    return all.filter((each) => each.tenant === tenant);
  }
}
