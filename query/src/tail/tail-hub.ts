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

/** All plans of a tenant. */
export interface TailPlans {
  /** Another one for each change, and for each tenant. */
  readonly version: number;
  readonly plans: readonly TailPlan[];
}

/** Where a committed batch lies. */
export interface CommittedEntry {
  readonly tenant: string;
  readonly shard: number;
  readonly position: number;
}

/** Who is told of a tenant's matches. */
interface Listeners {
  readonly all: Map<string, TailListener>;
  plans: TailPlans;
}

/** All tails of a node: pure state, told of commits and matches by its host. */
export class TailHub {
  readonly #tenants = new Map<string, Listeners>();
  #number = 0;
  #size = 0;

  /** Tails of clients. */
  get size(): number {
    return this.#size;
  }

  /** Throws `query.invalid` for a query or an id that cannot be, `query.busy` when there are too many tails. */
  subscribe(options: SubscribeOptions): TailSubscription {
    if (this.#size >= tailsMax) {
      throw new ServiceError("query.busy", "too many tails are open", { tailsMax });
    }
    const { tenant, query, positions, lastEventId, bufferBytes } = options;
    const plan = planTail(`tail-${this.#number++}`, query);
    const resume = lastEventId === undefined ? undefined : decodeTailId(lastEventId);
    const subscription = new TailSubscription({ plan, tenant, positions, resume, bufferBytes });
    this.#add(subscription);
    this.#size++;
    return subscription;
  }

  unsubscribe(subscription: TailSubscription): void {
    if (this.#remove(subscription)) this.#size--;
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
    this.#add(subscription);
    return subscription;
  }

  unwatch(subscription: MatchSubscription): void {
    this.#remove(subscription);
  }

  /** Tells somebody else's listener too, whose plan has an id that nobody else has. */
  listen(listener: TailListener): void {
    this.#add(listener);
  }

  unlisten(listener: TailListener): void {
    this.#remove(listener);
  }

  /** What a committed batch of a tenant is to be matched against; undefined: nobody watches. */
  plansOf(tenant: string): TailPlans | undefined {
    return this.#tenants.get(tenant)?.plans;
  }

  /**
   * A committed entry and what was found in it. Entries of a shard come in the order of their
   * positions, each once, those without a match too.
   */
  offer(entry: CommittedEntry, found: ReadonlyMap<string, TailChunk>): void {
    for (const [id, listener] of this.#tenants.get(entry.tenant)?.all ?? []) {
      listener.offer(entry.shard, entry.position, found.get(id));
    }
  }

  /** An entry that could not be matched: it counts as one without a match, but for who must miss none. */
  missed({ tenant, shard, position }: CommittedEntry): void {
    for (const listener of this.#tenants.get(tenant)?.all.values() ?? []) {
      if (listener.missed === undefined) listener.offer(shard, position, undefined);
      else listener.missed(shard, position);
    }
  }

  #add(listener: TailListener): void {
    const { tenant, plan } = listener;
    const all = this.#tenants.get(tenant)?.all ?? new Map<string, TailListener>();
    all.set(plan.id, listener);
    this.#tenants.set(tenant, { all, plans: this.#plansOf(all) });
  }

  #remove({ tenant, plan }: TailListener): boolean {
    const listeners = this.#tenants.get(tenant);
    if (listeners === undefined || !listeners.all.delete(plan.id)) return false;
    if (listeners.all.size === 0) this.#tenants.delete(tenant);
    else listeners.plans = this.#plansOf(listeners.all);
    return true;
  }

  #plansOf(all: ReadonlyMap<string, TailListener>): TailPlans {
    return { version: this.#number++, plans: Array.from(all.values(), ({ plan }) => plan) };
  }
}
