import type { Topology } from "../../cluster/src/topology.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";

/** Between two looks: a set that is small for so long is not just being made. */
const lookEveryMs = 10_000;

/** A node that is away is waited for until somebody says that it never comes back: with three copies, its shards take nothing until then. */
const advice =
  "start the nodes that are away, or send one that never comes back away with `logkeep shard drain N`";

/** Shards that are named; all are counted. */
const namedMax = 20;

export interface SingleWatchOptions {
  readonly topology: Pick<Topology, "ownerOf" | "isSingle">;
  readonly shardCount: number;
  /** `nodeId/diskId/incarnation` of this process. */
  readonly self: string;
  readonly logger: Logger;
}

/**
 * Says in the log, which rules can look at, that records of shards owned here are on this disk alone though more copies should be:
 * once when it lasts, and when it is over.
 */
export class SingleWatch implements Closable {
  readonly #options: SingleWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #before: ReadonlySet<number> = new Set();
  #isTold = false;

  constructor(options: SingleWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), lookEveryMs).unref();
  }

  look(): void {
    const { topology, shardCount, self, logger } = this.#options;
    const single = new Set<number>();
    for (let shard = 0; shard < shardCount; shard++) {
      if (topology.ownerOf(shard) === self && topology.isSingle(shard)) single.add(shard);
    }
    const lasting = [...single].filter((shard) => this.#before.has(shard));
    this.#before = single;
    if (lasting.length > 0 && !this.#isTold) {
      this.#isTold = true;
      const facts = { count: lasting.length, shards: lasting.slice(0, namedMax), advice };
      logger.warn(facts, "shards have their records on this disk alone");
    } else if (single.size === 0 && this.#isTold) {
      this.#isTold = false;
      logger.info({}, "shards have copies on other disks again");
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
  }
}
