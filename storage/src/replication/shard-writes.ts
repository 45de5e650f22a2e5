import { setTimeout as sleep } from "node:timers/promises";
import { type ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import type { CommitLog, LogEntry } from "../log/commit-log.ts";
import { cutHeader, type EntryHeader, type LogPoint } from "../log/entry.ts";
import { roomRetryMs } from "./limits.ts";

/** What a replica writes to its log of a shard, under a number of its own. */
export type ShardWrite =
  | { readonly kind: "entries"; readonly write: number; readonly entries: readonly LogEntry[] }
  /** The log ends at a point; `reset`: with nothing before it. */
  | { readonly kind: "truncate" | "reset"; readonly write: number; readonly to: LogPoint };

const noBody = Buffer.alloc(0);

/**
 * Writes of one shard, in order. What finds room goes to the log in the very step, so that the entries of one step share a
 * sync; the rest waits for room, be it for long: a full disk resumes by itself.
 */
export class ShardWrites {
  readonly #log: CommitLog;
  readonly #shard: number;
  readonly #onWritten: (write: number) => void;
  readonly #onFailed: (error: ServiceError) => void;
  #waiting: ShardWrite[] = [];
  #isWaiting = false;
  #isStopped = false;
  /** The latest that was given to the log. */
  #latest: Promise<void> = Promise.resolve();

  constructor(
    log: CommitLog,
    shard: number,
    told: {
      readonly onWritten: (write: number) => void;
      readonly onFailed: (error: ServiceError) => void;
    },
  ) {
    this.#log = log;
    this.#shard = shard;
    this.#onWritten = told.onWritten;
    this.#onFailed = told.onFailed;
  }

  /** Whether what comes next would have to wait. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(write: ShardWrite): void {
    if (this.#isStopped) return;
    this.#waiting.push(write);
    if (!this.#isWaiting) this.#go();
  }

  /** Begins nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
  }

  /** Resolves when what was given to the log is on disk, or never will be. */
  async settled(): Promise<void> {
    await this.#latest.catch(() => undefined);
  }

  #go(): void {
    while (this.#waiting.length > 0) {
      const first = this.#waiting[0]!;
      const entries =
        first.kind === "entries" ? first.entries : [{ header: this.#cut(first), body: noBody }];
      let appended: Promise<void> | undefined;
      let taken = 0;
      for (; taken < entries.length && this.#log.fits(entries[taken]!.header); taken++) {
        appended = this.#log.append(entries[taken]!);
        // A log that fails tells each of its shards once.
        appended.catch(() => undefined);
      }
      if (appended !== undefined) this.#latest = appended;
      if (taken < entries.length) {
        if (first.kind === "entries") {
          this.#waiting[0] = { ...first, entries: entries.slice(taken) };
        }
        void this.#wait();
        return;
      }
      this.#waiting.shift();
      const { write } = first;
      // Entries of one shard come to the disk in order, so the last one is the latest.
      if (appended === undefined) queueMicrotask(() => this.#written(write));
      else appended.then(() => this.#written(write)).catch(() => undefined);
    }
  }

  #written(write: number): void {
    if (!this.#isStopped) this.#onWritten(write);
  }

  #cut({ kind, to }: Extract<ShardWrite, { readonly to: LogPoint }>): EntryHeader {
    const from = this.#log.range(this.#shard)?.end ?? { epoch: 0, position: 0 };
    const isThere = this.#log.epochAt(this.#shard, to.position) === to.epoch;
    return cutHeader(kind === "truncate" && isThere ? kind : "reset", this.#shard, { to, from });
  }

  async #wait(): Promise<void> {
    this.#isWaiting = true;
    try {
      await this.#log.room();
    } catch (thrown) {
      const error = serviceErrorOf(thrown);
      if (this.#log.failure !== undefined) {
        this.#isStopped = true;
        this.#onFailed(error);
        return;
      }
      await sleep(roomRetryMs, undefined, { ref: false });
    } finally {
      this.#isWaiting = false;
    }
    try {
      if (!this.#isStopped) this.#go();
    } catch (thrown) {
      // Nobody waits for this turn: it is told as what the log itself fails with is.
      this.#isStopped = true;
      this.#onFailed(serviceErrorOf(thrown));
    }
  }
}
