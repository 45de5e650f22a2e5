import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
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
import { afterDrop, afterMerge, afterSeal, emptyManifest } from "./manifest-changes.ts";

interface ShardNode {
  epoch: number;
  owner: string | undefined;
  version: number;
  manifest: ShardManifest;
}

/**
 * Manifest and ownership in one small file, replaced whole at each change, so that a killed process
 * leaves the state before or after it. A second incarnation opens the same file.
 */
export class FileCoordinator implements Manifest, SharedOwnership {
  readonly self: string;
  readonly #path: string;
  readonly #nodes: Map<number, ShardNode>;
  /** Shards whose owner znode went with its session. */
  readonly #lost = new Set<number>();
  readonly #listeners = new Set<(shards: readonly number[]) => void>();
  /** Runs before each commit: where tests pause, or depose. */
  beforeCommit: (kind: "seal" | "merge" | "drop") => Promise<void> | void = () => undefined;

  constructor(path: string, member: string, incarnation: string) {
    this.#path = path;
    this.self = `${member}/${incarnation}`;
    this.#nodes = existsSync(path) ? new Map(JSON.parse(readFileSync(path, "utf8"))) : new Map();
  }

  async read(shards: readonly number[]): Promise<readonly ShardFacts[]> {
    this.#store();
    const member = this.self.slice(0, this.self.lastIndexOf("/"));
    return shards.map((shard) => {
      const { epoch, owner, version } = this.#node(shard);
      const holder =
        owner === undefined || this.#lost.has(shard)
          ? undefined
          : { name: owner, isOwnSession: owner === this.self };
      const facts = { version, epoch, owner, holder, next: undefined, transferMs: 0 };
      return { ...facts, replicas: [member], inSync: [member] };
    });
  }

  async change(shard: number, version: number, change: ShardChange): Promise<MultiOutcome> {
    const node = this.#node(shard);
    if (node.version !== version || change.kind === "change-set") return { kind: "refused" };
    if (change.kind === "acquire") Object.assign(node, { epoch: change.epoch, owner: this.self });
    else node.owner = undefined;
    node.version++;
    this.#lost.delete(shard);
    this.#store();
    return { kind: "done", version: node.version };
  }

  onChanged(): () => void {
    return () => undefined;
  }

  onLive(): () => void {
    return () => undefined;
  }

  onLost(listener: (shards: readonly number[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As when a session expired. */
  lose(shards: readonly number[]): void {
    for (const shard of shards) this.#lost.add(shard);
    for (const listener of this.#listeners) listener(shards);
  }

  /** As when another replica acquired the shard. */
  depose(shard: number, owner: string): void {
    const node = this.#node(shard);
    Object.assign(node, { epoch: node.epoch + 1, owner, version: node.version + 1 });
    this.#store();
  }

  async load(shard: number): Promise<ShardManifest> {
    return this.#node(shard).manifest;
  }

  async commitSeal(commit: SealCommit): Promise<ManifestOutcome> {
    await this.beforeCommit("seal");
    return this.#change(commit, (old) => afterSeal(old, commit));
  }

  async commitMerge(commit: MergeCommit): Promise<ManifestOutcome> {
    await this.beforeCommit("merge");
    return this.#change(commit, (old) => afterMerge(old, commit));
  }

  async commitDrop(commit: DropCommit): Promise<ManifestOutcome> {
    await this.beforeCommit("drop");
    return this.#change(commit, (old) => afterDrop(old, commit));
  }

  #change(
    { shard, epoch }: { readonly shard: number; readonly epoch: number },
    change: (old: ShardManifest) => ShardManifest,
  ): ManifestOutcome {
    const node = this.#node(shard);
    if (node.epoch !== epoch) return { kind: "deposed", epoch: node.epoch };
    node.manifest = change(node.manifest);
    this.#store();
    return { kind: "committed", generation: node.manifest.generation };
  }

  #node(shard: number): ShardNode {
    const node = this.#nodes.get(shard) ?? {
      ...{ epoch: 0, owner: undefined, version: 0 },
      manifest: emptyManifest,
    };
    this.#nodes.set(shard, node);
    return node;
  }

  #store(): void {
    writeFileSync(`${this.#path}.tmp`, JSON.stringify([...this.#nodes]));
    renameSync(`${this.#path}.tmp`, this.#path);
  }
}
