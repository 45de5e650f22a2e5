import { messageOf, type ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import type { Appender } from "./appender.ts";
import type { StoreContext } from "./context.ts";
import { takeoverRetryMs } from "./limits.ts";
import type { ShardView } from "./ownership.ts";
import { restoreShard } from "./restore.ts";
import type { Shard } from "./shard.ts";

/**
 * Takes shards over, in the order on which safety rests: a barrier write shows that no foreign owner is
 * there; a higher epoch is promised durably; the shard is acquired; only then are its manifest and the end
 * of its log read; the lineage notes where the epoch begins; an epoch-start entry commits the inherited
 * tail with itself; then it serves.
 */
export class Takeover {
  readonly #context: StoreContext;
  readonly #appender: Appender;
  #retry: NodeJS.Timeout | undefined;
  readonly #running = new Set<Promise<void>>();
  #isStopped = false;
  readonly #stopListening: () => void;

  constructor(context: StoreContext, appender: Appender) {
    this.#context = context;
    this.#appender = appender;
    this.#stopListening = context.ownership.onLost((ids) => {
      const lost = ids.map((id) => context.shards[id]).filter((shard) => shard !== undefined);
      this.#context.logger.warn(
        { shards: ids },
        "shards may have lost their owner, acquiring anew",
      );
      void this.run(lost);
    });
  }

  /** Begins nothing more; resolves when what is under way has come to its next step and left off. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopListening();
    clearTimeout(this.#retry);
    await Promise.all(this.#running);
  }

  /** Settles when each shard serves, is another's, is stopped, or is to be tried again. Never rejects. */
  async run(shards: readonly Shard[]): Promise<void> {
    if (this.#isStopped) return;
    const running = this.#run(shards);
    this.#running.add(running);
    await running;
    this.#running.delete(running);
  }

  async #run(shards: readonly Shard[]): Promise<void> {
    const { logger, ownership } = this.#context;
    try {
      const views = await ownership.barrier(shards.map(({ id }) => id));
      const taken = await Promise.all(
        views.map((view) => {
          const shard = this.#context.shards[view.shard]!;
          // A seal or merge under way settles first: its outcome is read at the shard's present version.
          return shard.exclusive(() => this.#takeOne(shard, view));
        }),
      );
      this.#retryLater(views.filter((_, i) => !taken[i]).map(({ shard }) => shard));
    } catch (thrown) {
      if (this.#isStopped) return;
      logger.warn({ err: thrown, event: messageOf(thrown) }, "shards could not be acquired");
      this.#retryLater(shards.map(({ id }) => id));
    } finally {
      const { arena, writer } = this.#context;
      writer.close();
      arena.closed(writer.takeClosed());
    }
  }

  /** Whether the shard needs no other try. */
  async #takeOne(shard: Shard, view: ShardView): Promise<boolean> {
    const { epochs, ownership, logger } = this.#context;
    if (this.#isStopped || shard.state.kind === "stopped") return true;
    if (view.foreignOwner !== undefined || !view.isInSync) {
      shard.state = { kind: "foreign", owner: view.foreignOwner ?? "a replica in sync" };
      return false;
    }
    // What is in flight commits under the old epoch; a tail that was inherited waits for the new one.
    const wasServing = shard.state.kind === "serving";
    shard.state = { kind: "waiting" };
    if (wasServing) await shard.drained();
    const epoch = 1 + Math.max(view.epoch, epochs.of(shard.id).promised);
    try {
      await epochs.promise(new Map([[shard.id, epoch]]));
      if (this.#isStopped) return true;
      const outcome = await ownership.acquire(view, epoch);
      if (outcome.kind === "refused") {
        logger.info({ shard: shard.id, epoch, reason: outcome.reason }, "shard was not acquired");
        return false;
      }
      if (this.#isStopped) return true;
      if (shard.epoch === 0) {
        const manifest = await this.#context.manifest.load(shard.id);
        await restoreShard(this.#context, shard, manifest);
      }
      shard.epoch = epoch;
      const firstPosition = shard.end.position + 1;
      await epochs.begin(new Map([[shard.id, { epoch, firstPosition }]]));
      await this.#appender.epochStart(shard);
      shard.state = { kind: "serving" };
    } catch (thrown) {
      const error = serviceErrorOf(thrown);
      logger.error({ err: error, shard: shard.id, epoch, ...error.fields }, "shard is not served");
      // A full disk or an absent coordinator pass; damage and failure do not.
      const isPassing = passing.has(error.code);
      if (!isPassing) shard.stop(error);
      return !isPassing;
    }
    return true;
  }

  #retryLater(ids: readonly number[]): void {
    if (ids.length === 0 || this.#isStopped) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      const waiting = this.#context.shards.filter(({ state }) => {
        return state.kind === "waiting" || state.kind === "foreign";
      });
      void this.run(waiting);
    }, takeoverRetryMs).unref();
  }
}

const passing: ReadonlySet<string> = new Set<ServiceError["code"]>([
  "storage.full",
  "coordinator.unavailable",
  "coordinator.no-quorum",
]);
