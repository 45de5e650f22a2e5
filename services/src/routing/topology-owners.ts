import { nodeOfReplica } from "../../../cluster/src/node.ts";
import type { Topology } from "../../../cluster/src/topology.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { ShardOwners } from "../fan-out/cluster-source.ts";
import { doubtMs } from "./limits.ts";

/** What of the topology says who owns what. */
export type OwnersTopology = Pick<Topology, "ownerOf" | "onShard" | "onNodes">;

/** What a router asks of owners beyond what a query does: its tries take their time, and it must not sleep through what came meanwhile. */
export interface RoutedOwners extends ShardOwners {
  /** How many changes there have been. */
  readonly changes: number;
  /** Also resolves when there have been other changes than `since` of them. */
  changed(timeoutMs: number, since?: number): Promise<void>;
}

/**
 * Who owns which shard, from the znodes as this node last saw them, until the owner itself says otherwise. It may be wrong: then the node that
 * is asked says so, and is not asked again until the znodes have changed or a while has passed.
 */
export class TopologyOwners implements RoutedOwners, Closable {
  readonly shardCount: number;
  readonly #topology: OwnersTopology;
  /** By shard; filled as it is asked. */
  readonly #nodes = new Map<number, number | undefined>();
  readonly #doubts = new Map<number, NodeJS.Timeout>();
  readonly #waiters = new Set<() => void>();
  readonly #stops: readonly (() => void)[];
  #changes = 0;

  constructor(topology: OwnersTopology, shardCount: number) {
    this.#topology = topology;
    this.shardCount = shardCount;
    this.#stops = [
      topology.onShard((shard) => {
        this.#nodes.delete(shard);
        this.#trust(shard);
      }),
      topology.onNodes(() => this.#wake()),
    ];
  }

  get changes(): number {
    return this.#changes;
  }

  nodeOf(shard: number): number | undefined {
    if (this.#doubts.has(shard)) return undefined;
    // Asked for each part of each request.
    const known = this.#nodes.get(shard);
    if (known !== undefined) return known;
    const owner = this.#topology.ownerOf(shard);
    const node = owner === undefined ? undefined : nodeOfReplica(owner);
    this.#nodes.set(shard, node);
    return node;
  }

  doubt(shard: number, node?: number): void {
    if (this.#doubts.has(shard)) return;
    // An answer of before the shard moved must not keep others from its new owner.
    if (node !== undefined && this.nodeOf(shard) !== node) return;
    this.#doubts.set(
      shard,
      setTimeout(() => this.#trust(shard), doubtMs),
    );
  }

  changed(timeoutMs: number, since = this.#changes): Promise<void> {
    if (since !== this.#changes) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#waiters.add(wake);
    });
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    for (const timer of this.#doubts.values()) clearTimeout(timer);
    this.#wake();
  }

  #trust(shard: number): void {
    clearTimeout(this.#doubts.get(shard));
    this.#doubts.delete(shard);
    this.#wake();
  }

  #wake(): void {
    this.#changes++;
    for (const wake of this.#waiters) wake();
  }
}
