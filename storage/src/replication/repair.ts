import { messageOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { DamageList } from "../shard/damage-list.ts";
import type { LiveSegment } from "../shard/segment-set.ts";
import type { HeldSegments, SealedFile } from "./held-segments.ts";
import { repairRetryMs } from "./limits.ts";

/** What the repair of one shard's segments needs of its replica. */
export interface RepairedShard {
  readonly shard: number;
  readonly held: Pick<HeldSegments, "renew">;
  /** Other members in sync, each of which has every segment. */
  readonly others: () => readonly string[];
  readonly isLive: (segment: LiveSegment) => boolean;
}

/** Segments that are damaged at their owner, each replaced by the copy of another replica as soon as one can be had. */
export class SegmentRepair {
  readonly #damage: DamageList;
  readonly #logger: Logger;
  /** By uuid: those that are under repair, and when they are tried again. */
  readonly #under = new Map<string, NodeJS.Timeout | undefined>();
  #isStopped = false;

  constructor(damage: DamageList, logger: Logger) {
    this.#damage = damage;
    this.#logger = logger;
  }

  /** Begins at once, and does not give up while the segment is live. */
  begin(shard: RepairedShard, segment: LiveSegment): void {
    if (this.#isStopped || this.#under.has(segment.entry.uuid)) return;
    this.#under.set(segment.entry.uuid, undefined);
    void this.#try(shard, segment);
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#under.values()) clearTimeout(timer);
    this.#under.clear();
  }

  async #try(shard: RepairedShard, segment: LiveSegment): Promise<void> {
    const { uuid } = segment.entry;
    const isDone = await this.#repaired(shard, segment);
    if (this.#isStopped) return;
    if (isDone) {
      this.#under.delete(uuid);
      return;
    }
    const timer = setTimeout(() => void this.#try(shard, segment), repairRetryMs);
    this.#under.set(uuid, timer.unref());
  }

  /** Also true when there is nothing to repair any more. */
  async #repaired(
    { shard, held, others, isLive }: RepairedShard,
    segment: LiveSegment,
  ): Promise<boolean> {
    const { uuid, file, bytes } = segment.entry;
    const detail: SealedFile = { kind: "segment", file, bytes };
    for (const from of others()) {
      if (!isLive(segment)) return true;
      try {
        do {
          await held.renew(from, { uuid, detail });
          segment.damagedBlocks.clear();
          segment.isLost = false;
          await this.#damage.forget(new Set([uuid]));
          // A reader may have told meanwhile of what it saw before: it began no repair of its own.
        } while (segment.damagedBlocks.size > 0 || segment.isLost);
        this.#logger.info({ shard, uuid, from }, "damaged segment is repaired");
        return true;
      } catch (thrown) {
        const facts = { shard, uuid, from, reason: messageOf(thrown) };
        this.#logger.warn(facts, "damaged segment could not be had from another replica");
      }
    }
    return !isLive(segment);
  }
}
