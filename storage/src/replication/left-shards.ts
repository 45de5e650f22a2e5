import type { Clock } from "../../../kit/src/clock.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { CommitLog } from "../log/commit-log.ts";
import type { Shard } from "../shard/shard.ts";
import type { CoordinatorCalls } from "./coordinator-calls.ts";
import { replicaOf } from "./core/core.ts";
import type { ShardFacts } from "./core/types.ts";
import type { HeldSegments } from "./held-segments.ts";
import { leftLookMs, leftLookMsMin } from "./limits.ts";
import type { ReplicaHost } from "./replica-host.ts";

export interface LeftShardsOptions {
  readonly shards: readonly Shard[];
  readonly hosts: readonly ReplicaHost[];
  readonly held: readonly HeldSegments[];
  readonly calls: CoordinatorCalls;
  readonly log: Pick<CommitLog, "range">;
  /** This replica, as `nodeId/diskId`. */
  readonly member: string;
  /** How long files stay of a shard that has gone elsewhere, in milliseconds. */
  readonly keepMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A shard that this replica seems to have nothing to do with. */
interface Left {
  readonly sinceMs: number;
  /** Orders there had been by then: one more, and somebody wants it to have files. */
  readonly orders: number;
  /** The core was told, after which nothing that it said of its files counts any more. */
  readonly isTold: boolean;
}

/**
 * Deletes the sealed files of shards that were moved away from this disk, and frees their entries in its log: nobody would merge, drop or
 * delete anything in them any more, nor seal them.
 * A shard counts as left when it is served elsewhere and its znode, read after a barrier write, has not named this replica for long. The
 * core forgets whom it followed before that is read, so that whoever takes this replica in again has it fetch all files anew.
 */
export class LeftShards {
  readonly #options: LeftShardsOptions;
  readonly #left = new Map<number, Left>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: LeftShardsOptions) {
    this.#options = options;
    const everyMs = Math.min(leftLookMs, Math.max(leftLookMsMin, options.keepMs));
    this.#timer = setInterval(() => this.#look(), everyMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#left.clear();
  }

  #look(): void {
    const { shards, hosts, held, clock, keepMs } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const { id } of shards) {
      if (!this.#isElsewhere(id) || (held[id]!.isEmpty && !this.#isLogged(id))) {
        this.#left.delete(id);
        continue;
      }
      const { orders } = held[id]!;
      const left = this.#left.get(id);
      if (left === undefined || left.orders !== orders) {
        this.#left.set(id, { sinceMs: nowMs, orders, isTold: false });
        continue;
      }
      if (nowMs - left.sinceMs < keepMs) continue;
      this.#confirm(id, () => {
        if (left.isTold) {
          this.#clear(id, orders);
          return;
        }
        hosts[id]!.input({ kind: "left" });
        this.#left.set(id, { ...left, isTold: true });
      });
    }
  }

  /** By what this replica knows, which may be old. */
  #isElsewhere(id: number): boolean {
    const { shards, hosts, member } = this.#options;
    const { kind } = shards[id]!.state;
    const { members } = hosts[id]!.core.status;
    return (
      kind !== "serving" && kind !== "stopped" && members.length > 0 && !members.includes(member)
    );
  }

  /** Nobody here seals what its log has of the shard, so that it would be written again and again. */
  #isLogged(id: number): boolean {
    const range = this.#options.log.range(id);
    return range !== undefined && range.end.position > range.base.position;
  }

  /** Goes on where the znode says so too; one that names this replica, as for a learner that takes long, begins the wait anew. */
  #confirm(id: number, deed: () => void): void {
    const { calls, member } = this.#options;
    calls.look(id, (facts) => {
      if (facts === undefined || !this.#left.has(id)) return;
      if (isOther(facts, member) && this.#isElsewhere(id)) deed();
      else this.#left.delete(id);
    });
  }

  #clear(id: number, orders: number): void {
    const { held, hosts, logger } = this.#options;
    this.#left.delete(id);
    const files = held[id]!.clear(orders);
    if (files === undefined) return;
    const isLogged = this.#isLogged(id);
    if (isLogged) hosts[id]!.input({ kind: "let-go" });
    logger.info(
      { shard: id, files, isLogged },
      "what is here of a shard that is elsewhere is deleted",
    );
  }
}

/** Whether others have the shard, and one of them serves it. */
export function isOther(
  { version, replicas, inSync, holder }: ShardFacts,
  member: string,
): boolean {
  const isNamed = replicas.includes(member) || inSync.includes(member);
  return version >= 0 && !isNamed && holder !== undefined && replicaOf(holder.name) !== member;
}
