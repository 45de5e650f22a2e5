import { closeSync, constants, fdatasync, fsync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";

import { assert } from "../../../kit/src/assert.ts";
import { FileHeader, fileVersion, logDbid, logMagic, logRecordWrite } from "../wire/files.ts";
import { JuteWriter } from "../wire/writer.ts";
import { logName, writeAll } from "./files.ts";
import { logFileBytesMax, preallocateBytes } from "./limits.ts";

/** What the log tells its host. */
export interface TxnLogEvents {
  /** Every txn through this zxid is on disk. */
  onDurable(zxid: number): void;
  /** A write or a sync failed. That is final: what the disk holds is unknown, so nothing more is promised. */
  onFailed(error: Error): void;
}

interface OpenFile {
  readonly fd: number;
  /** Bytes that are written. */
  end: number;
  /** Bytes that are filled with zeros at least. */
  filled: number;
  /** Its name is not durable in the directory yet. */
  isNew: boolean;
}

/**
 * The txn log, in the form of ZooKeeper's. Appends of a turn are written at once by `flush`, into the
 * page cache; one `fdatasync` is in flight in the pool, and whatever waits meanwhile is the next group.
 */
export class TxnLog {
  readonly #directory: string;
  readonly #directoryFd: number;
  readonly #events: TxnLogEvents;
  readonly #writer = new JuteWriter(64 * 1024);
  /** Files with bytes that are not synced; the last one takes the appends. */
  #files: OpenFile[] = [];
  #zxidAppended = 0;
  #zxidWritten = 0;
  #zxidDurable = 0;
  #isSyncing = false;
  #isFailed = false;
  #isRollWanted = true;
  #closed: (() => void) | undefined;
  #syncs = 0;
  #syncMsSum = 0;
  #syncMsMax = 0;

  constructor(directory: string, events: TxnLogEvents) {
    this.#directory = directory;
    this.#directoryFd = openSync(directory, constants.O_RDONLY);
    this.#events = events;
  }

  /** Bytes in the file that takes the appends. */
  get fileBytes(): number {
    return this.#files.at(-1)?.end ?? 0;
  }

  get syncStats(): { readonly count: number; readonly msSum: number; readonly msMax: number } {
    return { count: this.#syncs, msSum: this.#syncMsSum, msMax: this.#syncMsMax };
  }

  /** Takes the bytes of an entry; they are copied. Nothing is written before `flush`. */
  append(zxid: number, entry: Uint8Array): void {
    assert(zxid > this.#zxidAppended, "the log goes back");
    if (this.#isRollWanted || this.fileBytes > logFileBytesMax) {
      this.flush();
      this.#fileOpen(zxid);
    }
    logRecordWrite(this.#writer, entry);
    this.#zxidAppended = zxid;
  }

  /** Writes what was appended, and syncs it unless a sync is under way, whose end will. */
  flush(): void {
    if (this.#isFailed || this.#closed !== undefined) return;
    if (this.#writer.length > 0) {
      try {
        this.#write(this.#writer.view());
      } catch (thrown) {
        this.#fail(thrown);
        return;
      }
      this.#writer.reset();
      this.#zxidWritten = this.#zxidAppended;
    }
    this.#sync();
  }

  /** The next append begins a new file, as after a snapshot. */
  roll(): void {
    this.#isRollWanted = true;
  }

  /** Writes and syncs what was appended, then closes. */
  close(): Promise<void> {
    this.flush();
    return new Promise((resolve) => {
      this.#closed = resolve;
      if (!this.#isSyncing) this.#end();
    });
  }

  #write(bytes: Buffer): void {
    const file = this.#files.at(-1)!;
    const end = file.end + bytes.length;
    if (end > file.filled) {
      const filled = Math.ceil(end / preallocateBytes) * preallocateBytes;
      writeAll(file.fd, Buffer.alloc(filled - file.filled), file.filled);
      file.filled = filled;
    }
    writeAll(file.fd, bytes, file.end);
    file.end = end;
  }

  #fileOpen(zxid: number): void {
    if (this.#isFailed) return;
    try {
      const fd = openSync(join(this.#directory, logName(zxid)), "wx");
      this.#files.push({ fd, end: 0, filled: 0, isNew: true });
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    this.#isRollWanted = false;
    FileHeader.write(this.#writer, { magic: logMagic, version: fileVersion, dbid: logDbid });
  }

  #sync(): void {
    if (this.#isSyncing || this.#isFailed || this.#zxidWritten === this.#zxidDurable) return;
    this.#isSyncing = true;
    const zxid = this.#zxidWritten;
    const from = performance.now();
    this.#syncFiles([...this.#files], (error) => {
      this.#isSyncing = false;
      if (error !== null) {
        this.#fail(error);
      } else {
        this.#syncCount(performance.now() - from);
        this.#zxidDurable = zxid;
        // The next group goes out before this one's answers are worked on.
        this.#sync();
        this.#events.onDurable(zxid);
      }
      if (this.#closed !== undefined && !this.#isSyncing) this.#end();
    });
  }

  /** Syncs one file after the other; all but the last are complete then, and closed. */
  #syncFiles(files: readonly OpenFile[], done: (error: Error | null) => void): void {
    const [file, ...rest] = files;
    if (file === undefined) {
      done(null);
      return;
    }
    fdatasync(file.fd, (error) => {
      if (error !== null) done(error);
      else if (file.isNew) this.#syncName(file, rest, done);
      else this.#synced(file, rest, done);
    });
  }

  #syncName(file: OpenFile, rest: readonly OpenFile[], done: (error: Error | null) => void): void {
    fsync(this.#directoryFd, (error) => {
      if (error !== null) {
        done(error);
        return;
      }
      file.isNew = false;
      this.#synced(file, rest, done);
    });
  }

  #synced(file: OpenFile, rest: readonly OpenFile[], done: (error: Error | null) => void): void {
    if (rest.length > 0) {
      this.#files.shift();
      closeSync(file.fd);
    }
    this.#syncFiles(rest, done);
  }

  #syncCount(ms: number): void {
    this.#syncs++;
    this.#syncMsSum += ms;
    this.#syncMsMax = Math.max(this.#syncMsMax, ms);
  }

  #fail(thrown: unknown): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#events.onFailed(thrown instanceof Error ? thrown : new Error(String(thrown)));
  }

  #end(): void {
    for (const file of this.#files) {
      // Gives the zeros back; without this the file reads the same.
      if (!this.#isFailed) ftruncateSync(file.fd, file.end);
      closeSync(file.fd);
    }
    this.#files = [];
    closeSync(this.#directoryFd);
    this.#closed?.();
  }
}
