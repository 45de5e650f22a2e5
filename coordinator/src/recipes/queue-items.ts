import { randomUUID } from "node:crypto";

import { aclOpen } from "../client/acl.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { isOutcomeUnknown, isZooKeeperError, ZooKeeperError } from "../client/errors.ts";
import { steps } from "../client/multi.ts";
import type { CallOptions, WatchOptions } from "../client/options.ts";
import { childPath } from "../client/paths.ts";
import { versionAny } from "../wire/constants.ts";
import type { Acl, Stat } from "../wire/records.ts";
import { Contest } from "./contest.ts";
import { Delivery } from "./delivery.ts";
import { ensurePath } from "./ensure-path.ts";
import { type Hold, ZnodeHold } from "./hold.ts";
import { queueItemsMax, readsAtOnce } from "./limits.ts";
import { enter, whoIsBefore } from "./lock.ts";
import { lookUntil } from "./look-until.ts";
import type { OwnZnode } from "./own-znode.ts";
import { untilDone, whileConnected } from "./until-done.ts";

export interface QueueOptions {
  readonly client: ZooKeeperClient;
  /** Made with what is missing above it; what is below is the queue's own. */
  readonly path: string;
  readonly acl?: readonly Acl[];
  /** Items, above which none is taken in: about, when many offer at once. Default 100,000. */
  readonly itemsMax?: number;
}

/** An item as its name and its Stat tell of it. */
export interface Item {
  readonly name: string;
  /** What stands before the uuid in its name. */
  readonly kind: string;
  readonly czxid: bigint;
}

/** What makes one kind of queue another. */
export interface QueueOrder {
  readonly kind: RegExp;
  readonly order: (a: Item, b: Item) => number;
  /** Whether what comes later is always behind, so that a list of items stays right until it is used up. */
  readonly isOrderKept: boolean;
}

/**
 * Items below `items`, and below `claims` an ephemeral of the same name for each that is out. An item goes when its
 * taker says that it is done; a claim that goes without that leaves the item to the next taker.
 */
export class QueueItems {
  readonly #options: QueueOptions;
  readonly #order: QueueOrder;
  readonly #items: string;
  readonly #claims: string;
  readonly #takers: string;
  readonly #waiting: Contest;
  readonly #closing = new AbortController();
  readonly #holds = new Set<Hold>();
  /** Items that were there and not out, best first, as far as they were not tried since. */
  #list: Item[] = [];
  #czxids: ReadonlyMap<string, bigint> = new Map();
  #isMade = false;

  constructor(options: QueueOptions, order: QueueOrder) {
    const { client, path, acl = aclOpen } = options;
    this.#options = options;
    this.#order = order;
    this.#items = childPath(path, "items");
    this.#claims = childPath(path, "claims");
    this.#takers = childPath(path, "takers");
    const waiting = childPath(path, "waiting");
    this.#waiting = new Contest({ client, path: waiting, acl, lostWhen: "lapsed" });
  }

  async offer(kind: string, data: Uint8Array, { signal }: CallOptions): Promise<void> {
    const { client, acl = aclOpen, itemsMax = queueItemsMax } = this.#options;
    const until = this.#until(signal);
    await this.#make(until);
    if ((await this.count({ signal: until })) >= itemsMax) {
      throw new ZooKeeperError("QUOTAEXCEEDED", { path: this.#items });
    }
    const path = childPath(this.#items, `${kind}-${randomUUID()}`);
    try {
      await client.create(path, data, { acl, signal: until });
    } catch (thrown) {
      if (!isOutcomeUnknown(thrown)) throw thrown;
      // A sync, so that another server than the one that was asked shows it, too.
      const look = () => client.exists(path, { isLinearizable: true });
      if ((await untilDone(look, until)) === null) throw thrown;
    }
  }

  async take({ signal }: CallOptions): Promise<Delivery> {
    const { client } = this.#options;
    const until = this.#until(signal);
    await this.#make(until);
    for (;;) {
      const first = await this.#attempt((look) => untilDone(() => look(), until));
      if (first !== "wait") return first.found;
      // Only one of those who wait looks; the next one when it has something.
      const asked = { data: null, signal: until };
      const turn = (await enter(this.#waiting, "taker", whoIsBefore, asked, true)) as Hold;
      try {
        const both = AbortSignal.any([until, turn.lost]);
        return await this.#attempt((look) => lookUntil(client, look, both));
      } catch (thrown) {
        if (until.aborted || !turn.lost.aborted) throw thrown;
      } finally {
        void turn.release();
      }
    }
  }

  async count({ signal }: CallOptions): Promise<number> {
    const { client } = this.#options;
    const stat = await untilDone(() => client.exists(this.#items), signal);
    return stat?.numChildren ?? 0;
  }

  async close(): Promise<void> {
    this.#closing.abort(new ZooKeeperError("CLOSED", { path: this.#options.path }));
    const work = [...[...this.#holds].map((hold) => hold.release()), this.#waiting.close()];
    await whileConnected(this.#options.client, Promise.all(work));
  }

  /** What is taken by a look that nobody waits for any more goes back. */
  async #attempt<T>(
    use: (look: (watching?: WatchOptions) => Promise<"wait" | { found: Delivery }>) => Promise<T>,
  ): Promise<T> {
    let isOver = false;
    let taken: Delivery | undefined;
    const look = async (watching: WatchOptions = {}): Promise<"wait" | { found: Delivery }> => {
      const delivery = await this.#takeNext(watching);
      if (delivery === undefined) return "wait";
      if (isOver) void delivery.giveBack();
      else taken = delivery;
      return { found: delivery };
    };
    try {
      return await use(look);
    } catch (thrown) {
      isOver = true;
      void taken?.giveBack();
      throw thrown;
    }
  }

  async #takeNext(watching: WatchOptions): Promise<Delivery | undefined> {
    if (!this.#order.isOrderKept) this.#list = [];
    for (let isFresh = false; ; isFresh = true) {
      for (let item = this.#list.shift(); item !== undefined; item = this.#list.shift()) {
        const delivery = await this.#claim(item.name);
        if (delivery !== undefined) return delivery;
      }
      if (isFresh) return undefined;
      await this.#refresh(watching);
    }
  }

  /**
   * Undefined when it is another's, or done. The claim keeps others away; what stands for this one taking of the item
   * is a znode of a name that is used once.
   */
  async #claim(name: string): Promise<Delivery | undefined> {
    const { client, acl = aclOpen } = this.#options;
    const item = childPath(this.#items, name);
    const claim = childPath(this.#claims, name);
    const path = childPath(this.#takers, `hold-${randomUUID()}`);
    const operations = [
      steps.check(item, versionAny),
      steps.create(claim, null, { mode: "ephemeral", acl }),
      steps.create(path, null, { mode: "ephemeral", acl }),
    ];
    const made = (stat: Stat, isLate: boolean): Promise<Delivery | undefined> => {
      const { czxid, ephemeralOwner: sessionId } = stat;
      return this.#deliver(name, { name, path, czxid, sessionId, isLate, claim });
    };
    try {
      const results = await client.multi(operations);
      return await made(results[2]?.stat as Stat, false);
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE", "NODEEXISTS")) return undefined;
      if (!isOutcomeUnknown(thrown)) throw thrown;
      const stat = await untilDone(() => client.exists(path, { isLinearizable: true }));
      return stat === null ? undefined : await made(stat, true);
    }
  }

  async #deliver(name: string, own: OwnZnode): Promise<Delivery | undefined> {
    const { client } = this.#options;
    // Made in a session that has ended since.
    if (own.sessionId !== client.sessionId) return undefined;
    const released = (): boolean => this.#holds.delete(hold);
    const hold: Hold = new ZnodeHold(client, own, { lostWhen: "lapsed", released });
    this.#holds.add(hold);
    try {
      const item = childPath(this.#items, name);
      const { data } = await untilDone(() => client.getData(item), hold.lost);
      return new Delivery(client, { id: name, path: item, claim: own.claim as string, data }, hold);
    } catch (thrown) {
      const wasLost = hold.lost.aborted || isZooKeeperError(thrown, "NONODE");
      void hold.release();
      if (wasLost) return undefined;
      throw thrown;
    }
  }

  async #refresh(watching: WatchOptions): Promise<void> {
    const { client } = this.#options;
    const [items, claims] = await Promise.all([
      client.getChildren(this.#items, watching),
      client.getChildren(this.#claims, watching),
    ]);
    const out = new Set(claims.children);
    const names = items.children.filter((name) => this.#order.kind.test(kindOf(name)));
    const czxids = await this.#czxidsOf(names);
    const free = names.flatMap((name) => {
      const czxid = out.has(name) ? undefined : czxids.get(name);
      return czxid === undefined ? [] : [{ name, kind: kindOf(name), czxid }];
    });
    this.#list = free.sort(this.#order.order);
  }

  /** What is known already is not asked again. */
  async #czxidsOf(names: readonly string[]): Promise<ReadonlyMap<string, bigint>> {
    const { client } = this.#options;
    const before = this.#czxids;
    const now = new Map<string, bigint>();
    const unknown: string[] = [];
    for (const name of names) {
      const czxid = before.get(name);
      if (czxid === undefined) unknown.push(name);
      else now.set(name, czxid);
    }
    for (let at = 0; at < unknown.length; at += readsAtOnce) {
      const some = unknown.slice(at, at + readsAtOnce);
      const asked = some.map((name) => client.exists(childPath(this.#items, name)));
      for (const [index, stat] of (await Promise.all(asked)).entries()) {
        if (stat !== null) now.set(some[index] as string, stat.czxid);
      }
    }
    this.#czxids = now;
    return now;
  }

  async #make(signal: AbortSignal): Promise<void> {
    if (this.#isMade) return;
    const { client, acl = aclOpen } = this.#options;
    await untilDone(async () => {
      await ensurePath(client, this.#items, { acl });
      await ensurePath(client, this.#claims, { acl });
      await ensurePath(client, this.#takers, { acl });
    }, signal);
    this.#isMade = true;
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    const closing = this.#closing.signal;
    return signal === undefined ? closing : AbortSignal.any([signal, closing]);
  }
}

function kindOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf("-")));
}
