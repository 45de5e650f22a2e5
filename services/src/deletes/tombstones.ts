import { deserialize, serialize } from "node:v8";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import type { Topology } from "../../../cluster/src/topology.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import type { TombstoneStatus } from "../../../storage/src/shard/tombstone-progress.ts";
import { statusCallMs } from "./limits.ts";
import { type NodeProgress, withCopies } from "./node-progress.ts";

const method = "deletes.status";

type DeletingStore = Pick<Store, "status" | "tombstones" | "forgetTombstone" | "keptCopies">;

/** How far deletes have come in all shards that answered. */
export interface TombstoneProgress {
  readonly statuses: readonly TombstoneStatus[];
  /** Whether every shard and node of the cluster answered: one that did not may hold matches of a delete that others are done with. */
  readonly isWhole: boolean;
}

/** Asks all nodes how far deletes have come. */
export class Tombstones {
  readonly #store: DeletingStore;
  readonly #shardCount: number;
  readonly #nodes: { readonly peers: Peers; readonly topology: Topology } | undefined;

  /** Without `nodes` this node is all there is. */
  constructor(
    store: DeletingStore,
    shardCount: number,
    nodes?: { readonly peers: Peers; readonly topology: Topology },
  ) {
    this.#store = store;
    this.#shardCount = shardCount;
    this.#nodes = nodes;
    nodes?.peers.handle(method, () => {
      return Promise.resolve({ head: {}, bytes: [serialize(this.#own())] });
    });
  }

  async all(): Promise<TombstoneProgress> {
    const { answers, isWhole } = await this.#others();
    const nodes = [this.#own(), ...answers];
    const found = new Map<number, readonly TombstoneStatus[]>();
    for (const { shards, statuses } of nodes) {
      const byShard = Map.groupBy(statuses, ({ shard }) => shard);
      // On the move, two nodes may speak for one.
      for (const shard of shards) if (!found.has(shard)) found.set(shard, byShard.get(shard) ?? []);
    }
    const statuses = [...found.values()].flat().map((status) => withCopies(status, nodes));
    return { statuses, isWhole: isWhole && found.size === this.#shardCount };
  }

  /** Of the shards that are served here. */
  own(): readonly TombstoneStatus[] {
    return this.#store.tombstones();
  }

  /** One that is done everywhere needs no more to be looked at here. */
  forget(id: string): void {
    this.#store.forgetTombstone(id);
  }

  #own(): NodeProgress {
    const { shards } = this.#store.status();
    const serving = shards.filter(({ state }) => state === "serving").map(({ shard }) => shard);
    const copies = this.#nodes === undefined ? [] : this.#store.keptCopies();
    return { shards: serving, statuses: this.#store.tombstones(), copies };
  }

  async #others(): Promise<{ readonly answers: NodeProgress[]; readonly isWhole: boolean }> {
    if (this.#nodes === undefined) return { answers: [], isWhole: true };
    const { peers, topology } = this.#nodes;
    const others = topology.nodes().filter(({ nodeId }) => nodeId !== peers.self.nodeId);
    const asked = others.map(async ({ nodeId }) => {
      const question = { head: {}, bytes: [] };
      const { bytes } = await peers.call(nodeId, method, question, { timeoutMs: statusCallMs });
      return deserialize(bytes[0] ?? Buffer.alloc(0)) as NodeProgress;
    });
    const settled = await Promise.allSettled(asked);
    const heard = settled.filter((one) => one.status === "fulfilled");
    return { answers: heard.map(({ value }) => value), isWhole: heard.length === others.length };
  }
}
