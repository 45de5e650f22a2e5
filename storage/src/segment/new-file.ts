import * as fs from "node:fs";
import { dirname } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";

/** Bytes gathered before a write: few calls, little memory. */
const bufferBytes = 1 << 20;

/**
 * A file that appears at its path whole or not at all: written beside it, fsynced, renamed, and the
 * directory fsynced. Every call throws `storage.full` or `storage.failed`; then `abandon`.
 */
export class NewFile {
  readonly #path: string;
  readonly #draft: string;
  #fd: number | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #written = 0;

  constructor(path: string) {
    this.#path = path;
    this.#draft = `${path}.tmp`;
    // A draft of that name is what a killed process left.
    this.#fd = guarded(path, () => fs.openSync(this.#draft, "w", 0o640));
  }

  /** Bytes given to `append` so far: where the next ones will lie. */
  get length(): number {
    return this.#written + this.#waitingBytes;
  }

  /** Adds bytes, which must stay as they are until the next `finish`. */
  append(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= bufferBytes) this.#write();
  }

  /** Makes the file durable under its name. */
  finish(): void {
    this.#write();
    guarded(this.#path, () => {
      fs.fsyncSync(this.#open());
      fs.closeSync(this.#open());
      this.#fd = undefined;
      fs.renameSync(this.#draft, this.#path);
      const directory = fs.openSync(dirname(this.#path), "r");
      try {
        fs.fsyncSync(directory);
      } finally {
        fs.closeSync(directory);
      }
    });
  }

  /** Removes what was written, after a failure. Never throws. */
  abandon(): void {
    try {
      if (this.#fd !== undefined) fs.closeSync(this.#fd);
      this.#fd = undefined;
      fs.rmSync(this.#draft, { force: true });
      fs.rmSync(this.#path, { force: true });
    } catch {
      // What stays is a draft that no one lists, and the failure before is the one to tell.
    }
  }

  #open(): number {
    if (this.#fd === undefined) throw new Error("the file is closed");
    return this.#fd;
  }

  #write(): void {
    const bytes = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    guarded(this.#path, () => {
      let done = 0;
      while (done < bytes.length) {
        done += fs.writeSync(this.#open(), bytes, done, bytes.length - done, this.#written + done);
      }
    });
    this.#written += bytes.length;
  }
}

/** Runs file calls; what they throw becomes a typed error that names the file. */
export function guarded<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    if (thrown instanceof ServiceError) throw thrown;
    const errno = (thrown as NodeJS.ErrnoException).code ?? "unknown";
    const isFull = errno === "ENOSPC" || errno === "EDQUOT";
    const code = isFull ? "storage.full" : "storage.failed";
    throw new ServiceError(code, "a file operation failed", { path, errno }, { cause: thrown });
  }
}
