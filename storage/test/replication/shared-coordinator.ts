import type { MultiOutcome, ShardFacts } from "../../src/replication/core/types.ts";
import type { ShardChange, SharedOwnership } from "../../src/replication/ownership.ts";
import type {
  DropCommit,
  Manifest,
  ManifestOutcome,
  MergeCommit,
  SealCommit,
  ShardManifest,
} from "../../src/shard/manifest.ts";
import { afterDrop, afterMerge, afterSeal, emptyManifest } from "../shard/manifest-changes.ts";

interface ShardNode {
  version: number;
  epoch: number;
  owner: string | undefined;
  next: string | undefined;
  transferMs: number;
  replicas: readonly string[];
  inSync: readonly string[];
  /** The ephemeral owner znode: of which session. */
  holder: { readonly name: string; readonly session: number } | undefined;
  manifest: ShardManifest;
}

/** The znodes of several nodes' shards, in memory: each node has a session. */
export class SharedCoordinator {
  readonly #shards = new Map<number, ShardNode>();
  readonly #sessions = new Map<number, CoordinatorSession>();
  /** Members of new shards, all in sync. */
  members: readonly string[] = [];
  #sessionNext = 1;

  /** `self`: `nodeId/diskId/incarnation`. */
  session(self: string): CoordinatorSession {
    const session = new CoordinatorSession(this, this.#sessionNext++, self);
    this.#sessions.set(session.id, session);
    for (const other of this.#sessions.values()) other.tellLive(self, true);
    return session;
  }

  /** The session is over: its ephemeral znodes go. `isTold`: its process hears of it. */
  expire({ id, self }: CoordinatorSession, isTold: boolean): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    const lost: number[] = [];
    for (const [shard, node] of this.#shards) {
      if (node.holder?.session !== id) continue;
      node.holder = undefined;
      lost.push(shard);
    }
    for (const other of this.#sessions.values()) {
      other.tellLive(self, false);
      other.tellChanged(lost);
    }
    if (isTold) session.tellLost(lost);
  }

  isAlive(session: CoordinatorSession): boolean {
    return this.#sessions.has(session.id);
  }

  node(shard: number): ShardNode {
    const found = this.#shards.get(shard);
    if (found !== undefined) return found;
    const { members } = this;
    const made: ShardNode = {
      ...{ version: 0, epoch: 0, owner: undefined, next: undefined, transferMs: 0 },
      ...{ replicas: members, inSync: members, holder: undefined, manifest: emptyManifest },
    };
    this.#shards.set(shard, made);
    return made;
  }

  facts(shard: number, session: number): ShardFacts {
    const { holder, manifest: _, ...facts } = this.node(shard);
    return {
      ...facts,
      holder: holder && { name: holder.name, isOwnSession: holder.session === session },
    };
  }

  changed(shard: number): void {
    for (const session of this.#sessions.values()) session.tellChanged([shard]);
  }

  hasLive(incarnation: string): boolean {
    return [...this.#sessions.values()].some(({ self }) => self === incarnation);
  }

  liveOnes(): readonly string[] {
    return [...this.#sessions.values()].map(({ self }) => self);
  }
}

/** One node's view of it. */
export class CoordinatorSession implements Manifest, SharedOwnership {
  readonly id: number;
  readonly self: string;
  readonly #shared: SharedCoordinator;
  readonly #onChanged = new Set<(shards: readonly number[]) => void>();
  readonly #onLost = new Set<(shards: readonly number[]) => void>();
  readonly #onLive = new Set<(replica: string, incarnation: string | undefined) => void>();
  /** Answers to reads. */
  readCount = 0;
  /** Runs before each change of the set: where tests lose connections. */
  beforeChange: (change: ShardChange) => "lost-before" | "lost-after" | undefined = () => undefined;

  constructor(shared: SharedCoordinator, id: number, self: string) {
    this.#shared = shared;
    this.id = id;
    this.self = self;
  }

  async read(shards: readonly number[]): Promise<readonly ShardFacts[]> {
    await this.#turn();
    this.readCount++;
    return shards.map((shard) => this.#shared.facts(shard, this.id));
  }

  async change(shard: number, version: number, change: ShardChange): Promise<MultiOutcome> {
    const lost = this.beforeChange(change);
    if (lost === "lost-before") return { kind: "unknown" };
    await this.#turn();
    const node = this.#shared.node(shard);
    if (node.version !== version || !this.#apply(node, change)) return { kind: "refused" };
    node.version++;
    this.#shared.changed(shard);
    return lost === undefined ? { kind: "done", version: node.version } : { kind: "unknown" };
  }

  onChanged(listener: (shards: readonly number[]) => void): () => void {
    this.#onChanged.add(listener);
    return () => this.#onChanged.delete(listener);
  }

  onLost(listener: (shards: readonly number[]) => void): () => void {
    this.#onLost.add(listener);
    return () => this.#onLost.delete(listener);
  }

  onLive(listener: (replica: string, incarnation: string | undefined) => void): () => void {
    this.#onLive.add(listener);
    for (const live of this.#shared.liveOnes()) listener(replicaOf(live), live);
    return () => this.#onLive.delete(listener);
  }

  tellChanged(shards: readonly number[]): void {
    if (shards.length === 0) return;
    setImmediate(() => {
      for (const tell of this.#onChanged) tell(shards);
    });
  }

  tellLost(shards: readonly number[]): void {
    for (const tell of this.#onLost) tell(shards);
  }

  tellLive(self: string, isLive: boolean): void {
    for (const tell of this.#onLive) tell(replicaOf(self), isLive ? self : undefined);
  }

  async load(shard: number): Promise<ShardManifest> {
    await this.#turn();
    return this.#shared.node(shard).manifest;
  }

  commitSeal(commit: SealCommit): Promise<ManifestOutcome> {
    return this.#commit(commit, (old) => afterSeal(old, commit));
  }

  commitMerge(commit: MergeCommit): Promise<ManifestOutcome> {
    return this.#commit(commit, (old) => afterMerge(old, commit));
  }

  commitDrop(commit: DropCommit): Promise<ManifestOutcome> {
    return this.#commit(commit, (old) => afterDrop(old, commit));
  }

  async #commit(
    { shard, epoch }: { readonly shard: number; readonly epoch: number },
    change: (old: ShardManifest) => ShardManifest,
  ): Promise<ManifestOutcome> {
    await this.#turn();
    const node = this.#shared.node(shard);
    if (node.epoch !== epoch || node.owner !== this.self) {
      return { kind: "deposed", epoch: node.epoch };
    }
    node.manifest = change(node.manifest);
    return { kind: "committed", generation: node.manifest.generation };
  }

  #apply(node: ShardNode, change: ShardChange): boolean {
    switch (change.kind) {
      case "acquire":
        if ((node.holder !== undefined) !== change.isHeld) return false;
        node.epoch = change.epoch;
        node.owner = change.owner;
        node.next = undefined;
        node.transferMs = 0;
        node.inSync = change.inSync ?? node.inSync;
        node.holder = { name: change.owner, session: this.id };
        return true;
      case "change-set":
        if (!change.live.every((live) => this.#shared.hasLive(live))) return false;
        node.replicas = change.replicas;
        node.inSync = change.inSync;
        return true;
      case "hand-over":
        node.holder = undefined;
        node.owner = undefined;
        node.next = change.next;
        node.transferMs = change.transferMs;
        return true;
    }
  }

  /** Answers come in a later turn, and none to a session that is over. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.#shared.isAlive(this)) throw new Error("the coordinator is away");
  }
}

function replicaOf(incarnation: string): string {
  return incarnation.slice(0, incarnation.lastIndexOf("/"));
}
