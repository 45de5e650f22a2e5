import { readdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";
import { diskFullShare, diskResumeShare, trashLookEvery } from "./limits.ts";

/** How much of a file system is in use, as `df` counts it: what only root may use is neither. */
export interface DiskUse {
  readonly usedBytes: number;
  readonly totalBytes: number;
}

export interface DiskLimitOptions {
  /** Asked about the disk that records lie on. */
  readonly diskUse: () => DiskUse;
  /** Bytes that records may take: segments, log and trash. Undefined: as much as there is. */
  readonly bytesMax: number | undefined;
  /** Of segments and log now. */
  readonly liveBytes: () => number;
  /** The folder of what was dropped. */
  readonly trash: string;
}

/** What was found at the last look. */
export interface DiskStatus {
  /** Segments, commit log and trash. */
  readonly ownBytes: number;
  readonly bytesMax: number | undefined;
  readonly usedBytes: number;
  readonly totalBytes: number;
  /** Records are refused until there is room. */
  readonly isFull: boolean;
}

/** Watches that the last of the disk stays free: a log that can take nothing more is told before, not met. */
export class DiskLimit {
  readonly #options: DiskLimitOptions;
  #status: DiskStatus;
  #looks = 0;
  #trashBytes = 0;

  constructor(options: DiskLimitOptions) {
    this.#options = options;
    this.#status = this.#look(false);
  }

  get status(): DiskStatus {
    return this.#status;
  }

  /** Why records are refused; undefined: they are not. */
  get refusal(): ServiceError | undefined {
    const { isFull, ownBytes, bytesMax, usedBytes, totalBytes } = this.#status;
    if (!isFull) return undefined;
    const isOfLimit = bytesMax !== undefined && ownBytes >= bytesMax * diskResumeShare;
    const percent = Math.floor(100 * (isOfLimit ? ownBytes / bytesMax : usedBytes / totalBytes));
    const what = isOfLimit ? "storage.diskMaxBytes is" : "the disk is";
    return new ServiceError("storage.full", `${what} ${percent} % full`, {
      ...(isOfLimit ? { ownBytes, bytesMax } : { usedBytes, totalBytes }),
    });
  }

  /** Looks again; true when that has changed whether records are refused. */
  check(): boolean {
    const wasFull = this.#status.isFull;
    this.#status = this.#look(wasFull);
    return this.#status.isFull !== wasFull;
  }

  #look(wasFull: boolean): DiskStatus {
    const { diskUse, bytesMax, liveBytes, trash } = this.#options;
    const { usedBytes, totalBytes } = diskUse();
    if (wasFull || this.#looks++ % trashLookEvery === 0) this.#trashBytes = folderBytes(trash);
    const ownBytes = liveBytes() + this.#trashBytes;
    // A little less than what was refused at, or each file that goes would let in what fills it again.
    const share = wasFull ? diskResumeShare : diskFullShare;
    const isFull =
      usedBytes >= totalBytes * share || (bytesMax !== undefined && ownBytes >= bytesMax * share);
    return { ownBytes, bytesMax, usedBytes, totalBytes, isFull };
  }
}

/** The use of the file system that a path lies on. */
export function diskUseOf(path: string): DiskUse {
  const { bsize, blocks, bfree, bavail } = statfsSync(path);
  const usedBytes = (blocks - bfree) * bsize;
  return { usedBytes, totalBytes: usedBytes + bavail * bsize };
}

/** Bytes of the files in a folder. */
function folderBytes(path: string): number {
  return readdirSync(path).reduce((sum, name) => {
    return sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}
