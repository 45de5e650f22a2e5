import { nodeOfReplica } from "../../../cluster/src/node.ts";
import type { Topology } from "../../../cluster/src/topology.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { ShardOwners } from "../fan-out/cluster-source.ts";
import { doubtMs } from "./limits.ts";

/** What of the topology says who owns what. */
export type OwnersTopology = Pick<Topology, "ownerOf" | "onShard" | "onNodes">;

/**
 * Who owns which shard, from the znodes as this node last saw them, until the owner itself says otherwise. It may be wrong: then the node that
 * is asked says so, and is not asked again until the znodes have changed or a while has passed.
 */
export class TopologyOwners implements ShardOwners, Closable {
  readonly shardCount: number;
  readonly #topology: OwnersTopology;
  /** By shard; filled as it is asked. */
  readonly #nodes = new Map<number, number | undefined>();
  readonly #doubts = new Map<number, NodeJS.Timeout>();
  readonly #waiters = new Set<() => void>();
  readonly #stops: readonly (() => void)[];

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

  changed(timeoutMs: number): Promise<void> {
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
    for (const wake of this.#waiters) wake();
  }
}
