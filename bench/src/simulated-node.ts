import type { Access } from "../../cluster/src/access.ts";
import { paths } from "../../cluster/src/paths.ts";
import { encodeZnode, type ShardState } from "../../cluster/src/znode-data.ts";
import { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { type MultiStep, steps } from "../../coordinator/src/client/multi.ts";
import { reads } from "../../coordinator/src/client/reads.ts";
import { cacheReadsAtOnce, cacheRequestsMax } from "../../coordinator/src/recipes/limits.ts";

export interface SimulatedOptions {
  readonly id: number;
  readonly connect: string;
  readonly access: Access;
  readonly auth: string;
  readonly sessionTimeoutMs: number;
}

/** What all simulated nodes have read after events, and what of it is under way. */
export interface ReadCounts {
  events: number;
  reads: number;
  underWay: number;
}

/**
 * A node as the coordinator sees it: one session with the watches and the reads of `Topology`, and writes of shards as an owner's. It keeps
 * nothing of what it reads, since a thousand copies of a large topology do not fit into one process.
 */
export class SimulatedNode {
  readonly id: number;
  /** As `nodeId/diskId/incarnation`. */
  readonly owner: string;
  readonly replica: string;
  readonly client: ZooKeeperClient;
  readonly #options: SimulatedOptions;
  readonly #counts: ReadCounts;
  readonly #dirty = new Set<string>();
  #requests = 0;

  constructor(options: SimulatedOptions, counts: ReadCounts) {
    const { id, connect, sessionTimeoutMs } = options;
    this.id = id;
    this.replica = `${id}/disk-${id}`;
    this.owner = `${this.replica}/process-${id}`;
    this.client = new ZooKeeperClient({ connect, sessionTimeoutMs });
    this.#options = options;
    this.#counts = counts;
  }

  async announce(): Promise<void> {
    const { access, auth } = this.#options;
    const { id, client } = this;
    await client.addAuth("digest", auth);
    const record = {
      ...{ nodeId: id, diskId: `disk-${id}`, incarnation: `process-${id}`, state: "live" },
      ...{ http: `10.0.${id >> 8}.${id & 255}:7070`, peer: `10.0.${id >> 8}.${id & 255}:7071` },
      ...{
        coordinator: "",
        coordinatorTls: false,
        zone: "",
        roles: ["ingest", "query", "alerts"],
        version: "0.1.0",
      },
      ...{ startedMs: Date.now(), capacityBytes: 1e12 },
    };
    await client.create(paths.node(id), null, { acl: access.acl });
    const options = { acl: access.acl, mode: "ephemeral" } as const;
    await client.create(paths.live(id, `process-${id}`), encodeZnode(record), options);
  }

  /** From now on it reads what changes, as `TreeCache` does. */
  async follow(): Promise<void> {
    for (const path of [paths.nodes, paths.shards, paths.assignments]) {
      await this.client.addWatch(path, "persistentRecursive", (event) => {
        if (event.kind === "missed") throw new Error("a simulated node has lost its connection");
        this.#counts.events++;
        this.#dirty.add(event.path);
        this.#pump();
      });
    }
  }

  /** A shard that did not exist, owned by this node. */
  async found(shard: number, replicas: readonly string[]): Promise<void> {
    const { acl } = this.#options.access;
    const state = { epoch: 1, owner: this.owner, next: null, transferMs: 0, lossEpoch: 0 };
    const sealedThrough = { epoch: 0, position: 0 };
    const sealed = { generation: 0, sealedThrough, checkpoint: null, folded: null };
    await this.client.multi([
      steps.create(paths.shard(shard), encodeZnode(stateOf(state, replicas, replicas)), { acl }),
      steps.create(paths.shardSegments(shard), encodeZnode(sealed), { acl }),
      steps.create(paths.shardOwner(shard), Buffer.from(this.owner), { acl, mode: "ephemeral" }),
    ]);
  }

  /** One change of a shard that this node owns; `version` is that of the shard before. */
  async change(shard: number, version: number, state: ShardState): Promise<void> {
    const { acl } = this.#options.access;
    const set = steps.setData(paths.shard(shard), encodeZnode(state), version);
    const owner = paths.shardOwner(shard);
    const ephemeral = { acl, mode: "ephemeral" } as const;
    const more: MultiStep[] = [];
    if (state.owner === null) more.push(steps.delete(owner));
    else if (state.next !== null)
      more.push(steps.create(owner, Buffer.from(this.owner), ephemeral));
    await this.client.multi([...more, set]);
  }

  #pump(): void {
    while (this.#requests < cacheRequestsMax && this.#dirty.size > 0) {
      const some = [...this.#dirty].slice(0, cacheReadsAtOnce);
      for (const path of some) this.#dirty.delete(path);
      this.#requests++;
      this.#counts.underWay++;
      void this.#read(some);
    }
  }

  async #read(some: readonly string[]): Promise<void> {
    await this.client.multiRead(some.flatMap((path) => [reads.data(path), reads.children(path)]));
    this.#counts.reads += some.length;
    this.#counts.underWay--;
    this.#requests--;
    this.#pump();
  }
}

export function stateOf(
  rest: Omit<ShardState, "replicas" | "inSync">,
  replicas: readonly string[],
  inSync: readonly string[],
): ShardState {
  return { ...rest, replicas: [...replicas], inSync: [...inSync] };
}
