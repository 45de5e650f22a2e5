import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { steps } from "../../coordinator/src/client/multi.ts";
import type { WatchEvent } from "../../coordinator/src/client/watches.ts";
import { assert } from "../../kit/src/assert.ts";
import { messageOf } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { AcquireOutcome, Ownership, ShardView } from "../../storage/src/shard/ownership.ts";
import type { Access } from "./access.ts";
import type { Acquisitions } from "./acquisitions.ts";
import type { NodeIdentity } from "./node.ts";
import { paths, shardOfPath } from "./paths.ts";
import { failureOf, isPassing, settle } from "./settle.ts";
import { barrierWrite } from "./tree.ts";
import { decodeZnode, encodeZnode, type ShardState, shardSchema } from "./znode-data.ts";

export interface OwnershipOptions {
  readonly client: ZooKeeperClient;
  readonly access: Access;
  readonly identity: NodeIdentity;
  readonly acquisitions: Acquisitions;
  readonly logger: Logger;
}

/** A shard's znodes as one look showed them. */
interface Seen {
  readonly state: ShardState;
  readonly version: number;
  readonly owner: { readonly name: string; readonly sessionId: bigint } | undefined;
}

/**
 * Who owns which shard, as znodes. What fences is the epoch in `/logkeep/shards/<id>` and the version
 * of that znode; the ephemeral `owner` below it only says that somebody is there.
 */
export class ZnodeOwnership implements Ownership {
  readonly self: string;
  readonly #options: OwnershipOptions;
  /** `nodeId/diskId`. */
  readonly #replica: string;
  readonly #listeners = new Set<(shards: readonly number[]) => void>();
  readonly #stopSession: () => void;
  /** What the last barrier saw, for the acquisition that follows it. */
  readonly #seen = new Map<number, Seen>();
  #isClosed = false;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    const { nodeId, diskId, incarnation } = options.identity;
    this.#replica = `${nodeId}/${diskId}`;
    this.self = `${this.#replica}/${incarnation}`;
    this.#stopSession = options.client.onSession(({ kind }) => {
      if (kind === "expired") this.#lost(options.acquisitions.shards());
    });
  }

  /** Begins to watch the shards; before the first barrier. */
  async watch(): Promise<void> {
    const { client } = this.#options;
    const watcher = (event: WatchEvent): void => this.#changed(event);
    await settle(() => client.addWatch(paths.shards, "persistentRecursive", watcher));
  }

  close(): void {
    this.#isClosed = true;
    this.#stopSession();
    this.#listeners.clear();
  }

  onLost(listener: (shards: readonly number[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async barrier(shards: readonly number[]): Promise<readonly ShardView[]> {
    const { client, identity } = this.#options;
    return settle(async () => {
      // The reads go out in the same turn: a session's requests are served in order.
      const [, ...seen] = await Promise.all([
        barrierWrite(client, identity.nodeId),
        ...shards.map((shard) => this.#look(shard)),
      ]);
      return shards.map((shard, index) => this.#view(shard, seen[index] as Seen));
    });
  }

  async acquire(view: ShardView, epoch: number): Promise<AcquireOutcome> {
    const seen = this.#seen.get(view.shard);
    assert(view.isInSync, "only a replica in sync acquires");
    assert(epoch > view.epoch, "an acquisition raises the epoch");
    // Another barrier may have looked since; then this view is not worth a try.
    if (seen?.version !== view.version) return { kind: "refused", reason: "the shard moved on" };
    for (;;) {
      try {
        await this.#claim(view.shard, seen, epoch);
        return { kind: "acquired", epoch };
      } catch (thrown) {
        const outcome = await this.#readBack(view, epoch, thrown);
        if (outcome !== undefined) return outcome;
      }
    }
  }

  async #claim(shard: number, { state, version, owner }: Seen, epoch: number): Promise<void> {
    const { client, access, acquisitions } = this.#options;
    const { acl } = access;
    const ownerPath = paths.shardOwner(shard);
    const claimed: ShardState = { ...state, epoch, owner: this.self, next: null, transferMs: 0 };
    const results = await client.multi([
      steps.check(paths.shard(shard), version),
      ...(owner === undefined ? [] : [steps.delete(ownerPath)]),
      steps.create(ownerPath, Buffer.from(this.self), { mode: "ephemeral", acl }),
      steps.setData(paths.shard(shard), encodeZnode(claimed), version),
    ]);
    const set = results.at(-1)?.stat;
    assert(set !== undefined, "a set answers a stat");
    acquisitions.set(shard, { epoch, version: set.version });
  }

  /** Undefined: nothing has changed, it may be tried again. */
  async #readBack(
    { shard, version }: ShardView,
    epoch: number,
    cause: unknown,
  ): Promise<AcquireOutcome | undefined> {
    const { client, identity, acquisitions } = this.#options;
    if (!isPassing(cause) && !isZooKeeperError(cause, "BADVERSION", "NODEEXISTS", "NONODE")) {
      throw failureOf(cause);
    }
    const now = await settle(async () => {
      const [, seen] = await Promise.all([
        barrierWrite(client, identity.nodeId),
        this.#look(shard),
      ]);
      return seen;
    });
    if (now.state.owner === this.self && now.state.epoch === epoch) {
      if (now.owner?.sessionId !== client.sessionId) {
        return { kind: "refused", reason: "the session that acquired has expired" };
      }
      acquisitions.set(shard, { epoch, version: now.version });
      return { kind: "acquired", epoch };
    }
    if (isPassing(cause) && now.version === version) return undefined;
    return { kind: "refused", reason: `${messageOf(cause)}; owner ${now.state.owner ?? "none"}` };
  }

  #view(shard: number, seen: Seen): ShardView {
    this.#seen.set(shard, seen);
    const { state, version, owner } = seen;
    // An earlier incarnation of this disk cannot be running: the data directory has a lock.
    const isForeign = owner !== undefined && !owner.name.startsWith(`${this.#replica}/`);
    return {
      shard,
      epoch: state.epoch,
      version,
      foreignOwner: isForeign ? owner.name : undefined,
      isInSync: state.inSync.includes(this.#replica),
    };
  }

  async #look(shard: number): Promise<Seen> {
    const { client } = this.#options;
    const [found, owner] = await Promise.allSettled([
      client.getData(paths.shard(shard)),
      client.getData(paths.shardOwner(shard)),
    ]);
    if (found.status === "rejected") {
      if (!isZooKeeperError(found.reason, "NONODE")) throw found.reason;
      await this.#make(shard);
      return this.#look(shard);
    }
    if (owner.status === "rejected" && !isZooKeeperError(owner.reason, "NONODE")) {
      throw owner.reason;
    }
    const state = decodeZnode(shardSchema, paths.shard(shard), found.value.data);
    return {
      state,
      version: found.value.stat.version,
      owner:
        owner.status === "rejected"
          ? undefined
          : {
              name: String(owner.value.data ?? ""),
              sessionId: owner.value.stat.ephemeralOwner,
            },
    };
  }

  /** A new shard has this replica as its set, and nothing sealed. */
  async #make(shard: number): Promise<void> {
    const { client, access } = this.#options;
    const { acl } = access;
    const set = [this.#replica];
    const nobody = { epoch: 0, owner: null, next: null, transferMs: 0 };
    const state: ShardState = { ...nobody, replicas: set, inSync: set };
    const sealedThrough = { epoch: 0, position: 0 };
    const sealed = { generation: 0, sealedThrough, checkpoint: null, folded: null };
    try {
      await client.multi([
        steps.create(paths.shard(shard), encodeZnode(state), { acl }),
        steps.create(paths.shardSegments(shard), encodeZnode(sealed), { acl }),
      ]);
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "NODEEXISTS")) throw thrown;
    }
  }

  /** Our own acquisition's events come before its reply, and so before the shard counts as held. */
  #changed({ kind, path }: WatchEvent): void {
    const { acquisitions } = this.#options;
    if (kind === "missed") {
      void this.#check(acquisitions.shards());
      return;
    }
    const shard = shardOfPath(path);
    if (shard !== undefined && acquisitions.get(shard) !== undefined) void this.#check([shard]);
  }

  async #check(shards: readonly number[]): Promise<void> {
    const { client, acquisitions, logger } = this.#options;
    const held = shards.map((shard) => ({ shard, before: acquisitions.get(shard) }));
    try {
      const seen = await settle(() => Promise.all(shards.map((shard) => this.#look(shard))));
      const lost = held.filter(({ shard, before }, index) => {
        const { state, owner } = seen[index] as Seen;
        // Acquired anew, or given up, while we looked.
        if (before === undefined || acquisitions.get(shard) !== before) return false;
        const isOwner = state.owner === this.self && state.epoch === before.epoch;
        return !isOwner || owner?.sessionId !== client.sessionId;
      });
      this.#lost(lost.map(({ shard }) => shard));
    } catch (thrown) {
      if (!this.#isClosed) logger.error({ err: thrown, shards }, "shards could not be looked at");
    }
  }

  #lost(shards: readonly number[]): void {
    const lost = shards.filter((shard) => this.#options.acquisitions.drop(shard));
    if (lost.length === 0 || this.#isClosed) return;
    for (const listener of this.#listeners) listener(lost);
  }
}
