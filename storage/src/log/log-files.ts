import { join } from "node:path";
import { assert } from "../../../kit/src/assert.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { Disk } from "./disk.ts";
import type { EntryHeader } from "./entry.ts";
import { fullRetryMs, spareFilesMax } from "./limits.ts";
import { type LogFileHead, logFileName, prepareFile } from "./log-file.ts";
import { isUsed, type RecoveredLog } from "./recovery.ts";

export interface LogFilesOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly fileBytes: number;
  readonly bytesMax: number;
  readonly onSealWanted: () => void;
  /** A file with entries is let go. */
  readonly onReleased: (file: UsedFile) => void;
}

/** A file that has entries. */
export interface UsedFile extends LogFileHead {
  readonly bytes: number;
  /** The highest position of each shard in the file. */
  readonly positions: Map<number, number>;
}

/**
 * The files of a log: makes them ready ahead of use, knows which entries each holds, and lets go of the
 * oldest once all of theirs are sealed. What is let go is used again: it is allocated already.
 */
export class LogFiles {
  readonly #options: LogFilesOptions;
  /** Files with entries, oldest first; the last is being written. */
  readonly #used: UsedFile[];
  readonly #spares: LogFileHead[];
  /** Files let go, oldest first. They leave the directory in this order, one by one. */
  readonly #released: { readonly name: string; readonly bytes: number }[] = [];
  readonly #sealed = new Map<number, number>();
  /** Resets that are not on disk yet. */
  #resets = 0;
  #sequenceNext: number;
  #preparing: Promise<void> | undefined;
  #refusal: ServiceError | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: LogFilesOptions, { files: recovered, shards }: RecoveredLog) {
    this.#options = options;
    const tail = recovered.findLastIndex(isUsed);
    this.#used = recovered.slice(0, tail + 1).map(({ fileId, sequence, bytes }) => {
      return { fileId, sequence, bytes, positions: new Map<number, number>() };
    });
    const bySequence = new Map(this.#used.map((file) => [file.sequence, file.positions]));
    for (const [shard, { entries }] of shards) {
      // Ascending, so that the highest of a file stays.
      for (const { header, sequence } of entries)
        bySequence.get(sequence)?.set(shard, header.position);
    }
    this.#spares = recovered.slice(tail + 1);
    // The size of files was set anew: those of the old size were made in vain.
    if (this.#spares.some((_, index) => recovered[tail + 1 + index]?.bytes !== options.fileBytes)) {
      for (const { sequence } of this.#spares.splice(0).reverse()) {
        options.disk.unlink(join(options.directory, logFileName(sequence)));
      }
    }
    this.#sequenceNext = (this.#spares.at(-1) ?? this.#used.at(-1) ?? { sequence: 0 }).sequence + 1;
  }

  get usedBytes(): number {
    return this.#used.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get hasSpare(): boolean {
    return this.#spares.length > 0 && !this.#isAtLimit;
  }

  get #isAtLimit(): boolean {
    return this.usedBytes + this.#options.fileBytes > this.#options.bytesMax;
  }

  /** Waits for a spare file. Throws `storage.full` when the disk or the limit allows none. */
  async ready(): Promise<void> {
    while (!this.hasSpare) {
      if (this.#isAtLimit) {
        this.#options.onSealWanted();
        const { bytesMax } = this.#options;
        throw new ServiceError("storage.full", "commit log is full, waiting for seals", {
          bytesMax,
        });
      }
      if (this.#refusal !== undefined) throw this.#refusal;
      await this.#prepare();
    }
  }

  /** The next file to write to. */
  get spare(): LogFileHead {
    const [head] = this.#spares;
    assert(head !== undefined, "a file is taken only when there is a spare one");
    return head;
  }

  /** Takes it, and starts to make another. */
  takeSpare(): LogFileHead {
    const head = this.spare;
    this.#spares.shift();
    this.#used.push({ ...head, bytes: this.#options.fileBytes, positions: new Map() });
    if (this.usedBytes * 2 > this.#options.bytesMax) this.#options.onSealWanted();
    this.#prepareAhead();
    return head;
  }

  /** An entry was placed in the file. */
  note(sequence: number, header: EntryHeader): void {
    const file = this.#used.at(-1);
    assert(file?.sequence === sequence, "entries are placed in the last file");
    const { shard, position } = header;
    file.positions.set(shard, Math.max(position, file.positions.get(shard) ?? 0));
  }

  /** The shard's entries behind a position are gone. */
  truncated(shard: number, through: number): void {
    for (const { positions } of this.#used) {
      const position = positions.get(shard);
      if (position !== undefined) positions.set(shard, Math.min(position, through));
    }
    this.#sealed.set(shard, Math.min(through, this.sealedThrough(shard)));
  }

  /**
   * All entries of the shard are gone, and what comes follows a position. No file goes by it before `resetWritten`: without the reset, some
   * of the entries would be there at the next start, and those before them not.
   */
  reset(shard: number, position: number): void {
    this.#resets++;
    for (const { positions } of this.#used) positions.delete(shard);
    this.#sealed.set(shard, position);
  }

  /** A reset is on disk. */
  resetWritten(): void {
    this.#resets--;
    this.#release();
  }

  /** Files that are let go by it are told to `onReleased` before. */
  sealed(shard: number, through: number): void {
    this.#sealed.set(shard, Math.max(through, this.sealedThrough(shard)));
    this.#release();
  }

  sealedThrough(shard: number): number {
    return this.#sealed.get(shard) ?? 0;
  }

  /** The file with entries that comes first; undefined when only the one being written has any. */
  get oldest(): UsedFile | undefined {
    return this.#used.length > 1 ? this.#used[0] : undefined;
  }

  find(sequence: number): UsedFile | undefined {
    return this.#used.find((file) => file.sequence === sequence);
  }

  /** The oldest file is needed no more: what it had lies in later ones, on disk. */
  rewritten(sequence: number): void {
    const file = this.oldest;
    if (file?.sequence !== sequence) return;
    for (const [shard, position] of file.positions) {
      file.positions.set(shard, Math.min(position, this.sealedThrough(shard)));
    }
    this.#release();
  }

  #release(): void {
    // Never the last: it is being written.
    while (this.#resets === 0 && this.#used.length > 1 && this.#isSealed(this.#used[0]!)) {
      const file = this.#used.shift()!;
      this.#options.onReleased(file);
      this.#released.push({ name: logFileName(file.sequence), bytes: file.bytes });
    }
    this.#prepareAhead();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#preparing;
  }

  /**
   * After `close`, and once no file is open: deletes what no start needs. All files when all entries are sealed, else
   * the spare ones; what is left is without gaps at every step.
   */
  async discard(): Promise<void> {
    const { directory, disk } = this.#options;
    const names = this.#spares.splice(0).map(({ sequence }) => logFileName(sequence));
    // From the end, where files that are missing are none that were lost.
    for (const name of names.reverse()) disk.unlink(join(directory, name));
    const isDone = this.#used.every((file) => this.#isSealed(file));
    if (!isDone) return disk.fsyncDirectory(directory);
    const released = this.#released.splice(0).map(({ name }) => name);
    const used = this.#used.splice(0).map(({ sequence }) => logFileName(sequence));
    for (const name of [...released, ...used]) {
      disk.unlink(join(directory, name));
      // An older file that came back alone would look like a gap.
      await disk.fsyncDirectory(directory);
    }
  }

  #isSealed(file: UsedFile): boolean {
    for (const [shard, position] of file.positions) {
      if (this.sealedThrough(shard) < position) return false;
    }
    return true;
  }

  #prepareAhead(): void {
    if (this.#isClosed) return;
    const isWanted = this.#spares.length === 0 && !this.#isAtLimit;
    if ((isWanted && this.#refusal === undefined) || this.#released.length > 0) {
      void this.#prepare();
    }
  }

  /** One at a time. Does not throw: what went wrong is the refusal until it is tried again. */
  #prepare(): Promise<void> {
    this.#preparing ??= this.#prepareNow().finally(() => {
      this.#preparing = undefined;
      this.#prepareAhead();
    });
    return this.#preparing;
  }

  async #prepareNow(): Promise<void> {
    const { directory, disk, fileBytes } = this.#options;
    try {
      const reuse = this.#released.shift();
      const isOfUse = this.#spares.length < spareFilesMax && reuse?.bytes === fileBytes;
      if (reuse !== undefined && !isOfUse) {
        disk.unlink(join(directory, reuse.name));
        // In order also on disk: an older file that came back alone would look like a gap.
        await disk.fsyncDirectory(directory);
        return;
      }
      const sequence = this.#sequenceNext;
      this.#spares.push(await prepareFile(disk, { directory, sequence, fileBytes }, reuse?.name));
      this.#sequenceNext++;
      this.#refusal = undefined;
    } catch (thrown) {
      this.#refuse(thrown);
    }
  }

  #refuse(thrown: unknown): void {
    const code = (thrown as NodeJS.ErrnoException).code;
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    const { directory, logger } = this.#options;
    this.#refusal = new ServiceError(
      isFull ? "storage.full" : "storage.failed",
      `commit log: ${messageOf(thrown)}`,
      { directory },
      { cause: thrown },
    );
    logger.warn({ err: thrown, directory }, "no file for the commit log, trying again");
    if (this.#isClosed) return;
    this.#retry = setTimeout(() => {
      this.#refusal = undefined;
      this.#prepareAhead();
    }, fullRetryMs).unref();
  }
}
