import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { StoreContext } from "../shard/context.ts";
import type { Manifest, ManifestOutcome } from "../shard/manifest.ts";
import type { LiveSegment } from "../shard/segment-set.ts";
import type { Shard } from "../shard/shard.ts";
import { CoordinatorCalls } from "./coordinator-calls.ts";
import { StandIn } from "./core/stand-in.ts";
import type { Entry, Replica, ReplicaOptions, ReplicaStatus, Role } from "./core/types.ts";
import { DiskStrain, type Strain } from "./disk-strain.ts";
import { HeldSegments, type SealedFile } from "./held-segments.ts";
import { type KeptCopies, keptCopies } from "./kept-copies.ts";
import { LeftShards } from "./left-shards.ts";
import { drainWaitMs, startWaitMs, strainLookMs } from "./limits.ts";
import type { ReplicaLinks } from "./links.ts";
import { loadShard } from "./load-shard.ts";
import { Outbox } from "./outbox.ts";
import type { SharedOwnership } from "./ownership.ts";
import { SegmentRepair } from "./repair.ts";
import { type OpenedReplica, ReplicaHost } from "./replica-host.ts";
import { type FoundState, noteLost, replicaStateNow, replicaStateOf } from "./replica-state.ts";
import type { CommitDetail, CommitSettled } from "./replicated-manifest.ts";
import type { SegmentSource } from "./segment-source.ts";
import { entriesDecode, type WireMessage } from "./wire.ts";

/** What joins a store's shards to their other replicas. */
export interface ReplicationPorts {
  readonly ownership: SharedOwnership;
  readonly links: ReplicaLinks;
  readonly source: SegmentSource;
  /** Members in sync that a shard must have to take records; 1 by default. */
  readonly minInSync?: number;
  /** A sync is slow beyond this. Without it, or 0, shards stay where they are, however full or slow the disk. */
  readonly slowSyncMs?: number;
}

export interface ReplicationOptions extends ReplicationPorts {
  readonly context: StoreContext;
  /** This replica, as `nodeId/diskId`. */
  readonly member: string;
  /** The manifest itself. */
  readonly manifest: Manifest;
  readonly makeReplica: (options: ReplicaOptions) => Replica;
  /** How long files stay that are needed no more, for queries that began before. */
  readonly keepMs: number;
  /** How long files stay of shards that have gone elsewhere. */
  readonly leftKeepMs: number;
  /** A follower's log fills up with what this owner has not sealed. */
  readonly onSealWanted: (shard: Shard) => void;
}

/** The replicas of a node's shards, and what they share: links, the coordinator, the room that a start takes in memory. */
export class Replication {
  readonly hosts: readonly ReplicaHost[];
  readonly #options: ReplicationOptions;
  readonly #outbox: Outbox;
  readonly #held: HeldSegments[] = [];
  readonly #repair: SegmentRepair;
  readonly #stops: (() => void)[] = [];
  readonly #strain: DiskStrain;
  readonly #roleWaiters = new Set<() => void>();
  #loading = 0;
  #isStarted = false;

  private constructor(options: ReplicationOptions, found: readonly FoundState[]) {
    this.#options = options;
    const { context, links, ownership } = options;
    this.#outbox = new Outbox(links);
    this.#repair = new SegmentRepair(context.damage, context.logger);
    this.#strain = new DiskStrain(
      { isFull: () => context.diskLimit.status.isFull, syncs: context.log.syncs },
      options.slowSyncMs ?? 0,
    );
    const calls = new CoordinatorCalls(ownership, context.logger);
    this.hosts = context.shards.map((shard, index) => this.#host(shard, calls, found[index]!));
    const { member, leftKeepMs: keepMs } = options;
    const { shards, clock, log, logger } = context;
    const { hosts } = this;
    const left = new LeftShards({
      ...{ shards, hosts, held: this.#held, calls, log, member, keepMs, clock, logger },
    });
    this.#stops.push(
      () => left.stop(),
      () => this.#repair.stop(),
      links.onLink((replica, link) => {
        for (const host of this.hosts) host.link(replica, link);
      }),
      links.onMessage((from, link, message, bytes, keep) => {
        this.#received(from, link, message as WireMessage, () => entriesDecode(bytes, keep()));
      }),
      ownership.onLost((shards) => {
        for (const shard of shards) this.hosts[shard]?.input({ kind: "owner-lost" });
      }),
      ownership.onLive((replica, incarnation) => {
        for (const host of this.hosts) host.input({ kind: "live", replica, incarnation });
      }),
      this.#watchDisk(),
      ownership.onChanged((shards) => {
        for (const shard of shards) {
          const host = this.hosts[shard];
          calls.look(shard, (facts) => facts && host?.changed(facts));
        }
      }),
    );
  }

  /** Looks at what the disk has. Rejects when the manifest is needed for that and cannot be read. */
  static async open(options: ReplicationOptions): Promise<Replication> {
    const { context, manifest } = options;
    await noteLost(context);
    const found = context.shards.map(({ id }) => replicaStateOf(context, manifest, id));
    return new Replication(options, await Promise.all(found));
  }

  /** Files of segments of shards that are not served here, and which their owners may count as gone. Throws as `readdir`. */
  keptCopies(): readonly KeptCopies[] {
    const { context, member } = this.#options;
    return keptCopies({ context, hosts: this.hosts, held: this.#held, member });
  }

  /** Resolves when each shard is served here or elsewhere or cannot be, or after a while. */
  async run(): Promise<void> {
    // Of those that were started, each goes on by itself.
    if (this.#isStarted) return;
    this.#isStarted = true;
    for (const host of this.hosts) host.start();
    const isSettled = (): boolean =>
      this.#options.context.shards.every(({ state }) => state.kind !== "waiting");
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, startWaitMs);
    const look = (): void => {
      if (isSettled()) late.resolve();
    };
    this.#roleWaiters.add(look);
    look();
    await late.promise;
    clearTimeout(timer);
    this.#roleWaiters.delete(look);
  }

  /** Why this disk does not own shards that others can own. */
  get strain(): Strain | undefined {
    return this.#strain.strain;
  }

  /** Gives its shards to others that can take them; waits for a moment only. */
  async drain(): Promise<void> {
    const shared = this.hosts.filter(
      ({ core, role }) => role.kind === "serving" && core.status.members.length > 1,
    );
    const order = { target: undefined, transferMs: drainWaitMs, isDrain: true };
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, drainWaitMs);
    await Promise.race([Promise.all(shared.map((host) => host.handOver(order))), late.promise]);
    clearTimeout(timer);
  }

  /** Takes no more part. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    await Promise.all(this.hosts.map((host) => host.stop()));
    this.#outbox.close();
  }

  /** A segment of a shard that this store owns is damaged: another replica may have it whole. */
  repair(id: number, segment: LiveSegment): void {
    const { context, member } = this.#options;
    const shard = context.shards[id]!;
    const others = (): readonly string[] =>
      this.hosts[id]!.core.status.members.filter((each) => each !== member);
    const isLive = ({ entry }: LiveSegment): boolean => shard.segments.find(entry.uuid) === segment;
    this.#repair.begin({ shard: id, held: this.#held[id]!, others, isLive }, segment);
  }

  /** A copy of another's segment is damaged: the owner's takes its place, if it is needed yet. Rejects when that has none that is whole. */
  async renewCopy(id: number, uuid: string): Promise<void> {
    const { role } = this.hosts[id]!;
    if (role.kind !== "follower") {
      throw new ServiceError("storage.failed", "the shard has no owner to ask", { shard: id });
    }
    const { segments } = await this.#options.manifest.load(id);
    const entry = segments.find((each) => each.uuid === uuid);
    if (entry === undefined) return;
    const detail: SealedFile = { kind: "segment", file: entry.file, bytes: entry.bytes };
    await this.#held[id]!.renew(replicaOf(role.owner), { uuid, detail });
  }

  /** Asks the owners of what this log holds for others to seal it. */
  wantSeals(shards: Iterable<number>): void {
    for (const shard of shards) {
      const host = this.hosts[shard];
      if (host?.role.kind !== "follower") continue;
      const replica = replicaOf(host.role.owner);
      this.#options.links.send(replica, { shard, message: { kind: "seal-wanted" } }, []);
    }
  }

  #host(shard: Shard, calls: CoordinatorCalls, found: FoundState): ReplicaHost {
    const { context, keepMs, manifest, member } = this.#options;
    const { disk, logger, paths, work } = context;
    const { source } = this.#options;
    let host: ReplicaHost | undefined;
    const held = new HeldSegments({
      ...{ shard: shard.id, directory: paths.shard(shard.id), disk, source, work, logger, keepMs },
      isNeeded: (file) =>
        shard.checkpoint === file || shard.segments.all.some(({ entry }) => entry.file === file),
      onHeld: (revision) => host?.input({ kind: "segments-held", revision }),
      onFailed: (revision) => host?.input({ kind: "segments-failed", revision }),
    });
    this.#held.push(held);
    host = new ReplicaHost({
      ...{ context, shard, calls, member, held, outbox: this.#outbox },
      opened: this.#opened(shard, found),
      standIn: (failed, reason) => this.#standIn(failed, reason),
      reopen: async () => {
        return this.#opened(shard, await replicaStateNow(context, manifest, shard.id));
      },
      load: (end) => this.#load(shard, end),
      commitManifest: (detail) => this.#commitManifest(detail),
      onRole: (role) => this.#turned(shard, role),
    });
    return host;
  }

  #opened(shard: Shard, { state, damage }: FoundState): OpenedReplica {
    const { context, makeReplica, member, minInSync = 1, ownership } = this.#options;
    if (damage !== undefined) {
      const facts = { ...damage.fields, shard: shard.id, reason: damage.message };
      context.logger.error(facts, "damage: a shard's log is not whole here");
    }
    const { self } = ownership;
    return { core: makeReplica({ replica: member, self, minInSync, state }), damage };
  }

  /** Of what the failed one had on disk it says what it had. */
  #standIn({ committed, end, promised }: ReplicaStatus, reason: string): Replica {
    const { member: replica, ownership } = this.#options;
    const log = { base: end, end, lineage: [], entryEpochs: [], entryCommitted: committed };
    const state = { ...log, promised, committed, isDamaged: false };
    return new StandIn({ replica, self: ownership.self, state }, reason);
  }

  /** Tells the shards when the disk has become too full or too slow to own them, and when it is not any more. */
  #watchDisk(): () => void {
    const { context, slowSyncMs = 0 } = this.#options;
    if (slowSyncMs === 0) return () => undefined;
    const timer = setInterval(() => {
      if (!this.#strain.look(context.clock.monotonicMs())) return;
      const { strain } = this.#strain;
      const isStrained = strain !== undefined;
      if (isStrained) {
        const what = "disk is full or slow: shards go to replicas in sync whose disks are not";
        context.logger.warn({ strain, slowSyncMs }, what);
      } else context.logger.info({}, "disk is neither full nor slow any more");
      for (const host of this.hosts) host.strained(strain);
    }, strainLookMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  async #load(shard: Shard, end: Parameters<typeof loadShard>[2]): ReturnType<typeof loadShard> {
    const { arena, writer } = this.#options.context;
    this.#loading++;
    try {
      return await loadShard(this.#options.context, shard, end);
    } finally {
      this.#loading--;
      // Together, so that a start does not leave a slab to each shard.
      if (this.#loading === 0) {
        writer.close();
        arena.closed(writer.takeClosed());
      }
    }
  }

  async #commitManifest(detail: CommitDetail): Promise<CommitSettled> {
    const { context } = this.#options;
    try {
      const outcome = await this.#commit(detail);
      return outcome.kind === "committed" ? outcome : { kind: "refused", epoch: outcome.epoch };
    } catch (thrown) {
      const facts = { shard: detail.commit.shard, reason: messageOf(thrown) };
      context.logger.warn(facts, "outcome of a commit is unknown");
      return { kind: "unknown" };
    }
  }

  #commit({ kind, commit }: CommitDetail): Promise<ManifestOutcome> {
    const { manifest } = this.#options;
    switch (kind) {
      case "seal":
        return manifest.commitSeal(commit);
      case "merge":
        return manifest.commitMerge(commit);
      case "drop":
        return manifest.commitDrop(commit);
    }
  }

  #turned(shard: Shard, role: Role): void {
    const { logger } = this.#options.context;
    // What an operator looks for after a failure: who serves, who has given up.
    const isNews = role.kind === "serving" || role.kind === "stopped";
    logger[isNews ? "info" : "debug"]({ shard: shard.id, ...role }, "replica has another role");
    for (const look of this.#roleWaiters) look();
  }

  #received(
    from: string,
    link: number,
    { shard, message }: WireMessage,
    entries: () => readonly Entry[],
  ): void {
    const host = this.hosts[shard];
    if (host === undefined) return;
    if (message.kind === "seal-wanted") {
      this.#options.onSealWanted(this.#options.context.shards[shard]!);
      return;
    }
    try {
      const whole = message.kind === "append" ? { ...message, entries: entries() } : message;
      host.input({ kind: "message", from, link, message: whole });
    } catch (thrown) {
      const { logger } = this.#options.context;
      logger.error({ err: thrown, from, shard }, "a message of another replica is no such");
    }
  }
}

/** An owner is named with its incarnation. */
function replicaOf(owner: string): string {
  return owner.slice(0, owner.lastIndexOf("/"));
}
