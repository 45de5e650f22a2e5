import { ServiceError } from "../../../kit/src/errors.ts";
import type { Query } from "../language/ast.ts";
import { tailsMax } from "../limits.ts";
import { TailSubscription } from "./subscription.ts";
import { decodeTailId } from "./tail-id.ts";
import { planTail, type TailChunk, type TailPlan } from "./tail-plan.ts";

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

/** All tails of a node: pure state, told of commits and matches by its host. */
export class TailHub {
  readonly #subscriptions = new Map<string, TailSubscription>();
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

  #of(tenant: string): TailSubscription[] {
    return [...this.#subscriptions.values()].filter((each) => each.tenant === tenant);
  }
}
