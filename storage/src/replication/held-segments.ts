import { readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { Disk } from "../log/disk.ts";
import { checkpointDecode } from "../shard/checkpoint.ts";
import { unlinkIfThere } from "../shard/sealing.ts";
import type { SegmentWork } from "../shard/segment-work.ts";
import type { SegmentRef } from "./core/types.ts";
import { fetchTimeoutMs, segmentReadBytesMax } from "./limits.ts";
import { segmentFilePattern } from "./segment-files.ts";
import type { SegmentSource } from "./segment-source.ts";

/** What a `SegmentRef` of this host says of its file. */
export interface SealedFile {
  readonly kind: "segment" | "checkpoint";
  readonly file: string;
  readonly bytes: number;
}

export interface HeldSegmentsOptions {
  readonly shard: number;
  readonly directory: string;
  readonly disk: Disk;
  readonly source: SegmentSource;
  readonly work: SegmentWork;
  readonly logger: Logger;
  /** How long a file stays that is needed no more, for queries that began before, in milliseconds. */
  readonly keepMs: number;
  /** Whether this replica, as owner, has come to need a file that an owner before had done with. */
  readonly isNeeded: (file: string) => boolean;
  readonly onHeld: (revision: number) => void;
  readonly onFailed: (revision: number) => void;
}

/** What an owner wants held. */
export interface HoldOrder {
  readonly from: string;
  readonly revision: number;
  /** `add` is all there are. */
  readonly isWhole: boolean;
  readonly add: readonly SegmentRef[];
  readonly remove: readonly string[];
}

const draftEnd = ".part";

interface Removal {
  readonly timer: NodeJS.Timeout;
  /** Since when the file is needed no more, by the monotonic clock in milliseconds; -Infinity where nobody has said. */
  readonly sinceMs: number;
}

/**
 * A follower's copies of a shard's sealed files. A copy is fetched beside its name, piece by piece and from where it was left off,
 * checked byte by byte, made durable and only then named: a file that has its name is whole.
 */
export class HeldSegments {
  readonly #options: HeldSegmentsOptions;
  readonly #orders: HoldOrder[] = [];
  #orderCount = 0;
  /** Files that go in a while, by name. */
  readonly #removals = new Map<string, Removal>();
  #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** Ends in the turn in which the last order does: one that comes before a promise has told of it would be carried out by nobody. */
  #isRunning = false;

  constructor(options: HeldSegmentsOptions) {
    this.#options = options;
  }

  /** How many orders there were: whoever looks whether files are needed tells by it that none came meanwhile. */
  get orders(): number {
    return this.#orderCount;
  }

  get isEmpty(): boolean {
    return readdirSync(this.#options.directory).length === 0;
  }

  /** For how long each segment's file that still lies here has been needed no more, in milliseconds; Infinity where nobody has said. */
  get putAwayMs(): readonly number[] {
    const nowMs = performance.now();
    const gone = [...this.#removals].filter(([file]) => segmentFilePattern.test(file));
    return gone.map(([, { sinceMs }]) => nowMs - sinceMs);
  }

  hold(order: HoldOrder): void {
    this.#orderCount++;
    this.#orders.push(order);
    this.#wake();
  }

  /** Deletes all files at once and says how many; undefined: none, since an order has come since there were so many, or is carried out. */
  clear(orders: number): number | undefined {
    if (this.#orderCount !== orders || this.#isRunning) return undefined;
    const files = readdirSync(this.#options.directory);
    for (const file of files) {
      clearTimeout(this.#removals.get(file)?.timer);
      this.#removeNow(file);
    }
    return files.length;
  }

  /** Orders that are not carried out are void: who gave them is none any more. Nothing is told of them afterwards. */
  async forget(): Promise<void> {
    this.#orders.length = 0;
    this.#stopping.abort();
    await this.#running;
    this.#stopping = new AbortController();
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#orders.length = 0;
    this.#stopping.abort();
    await this.#running;
    for (const [file, { timer }] of this.#removals) {
      clearTimeout(timer);
      this.#removeNow(file);
    }
  }

  #wake(): void {
    if (this.#isRunning || this.#stopping.signal.aborted) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const order = this.#orders.shift();
      if (order === undefined) break;
      await this.#carryOut(order, signal);
    }
    this.#isRunning = false;
  }

  async #carryOut(order: HoldOrder, signal: AbortSignal): Promise<void> {
    const { shard, logger } = this.#options;
    try {
      for (const ref of order.add) await this.#have(order.from, ref);
      if (order.add.length > 0) await this.#options.disk.fsyncDirectory(this.#options.directory);
      this.#remove(order);
      this.#options.onHeld(order.revision);
    } catch (thrown) {
      if (signal.aborted) return;
      const facts = { shard, from: order.from, reason: messageOf(thrown) };
      logger.warn(facts, "files of another replica could not be had, trying again");
      this.#options.onFailed(order.revision);
    }
  }

  async #have(from: string, { uuid, detail }: SegmentRef): Promise<void> {
    const { file, bytes } = detail as SealedFile;
    clearTimeout(this.#removals.get(file)?.timer);
    this.#removals.delete(file);
    const path = join(this.#options.directory, file);
    if (sizeOf(path) === bytes) return;
    await this.#replace(from, { uuid, detail });
  }

  /** Puts another replica's copy where the own is damaged. Rejects when that one has none that is whole. */
  async renew(from: string, ref: SegmentRef): Promise<void> {
    await this.#replace(from, ref);
    await this.#options.disk.fsyncDirectory(this.#options.directory);
  }

  async #replace(from: string, { uuid, detail }: SegmentRef): Promise<void> {
    const { kind, file, bytes } = detail as SealedFile;
    const path = join(this.#options.directory, file);
    const draft = `${path}${draftEnd}`;
    await this.#fetch(from, file, draft, bytes);
    try {
      if (kind === "checkpoint") checkpointDecode(readFileSync(draft), draft);
      else await this.#options.work.verify({ path: draft, uuid });
    } catch (thrown) {
      // What was fetched is no copy: from the beginning the next time.
      unlinkIfThere(draft);
      throw thrown;
    }
    renameSync(draft, path);
  }

  async #fetch(from: string, file: string, draft: string, bytes: number): Promise<void> {
    const { disk, shard, source } = this.#options;
    const had = sizeOf(draft);
    const fd = disk.open(draft, had === undefined ? "wx+" : "r+");
    try {
      for (let offset = Math.min(had ?? 0, bytes); offset < bytes; ) {
        const length = Math.min(segmentReadBytesMax, bytes - offset);
        const signal = AbortSignal.any([
          this.#stopping.signal,
          AbortSignal.timeout(fetchTimeoutMs),
        ]);
        const got = await source.read(from, { shard, file, offset, length }, signal);
        if (got === undefined || got.length === 0) {
          const message = "the owner does not have a file that it named";
          throw new ServiceError("storage.failed", message, { file });
        }
        await disk.write(fd, got, offset);
        offset += got.length;
      }
      await disk.fsync(fd);
    } finally {
      disk.close(fd);
    }
  }

  #remove({ add, remove, isWhole }: HoldOrder): void {
    const kept = new Set(add.map(({ detail }) => (detail as SealedFile).file));
    const gone = new Set(remove);
    for (const file of readdirSync(this.#options.directory)) {
      // A segment is called by its epoch and uuid, a checkpoint by its whole name.
      const uuid = file.slice(file.indexOf("-") + 1);
      const isGone = isWhole ? !kept.has(file) : gone.has(file) || gone.has(uuid);
      if (!isGone || kept.has(file) || this.#removals.has(file)) continue;
      // Whoever names all there is does not say since when the others are not.
      this.#removeLater(file, isWhole ? Number.NEGATIVE_INFINITY : performance.now());
    }
  }

  #removeLater(file: string, sinceMs: number): void {
    const timer = setTimeout(() => this.#removeNow(file), this.#options.keepMs).unref();
    this.#removals.set(file, { timer, sinceMs });
  }

  #removeNow(file: string): void {
    this.#removals.delete(file);
    const { directory, isNeeded, logger } = this.#options;
    if (isNeeded(file)) return;
    try {
      unlinkIfThere(join(directory, file));
    } catch (thrown) {
      logger.warn({ file, reason: messageOf(thrown) }, "file could not be put away");
    }
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
