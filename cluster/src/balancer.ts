import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import type { RoleTerm } from "../../coordinator/src/recipes/role-election.ts";
import { messageOf } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { Access } from "./access.ts";
import { Assignments, isDeposed } from "./assignments.ts";
import { foundingMs, placementGatherMs, placementTickMs } from "./limits.ts";
import { takeMoves, withMoves } from "./moves.ts";
import { nodeOfReplica } from "./node.ts";
import { paths } from "./paths.ts";
import { type CandidateNode, Candidates } from "./placement/candidates.ts";
import { type Placement, place, withGone } from "./placement/place.ts";
import { isPassing, settle } from "./settle.ts";
import type { Topology } from "./topology.ts";

export interface BalancerOptions {
  readonly client: ZooKeeperClient;
  readonly access: Access;
  readonly topology: Topology;
  readonly shards: number;
  /** Copies of a shard, read at each placement. */
  readonly replication: () => number;
  /** How long a node may be away before its copies are made elsewhere. */
  readonly graceMs: () => number;
  /** Nodes that a new cluster begins with; it is placed when they are there, or after a while on those that are. */
  readonly founders: number;
  /** Monotonic, in milliseconds. */
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/**
 * The work of the balancer's role for one term: says which nodes are to have which shard, and says it again when nodes come, go or
 * are drained, and when somebody asks for a move. The shards' owners do what it says. Ends with the term.
 */
export async function balanceShards(term: RoleTerm, options: BalancerOptions): Promise<void> {
  const balancer = new Balancer(term, options);
  await balancer.run();
}

class Balancer {
  readonly #term: RoleTerm;
  readonly #options: BalancerOptions;
  readonly #assignments: Assignments;
  readonly #candidates: Candidates;
  readonly #beganMs: number;
  #wake = Promise.withResolvers<void>();

  constructor(term: RoleTerm, options: BalancerOptions) {
    this.#term = term;
    this.#options = options;
    this.#assignments = new Assignments(options.client, options.access);
    this.#candidates = new Candidates(options.graceMs);
    this.#beganMs = options.nowMs();
  }

  async run(): Promise<void> {
    const { client, topology, logger } = this.#options;
    const { signal } = this.#term;
    const wake = (): void => this.#wake.resolve();
    const stop = topology.onNodes(wake);
    signal.addEventListener("abort", wake);
    const watch = await settle(() => client.addWatch(paths.moves, "persistent", wake));
    try {
      let placement = this.#known(await settle(() => this.#assignments.read()));
      while (!signal.aborted) {
        try {
          placement = await this.#place(placement);
        } catch (thrown) {
          if (signal.aborted || isZooKeeperError(thrown, "CLOSED")) return;
          // Another holds the role, or held it in between: whoever is elected reads what is there.
          if (isDeposed(thrown)) return;
          if (!isPassing(thrown)) throw thrown;
          logger.info({ reason: messageOf(thrown) }, "shards will be placed once more");
          placement = this.#known(await settle(() => this.#assignments.read()));
        }
        await this.#pause();
      }
    } finally {
      stop();
      signal.removeEventListener("abort", wake);
      await watch.close().catch(() => undefined);
    }
  }

  /** Shards without an assignment are where their znodes say. */
  #known(assigned: Placement): Placement {
    const known = new Map(assigned);
    for (const { shard, owner, replicas } of this.#options.topology.shards()) {
      if (known.has(shard)) continue;
      const nodes = [...(owner === null ? [] : [owner]), ...replicas].map(nodeOfReplica);
      known.set(shard, [...new Set(nodes)]);
    }
    return known;
  }

  async #place(before: Placement): Promise<Placement> {
    const { client, topology, shards, replication, nowMs, logger } = this.#options;
    const live = liveNodes(topology);
    const holders = new Set([...before.values()].flat());
    const nodes = this.#candidates.look({ live, drained: topology.drained, holders }, nowMs());
    const open = new Set(nodes.filter(({ isAway }) => isAway !== true).map(({ id }) => id));
    if (open.size === 0 || !this.#isTime(before, open.size)) return before;
    const { requests, deletes } = await takeMoves(client, logger);
    const copies = replication();
    const wished = withMoves(before, requests, open);
    const placed = place({ nodes, shardCount: shards, replication: copies, before: wished });
    const counted = new Set(nodes.map(({ id }) => id));
    const isGone = (id: number): boolean => !counted.has(id) && !topology.drained.has(id);
    const after = withGone(placed, before, copies, isGone);
    const written = await this.#assignments.write(this.#term, after, deletes);
    if (written > 0) {
      const moved = movedBetween(before, after);
      logger.info({ nodes: nodes.length, moved, written }, "shards are placed");
    }
    return after;
  }

  /** A cluster that was never placed waits for its founders. */
  #isTime(before: Placement, count: number): boolean {
    const { founders, nowMs } = this.#options;
    if (before.size > 0 || count >= founders) return true;
    return nowMs() - this.#beganMs >= foundingMs;
  }

  /** Until something may have changed; several changes at once are gathered. */
  async #pause(): Promise<void> {
    const { nowMs } = this.#options;
    const now = nowMs();
    const untilGone = (this.#candidates.nextMs(now) ?? Number.POSITIVE_INFINITY) - now;
    const waitMs = Math.max(placementGatherMs, Math.min(placementTickMs, untilGone));
    const timer = setTimeout(() => this.#wake.resolve(), waitMs);
    await this.#wake.promise;
    clearTimeout(timer);
    this.#wake = Promise.withResolvers();
    if (this.#term.signal.aborted) return;
    await new Promise((resolve) => setTimeout(resolve, placementGatherMs));
  }
}

/** Those that hold shards and are there, by what they say of themselves. */
function liveNodes(topology: Topology): readonly CandidateNode[] {
  return topology
    .nodes()
    .filter(({ roles }) => roles.includes("ingest"))
    .map(({ nodeId, zone, capacityBytes }) => ({ id: nodeId, zone, capacityBytes }));
}

/** Copies that are to be where there was none. */
function movedBetween(before: Placement, after: Placement): number {
  let moved = 0;
  for (const [shard, nodes] of after) {
    moved += nodes.filter((node) => before.get(shard)?.includes(node) !== true).length;
  }
  return moved;
}
