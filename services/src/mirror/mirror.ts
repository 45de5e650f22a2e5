import type { Client } from "@elastic/elasticsearch";
import { ElasticsearchMirror, TargetChanged } from "../../../adapters/src/elasticsearch/mirror.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import { messageOf } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { pause } from "../../../kit/src/pause.ts";
import type { SegmentEntry } from "../../../storage/src/shard/manifest.ts";
import type { SegmentChange } from "../../../storage/src/shard/sealed.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import type { WorkerPool } from "../threads/pool.ts";
import { addLag, lagOf, type MirrorLag, noLag } from "./lag.ts";
import { closeWaitMs, lookEveryMs, requestsMax, retryMs } from "./limits.ts";
import type { ProgressStore } from "./progress.ts";
import { ShardMirror } from "./shard-mirror.ts";

export interface MirrorOptions {
  readonly client: Client;
  readonly store: Store;
  readonly pool: WorkerPool;
  readonly progress: ProgressStore;
  /** The cluster's uuid, and how many shards it has. */
  readonly cluster: { readonly id: string; readonly shards: number };
  readonly prefix: string;
  readonly bulkMaxBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Mirrors what is sealed into Elasticsearch, of the shards that this node owns. A few lanes take a shard each, with
 * one request in flight; whatever fails is tried again until it is there, and nothing here holds up anything else.
 */
export class Mirror implements Closable {
  /** Records that retention dropped before they were mirrored. */
  droppedRecords = 0;
  readonly sink: ElasticsearchMirror;
  readonly #options: MirrorOptions;
  readonly #shards: readonly ShardMirror[];
  /** Shards with something to look at, in the order of what happened. */
  readonly #waiting = new Set<ShardMirror>();
  readonly #busy = new Set<ShardMirror>();
  readonly #stopping = new AbortController();
  readonly #stopListening: () => void;
  readonly #looker: NodeJS.Timeout;
  readonly #loaded: Promise<void>;
  readonly #lanes: readonly Promise<void>[];
  readonly #sleepers = new Set<() => void>();

  constructor(options: MirrorOptions) {
    const { client, cluster, logger, prefix, store } = options;
    this.#options = options;
    this.sink = new ElasticsearchMirror({ client, prefix, logger, random: Math.random });
    this.#shards = Array.from(
      { length: cluster.shards },
      (_, shard) => new ShardMirror({ ...options, sink: this.sink, shard }),
    );
    this.#loaded = this.#load();
    this.#stopListening = store.onSegments((change) => this.#changed(change));
    this.#looker = setInterval(() => this.#look(), lookEveryMs).unref();
    this.#lanes = Array.from({ length: requestsMax }, () => this.#loaded.then(() => this.#lane()));
  }

  get damagedBlocks(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.damagedBlocks, 0);
  }

  /** Of all shards that are served here. */
  lag(): MirrorLag {
    return this.#shards.reduce((sum, shard) => addLag(sum, shard.lag()), noLag);
  }

  async close(): Promise<void> {
    this.#stopListening();
    clearInterval(this.#looker);
    this.#stopping.abort();
    for (const wake of this.#sleepers) wake();
    const ended = new AbortController();
    const late = pause(closeWaitMs, ended.signal);
    await Promise.race([Promise.all(this.#lanes), late]);
    ended.abort();
    await this.#options.client.close();
  }

  /** Before anything is sent: what waits is told from the start, also while Elasticsearch is away. */
  async #load(): Promise<void> {
    for (const shard of this.#shards) {
      await this.#attempt(shard, () => shard.load());
    }
    this.#look();
  }

  #changed(change: SegmentChange): void {
    const shard = this.#shards[change.shard];
    if (shard === undefined) return;
    if (change.kind === "dropped") this.#dropped(shard, change.segments);
    else this.#wake(shard);
  }

  #dropped(shard: ShardMirror, segments: readonly SegmentEntry[]): void {
    const missed = segments
      .filter(({ uuid }) => !shard.isDone(uuid))
      .reduce((sum, entry) => sum + lagOf(entry, shard.progress.through).records, 0);
    if (missed === 0) return;
    this.droppedRecords += missed;
    const fields = { shard: shard.id, records: missed };
    this.#options.logger.warn(fields, "retention dropped records that were not mirrored yet");
  }

  #look(): void {
    for (const shard of this.#shards) if (shard.mayHaveWork()) this.#wake(shard);
  }

  #wake(shard: ShardMirror): void {
    this.#waiting.add(shard);
    for (const wake of this.#sleepers) wake();
  }

  async #lane(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const shard = this.#take();
      if (shard === undefined) {
        await this.#woken();
        continue;
      }
      this.#busy.add(shard);
      await this.#attempt(shard, () => shard.run(signal));
      this.#busy.delete(shard);
      if (this.#waiting.has(shard)) this.#wake(shard);
    }
  }

  /** Does something of a shard; one that fails is looked at again after a while. */
  async #attempt(shard: ShardMirror, deed: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    try {
      await deed();
    } catch (thrown) {
      if (signal.aborted) return;
      this.#waiting.add(shard);
      // Who answers now is asked for at once.
      if (thrown instanceof TargetChanged) return;
      const fields = { shard: shard.id, reason: messageOf(thrown) };
      this.#options.logger.warn(fields, "a shard could not be mirrored, trying again");
      await pause(retryMs, signal);
    }
  }

  #take(): ShardMirror | undefined {
    for (const shard of this.#waiting) {
      if (this.#busy.has(shard)) continue;
      this.#waiting.delete(shard);
      return shard;
    }
    return undefined;
  }

  async #woken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.add(resolve);
    await promise;
    this.#sleepers.delete(resolve);
  }
}
