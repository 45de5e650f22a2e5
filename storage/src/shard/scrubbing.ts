import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../../kit/src/errors.ts";
import type { Scrubbed } from "../segment/scrub.ts";
import type { StoreContext } from "./context.ts";
import type { DamagedBlock, DamagedSegment } from "./damage-list.ts";
import {
  scrubBytesPerSecondMax,
  scrubBytesPerSecondMin,
  scrubIdleMs,
  scrubPieceBytes,
  scrubRepairRetryMs,
  scrubRepairTriesMax,
} from "./limits.ts";
import { noteDamage } from "./set-aside.ts";

export interface ScrubOptions {
  /** Every file is read once in so long a time, as far as the limits on bytes a second allow; 0: none is. */
  readonly scrubPeriodMs: number;
  /** A follower's copy of a segment is damaged: puts the owner's in its place. Rejects where that cannot be done now. */
  readonly renewCopy: (shard: number, uuid: string) => Promise<void>;
}

interface HeldFile {
  readonly shard: number;
  readonly uuid: string;
  readonly path: string;
  readonly bytes: number;
}

const segmentName = /^\d+-([0-9a-f]{8}-[0-9a-f-]{27})$/;

/**
 * Reads the segment files of all shards slowly, those that this node owns and its copies of others', and has what is damaged
 * repaired before anybody needs it. One piece at a time, in a worker.
 */
export class Scrubber {
  readonly #context: StoreContext;
  readonly #options: ScrubOptions;
  readonly #stopping = new AbortController();
  /** Copies under repair, by uuid. */
  readonly #repairs = new Map<string, Promise<void>>();
  #running: Promise<void> | undefined;

  constructor(context: StoreContext, options: ScrubOptions) {
    this.#context = context;
    this.#options = options;
  }

  start(): void {
    if (this.#options.scrubPeriodMs > 0) this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#running, ...this.#repairs.values()]);
  }

  /** Reads every file now, without a pause. */
  async scrubAll(): Promise<void> {
    for (const file of this.#files()) await this.#scrub(file, 0);
    await Promise.all(this.#repairs.values());
  }

  /** Damage of a segment that is not served here, but may be a copy: then it is repaired. */
  copyDamaged(found: DamagedBlock | DamagedSegment): void {
    const { logger, paths } = this.#context;
    if (this.#stopping.signal.aborted || this.#repairs.has(found.uuid)) return;
    const directory = paths.shard(found.shard);
    const file = readdirSync(directory).find((name) => segmentName.exec(name)?.[1] === found.uuid);
    if (file === undefined) return;
    logger.error({ ...found, file: join(directory, file) }, "copy of a segment is damaged");
    // Nobody is to be answered from it meanwhile.
    if (found.block !== undefined) noteDamage(this.#context, found);
    const repair = this.#repair(found).finally(() => this.#repairs.delete(found.uuid));
    this.#repairs.set(found.uuid, repair);
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const beganMs = performance.now();
      const files = this.#files();
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      const wanted = bytes / (this.#options.scrubPeriodMs / 1_000);
      const rate = Math.min(Math.max(wanted, scrubBytesPerSecondMin), scrubBytesPerSecondMax);
      // Not from the first each time: a node may be restarted more often than it is through.
      const first = Math.floor(this.#context.clock.now()) % Math.max(1, files.length);
      for (const file of [...files.slice(first), ...files.slice(0, first)]) {
        await this.#scrub(file, rate);
      }
      const { scrubPeriodMs } = this.#options;
      const restMs = scrubPeriodMs - (performance.now() - beganMs);
      await this.#pause(Math.max(Math.min(scrubIdleMs, scrubPeriodMs), restMs));
    }
  }

  /** Those that the manifest names where the shard is served, all others that lie there: they may be needed yet. */
  #files(): HeldFile[] {
    const { paths, shards } = this.#context;
    return shards.flatMap(({ id, segments, state }) => {
      const directory = paths.shard(id);
      const live = new Set(segments.all.map(({ entry }) => entry.uuid));
      return readdirSync(directory).flatMap((name) => {
        const uuid = segmentName.exec(name)?.[1];
        const isOurs = uuid !== undefined && (state.kind !== "serving" || live.has(uuid));
        const path = join(directory, name);
        const bytes = isOurs ? statSync(path, { throwIfNoEntry: false })?.size : undefined;
        return bytes === undefined ? [] : [{ shard: id, uuid: uuid ?? "", path, bytes }];
      });
    });
  }

  /** `rate` in bytes a second; 0: as fast as can be. */
  async #scrub(file: HeldFile, rate: number): Promise<void> {
    const { path, uuid } = file;
    let from: number | undefined = 0;
    while (from !== undefined && !this.#stopping.signal.aborted) {
      let found: Scrubbed;
      try {
        found = await this.#context.work.scrub({ path, uuid, from, bytesMax: scrubPieceBytes });
      } catch (thrown) {
        this.#context.logger.debug({ path, reason: messageOf(thrown) }, "file was not scrubbed");
        return;
      }
      // It may have been let go of meanwhile.
      if (statSync(path, { throwIfNoEntry: false }) === undefined) return;
      for (const { block, reason } of found.damaged) this.#found(file, block, reason);
      if (rate > 0) await this.#pause((found.bytes / rate) * 1_000);
      from = found.next;
    }
  }

  #found({ shard, uuid }: HeldFile, block: number | undefined, reason: string): void {
    this.#context.reportDamage({ shard, uuid, block, reason });
  }

  async #repair({ shard, uuid }: DamagedBlock | DamagedSegment): Promise<void> {
    const { damage, logger } = this.#context;
    for (let tries = 0; tries < scrubRepairTriesMax; tries++) {
      if (this.#stopping.signal.aborted) return;
      try {
        await this.#options.renewCopy(shard, uuid);
        await damage.forget(new Set([uuid]));
        logger.info({ shard, uuid }, "damaged copy of a segment is repaired");
        return;
      } catch (thrown) {
        const facts = { shard, uuid, reason: messageOf(thrown) };
        logger.warn(facts, "damaged copy of a segment could not be had from its owner");
      }
      await this.#pause(scrubRepairRetryMs);
    }
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    await sleep(Math.min(ms, 2 ** 31 - 1), undefined, { signal, ref: false }).catch(
      () => undefined,
    );
  }
}
