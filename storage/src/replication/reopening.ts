import { ServiceError } from "../../../kit/src/errors.ts";
import { reopenMs, reopenMsMax } from "./limits.ts";
import { isPassing } from "./load-shard.ts";

/** When a shard is opened again whose replication failed, and how often it was tried. */
export class Reopening {
  #tries = 0;
  /** Undefined while it is to be opened. */
  #openedMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isRecent = false;
  #isOver = false;

  constructor(nowMs: number) {
    this.#openedMs = nowMs;
  }

  /** Calls back in a while, unless it is over; returns which try that is, and in how many milliseconds. */
  later(nowMs: number, open: () => void): { readonly attempt: number; readonly inMs: number } {
    if (this.#openedMs !== undefined && nowMs - this.#openedMs > reopenMsMax) this.#tries = 0;
    this.#openedMs = undefined;
    this.#isRecent = false;
    const inMs = Math.min(reopenMsMax, reopenMs * 2 ** this.#tries);
    this.#tries++;
    clearTimeout(this.#timer);
    if (!this.#isOver) this.#timer = setTimeout(open, inMs).unref();
    return { attempt: this.#tries, inMs };
  }

  /** It is open: recently, until `lasted` is called. */
  opened(nowMs: number, lasted: () => void): void {
    this.#openedMs = nowMs;
    this.#isRecent = true;
    this.#timer = setTimeout(() => {
      this.#isRecent = false;
      lasted();
    }, reopenMsMax).unref();
  }

  get isRecent(): boolean {
    return this.#isRecent;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** It is not opened again. */
  over(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}

/** Whether what was thrown says that the disk, or what is on it, is not to be trusted: that does not pass. A full disk does. */
export function isOfDisk(thrown: unknown): boolean {
  if (thrown instanceof ServiceError) {
    return thrown.code.startsWith("storage.") && !isPassing(thrown);
  }
  if (!(thrown instanceof Error && "syscall" in thrown)) return false;
  const { code } = thrown as NodeJS.ErrnoException;
  return code !== "ENOSPC" && code !== "EDQUOT";
}
