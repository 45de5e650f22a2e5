import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { type MultiStep, steps } from "../../coordinator/src/client/multi.ts";
import type { WatchEvent } from "../../coordinator/src/client/watches.ts";
import { assert } from "../../kit/src/assert.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { MultiOutcome, ShardFacts } from "../../storage/src/replication/core/types.ts";
import type { ShardChange, SharedOwnership } from "../../storage/src/replication/ownership.ts";
import type { Access } from "./access.ts";
import type { Acquisitions } from "./acquisitions.ts";
import { type NodeIdentity, nodeOfReplica, replicaOf, replicaOfOwner } from "./node.ts";
import { paths, shardOfPath } from "./paths.ts";
import { failureOf, isPassing, settle } from "./settle.ts";
import { lookAtShard, makeShard, type SeenShard } from "./shard-znodes.ts";
import type { Topology } from "./topology.ts";
import { barrierWrite } from "./tree.ts";
import { encodeZnode, type ShardState } from "./znode-data.ts";

export interface OwnershipOptions {
  readonly client: ZooKeeperClient;
  readonly access: Access;
  readonly identity: NodeIdentity;
  readonly acquisitions: Acquisitions;
  /** How many shards the cluster has. */
  readonly shards: number;
  /** The members of a shard that is made now, as `nodeId/diskId`; undefined while nobody has decided. */
  readonly founders: (shard: number) => readonly string[] | undefined;
  readonly topology: Topology;
  readonly logger: Logger;
}

/**
 * Who owns which shard, as znodes. What fences is the epoch in `/logkeep/shards/<id>` and the version
 * of that znode; the ephemeral `owner` below it only says that somebody is there.
 */
export class ZnodeOwnership implements SharedOwnership {
  readonly self: string;
  readonly #options: OwnershipOptions;
  /** `nodeId/diskId`. */
  readonly #replica: string;
  readonly #lostListeners = new Set<(shards: readonly number[]) => void>();
  readonly #changedListeners = new Set<(shards: readonly number[]) => void>();
  readonly #stops: readonly (() => void)[];
  /** What the last reading saw, for the change that follows it. */
  readonly #seen = new Map<number, SeenShard>();
  /** Shards that nobody could make when they were looked at last, since nobody knew who is to have them. */
  readonly #unmade = new Set<number>();
  /** Shards that are being handed over: that their owner znode goes is no news. */
  readonly #handing = new Set<number>();
  #isClosed = false;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    this.#replica = replicaOf(options.identity);
    this.self = `${this.#replica}/${options.identity.incarnation}`;
    // Who is to have a shard, or the node that is to make it, comes to be known after it was looked at: no znode of it tells.
    const look = (): void => this.#tell([...this.#unmade]);
    this.#stops = [
      options.client.onSession(({ kind }) => {
        if (kind === "expired") this.#lost(options.acquisitions.shards());
      }),
      options.topology.onAssigned(look),
      options.topology.onNodes(look),
    ];
  }

  /** Begins to watch the shards; before the first barrier. */
  async watch(): Promise<void> {
    const { client } = this.#options;
    const watcher = (event: WatchEvent): void => this.#changed(event);
    await settle(() => client.addWatch(paths.shards, "persistentRecursive", watcher));
  }

  close(): void {
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
    this.#lostListeners.clear();
    this.#changedListeners.clear();
  }

  onLost(listener: (shards: readonly number[]) => void): () => void {
    this.#lostListeners.add(listener);
    return () => this.#lostListeners.delete(listener);
  }

  onChanged(listener: (shards: readonly number[]) => void): () => void {
    this.#changedListeners.add(listener);
    return () => this.#changedListeners.delete(listener);
  }

  async read(shards: readonly number[]): Promise<readonly ShardFacts[]> {
    const { client, acquisitions } = this.#options;
    const seen = await this.#look(shards);
    return shards.map((shard, index) => {
      const each = seen[index];
      if (each === undefined) return unmade;
      const { state, version, owner } = each;
      const isOwnSession = owner !== undefined && owner.sessionId === client.sessionId;
      // An own claim whose answer was lost; what the manifest does is checked against it.
      if (state.owner === this.self && isOwnSession) {
        acquisitions.set(shard, { epoch: state.epoch, version });
      }
      return {
        ...{ version, epoch: state.epoch, transferMs: state.transferMs },
        lossEpoch: state.lossEpoch,
        ...{ replicas: state.replicas, inSync: state.inSync },
        owner: state.owner ?? undefined,
        next: state.next ?? undefined,
        holder: owner && { name: owner.name, isOwnSession },
      };
    });
  }

  onLive(listener: (replica: string, incarnation: string | undefined) => void): () => void {
    const { topology } = this.#options;
    let known: ReadonlyMap<string, string> = new Map();
    const look = (): void => {
      const before = known;
      known = topology.incarnations();
      for (const [replica, incarnation] of known) {
        if (before.get(replica) !== incarnation) listener(replica, incarnation);
      }
      for (const replica of before.keys()) if (!known.has(replica)) listener(replica, undefined);
    };
    const stop = topology.onNodes(look);
    look();
    return stop;
  }

  async change(shard: number, version: number, change: ShardChange): Promise<MultiOutcome> {
    const seen = this.#seen.get(shard);
    if (seen?.version !== version) return { kind: "refused" };
    if (change.kind === "hand-over") this.#handing.add(shard);
    try {
      return { kind: "done", version: await this.#apply(shard, seen, change) };
    } catch (thrown) {
      // Whatever it came to, the next change needs another look.
      this.#seen.delete(shard);
      if (isPassing(thrown)) return { kind: "unknown" };
      if (!isZooKeeperError(thrown, "BADVERSION", "NONODE", "NODEEXISTS")) throw failureOf(thrown);
      return { kind: "refused" };
    } finally {
      if (this.#handing.delete(shard)) void this.#check([shard]);
    }
  }

  /** The one multi; returns the version it came to. Throws what the coordinator says. */
  async #apply(shard: number, seen: SeenShard, change: ShardChange): Promise<number> {
    const { client, access, acquisitions } = this.#options;
    const ownerPath = paths.shardOwner(shard);
    const state = changedState(seen.state, change);
    assert(
      change.kind === "acquire" ? state.epoch > seen.state.epoch : seen.state.owner === this.self,
      "an acquisition raises the epoch, and all else is its owner's",
    );
    const results = await client.multi([
      steps.check(paths.shard(shard), seen.version),
      ...checksOf(change),
      ...(change.kind === "hand-over" || (change.kind === "acquire" && change.isHeld)
        ? [steps.delete(ownerPath)]
        : []),
      ...(change.kind === "acquire"
        ? [steps.create(ownerPath, Buffer.from(this.self), { mode: "ephemeral", acl: access.acl })]
        : []),
      steps.setData(paths.shard(shard), encodeZnode(state), seen.version),
    ]);
    const version = results.at(-1)?.stat?.version;
    assert(version !== undefined, "a set answers a stat");
    const holder = { name: this.self, sessionId: client.sessionId };
    const owner = change.kind === "hand-over" ? undefined : holder;
    this.#seen.set(shard, { state, version, owner });
    if (owner === undefined) acquisitions.drop(shard);
    else acquisitions.set(shard, { epoch: state.epoch, version });
    return version;
  }

  /** Behind a write of this session; makes shards whose first members are known. */
  async #look(shards: readonly number[]): Promise<readonly (SeenShard | undefined)[]> {
    const { client, identity } = this.#options;
    const seen = await settle(async () => {
      // The reads go out in the same turn: a session's requests are served in order.
      const [, ...found] = await Promise.all([
        barrierWrite(client, identity.nodeId),
        ...shards.map((shard) => lookAtShard(client, shard)),
      ]);
      return Promise.all(
        found.map(async (each, at) => each ?? (await this.#make(shards[at] as number))),
      );
    });
    for (const [at, shard] of shards.entries()) {
      const each = seen[at];
      if (each === undefined) this.#seen.delete(shard);
      else {
        this.#seen.set(shard, each);
        this.#unmade.delete(shard);
      }
    }
    return seen;
  }

  async #make(shard: number): Promise<SeenShard | undefined> {
    const { client, access, founders } = this.#options;
    const members = founders(shard);
    if (members === undefined) {
      this.#unmade.add(shard);
      return undefined;
    }
    await makeShard(client, access, shard, members);
    return lookAtShard(client, shard);
  }

  /** Our own acquisition's events come before its reply, and so before the shard counts as held. */
  #changed({ kind, path }: WatchEvent): void {
    const { acquisitions, shards } = this.#options;
    if (kind === "missed") {
      void this.#check(acquisitions.shards());
      this.#tell(Array.from({ length: shards }, (_, shard) => shard));
      return;
    }
    const shard = shardOfPath(path);
    if (shard === undefined) return;
    const isHeld = acquisitions.get(shard) !== undefined && !this.#handing.has(shard);
    if (isHeld) void this.#check([shard]);
    this.#tell([shard]);
  }

  async #check(shards: readonly number[]): Promise<void> {
    const { client, acquisitions, logger } = this.#options;
    const held = shards.map((shard) => ({ shard, before: acquisitions.get(shard) }));
    try {
      const seen = await settle(() =>
        Promise.all(shards.map((shard) => lookAtShard(client, shard))),
      );
      const lost = held.filter(({ shard, before }, index) => {
        const { state, owner } = seen[index] ?? {};
        // Acquired anew, or given up, while we looked.
        if (before === undefined || acquisitions.get(shard) !== before) return false;
        const isOwner = state?.owner === this.self && state.epoch === before.epoch;
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
    for (const listener of this.#lostListeners) listener(lost);
  }

  #tell(shards: readonly number[]): void {
    if (shards.length === 0) return;
    for (const listener of this.#changedListeners) listener(shards);
  }
}

/** A shard whose first members nobody has decided yet: nobody is of its set. */
const unmade: ShardFacts = {
  ...{ version: -1, epoch: 0, transferMs: 0, replicas: [], inSync: [] },
  ...{ owner: undefined, next: undefined, holder: undefined },
};

/** Whoever comes into the set must still be the process that caught up. */
function checksOf(change: ShardChange): readonly MultiStep[] {
  if (change.kind !== "change-set") return [];
  return change.live.map((owner) => {
    const incarnation = owner.slice(replicaOfOwner(owner).length + 1);
    return steps.check(paths.live(nodeOfReplica(owner), incarnation), -1);
  });
}

/** The epoch moves by acquisitions alone. */
function changedState(state: ShardState, change: ShardChange): ShardState {
  switch (change.kind) {
    case "acquire": {
      const { epoch, owner, inSync = state.inSync } = change;
      const replicas = [...new Set([...state.replicas, ...inSync])];
      const lossEpoch = change.inSync === undefined ? state.lossEpoch : epoch;
      return { epoch, owner, next: null, transferMs: 0, replicas, inSync: [...inSync], lossEpoch };
    }
    case "change-set":
      return { ...state, replicas: [...change.replicas], inSync: [...change.inSync] };
    case "hand-over": {
      const { next = null, transferMs } = change;
      return { ...state, owner: null, next, transferMs };
    }
  }
}
