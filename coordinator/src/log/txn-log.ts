import { close, closeSync, constants, fdatasync, fsync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";

import { assert } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { FileHeader, fileVersion, logDbid, logMagic, logRecordWrite } from "../wire/files.ts";
import { JuteWriter } from "../wire/writer.ts";
import { logName, writeAll } from "./files.ts";
import { type Directories, installBegin, installFinish } from "./install.ts";
import { logFileBytesMax, preallocateBytes } from "./limits.ts";
import type { SnapshotSpool } from "./spool.ts";
import { logsTruncate } from "./truncate.ts";

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
  readonly #directories: Directories;
  readonly #directoryFd: number;
  readonly #events: TxnLogEvents;
  readonly #writer = new JuteWriter(64 * 1024);
  /** Files with bytes that are not synced; the last one takes the appends. */
  #files: OpenFile[] = [];
  #zxidAppended = 0;
  #zxidWritten = 0;
  #zxidDurable = 0;
  #isSyncing = false;
  #failure: Error | undefined;
  #isRollWanted = true;
  #isClosed = false;
  /** It is being cut or replaced: nothing may be appended. */
  #isChanging = false;
  /** Called once nothing is left to be written or synced, or ever will be. */
  #whenIdle: (() => void)[] = [];
  #syncs = 0;
  #syncMsSum = 0;
  #syncMsMax = 0;

  /** `snapshots` is where snapshots lie, when not beside the logs. */
  constructor(directory: string, events: TxnLogEvents, snapshots: string = directory) {
    this.#directories = { logs: directory, snapshots };
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
    assert(!this.#isChanging, "the log is being cut or replaced");
    if (this.#isRollWanted || this.fileBytes > logFileBytesMax) {
      this.flush();
      this.#fileOpen(zxid);
    }
    logRecordWrite(this.#writer, entry);
    this.#zxidAppended = zxid;
  }

  /** Writes what was appended, and syncs it unless a sync is under way, whose end will. */
  flush(): void {
    if (this.#failure !== undefined || this.#isClosed) return;
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

  /**
   * Cuts the log so that this is its last txn; durable when it resolves. Rejects with `storage.damaged`, and cuts nothing,
   * when the history does not hold this zxid or a snapshot holds more; any other failure is final. Nothing may be
   * appended meanwhile, and no snapshot be under way.
   */
  truncate(zxid: number): Promise<void> {
    return this.#change(zxid, () => logsTruncate(this.#directories, zxid));
  }

  /**
   * Puts a leader's snapshot, which is whole, into force in place of every log and snapshot; durable when it resolves. A crash
   * on the way leaves the old state or the new one. Nothing may be appended meanwhile, and no snapshot be under way.
   */
  replaceWith(spool: SnapshotSpool): Promise<void> {
    assert(spool.isWhole, "a snapshot comes into force whole");
    assert(spool.directory === this.#directories.snapshots, "a snapshot lies where snapshots do");
    return this.#change(spool.zxid, () => {
      const file = installBegin(spool.path, spool.zxid, this.#directories);
      installFinish(file, this.#directories);
    });
  }

  /** Writes and syncs what was appended, then closes. */
  async close(): Promise<void> {
    this.flush();
    this.#isClosed = true;
    await this.#idle();
    this.#filesClose();
    closeSync(this.#directoryFd);
  }

  /** Every file is closed while the change is made; the next append opens a new one. */
  async #change(zxidLast: number, make: () => void): Promise<void> {
    this.flush();
    assert(!this.#isChanging, "the log is cut or replaced once at a time");
    this.#isChanging = true;
    try {
      await this.#idle();
      if (this.#failure !== undefined) throw this.#failure;
      this.#filesClose();
      make();
      this.#zxidAppended = zxidLast;
      this.#zxidWritten = zxidLast;
      this.#zxidDurable = zxidLast;
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) this.#fail(thrown);
      throw thrown;
    } finally {
      this.#isChanging = false;
    }
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve);
      this.#idleCheck();
    });
  }

  #idleCheck(): void {
    const isDone = this.#zxidWritten === this.#zxidDurable || this.#failure !== undefined;
    if (this.#isSyncing || !isDone) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  #write(bytes: Buffer): void {
    const file = this.#files.at(-1)!;
    const end = file.end + bytes.length;
    // A file begins with its header: Apache's servers do not start where one begins with zeros that were to be written over.
    const isNew = file.end === 0;
    if (!isNew) this.#fill(file, file.filled, end);
    writeAll(file.fd, bytes, file.end);
    if (isNew) this.#fill(file, end, end);
    file.end = end;
  }

  /** Zeros from here on to well beyond `end`. */
  #fill(file: OpenFile, from: number, end: number): void {
    if (end <= file.filled) return;
    const filled = Math.ceil(end / preallocateBytes) * preallocateBytes;
    zerosWrite(file.fd, from, filled);
    file.filled = filled;
  }

  #fileOpen(zxid: number): void {
    if (this.#failure !== undefined) return;
    try {
      const fd = openSync(join(this.#directories.logs, logName(zxid)), "wx");
      this.#files.push({ fd, end: 0, filled: 0, isNew: true });
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    this.#isRollWanted = false;
    FileHeader.write(this.#writer, { magic: logMagic, version: fileVersion, dbid: logDbid });
  }

  #sync(): void {
    if (this.#isSyncing || this.#failure !== undefined) return;
    if (this.#zxidWritten === this.#zxidDurable) return;
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
      this.#idleCheck();
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
    if (this.#failure !== undefined) return;
    this.#failure = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#events.onFailed(this.#failure);
  }

  #filesClose(): void {
    for (const file of this.#files) {
      if (this.#failure === undefined) {
        // Gives the zeros back; without this the file reads the same.
        ftruncateSync(file.fd, file.end);
        closeSync(file.fd);
      } else close(file.fd, ignored);
    }
    this.#files = [];
    this.#isRollWanted = true;
  }
}

/** Nothing is promised any more of a file that failed. */
function ignored(): void {}

/** Always the same zeros: megabytes of new ones each time would be the collector's work. */
function zerosWrite(fd: number, from: number, end: number): void {
  for (let at = from; at < end; at += zeros.length) {
    writeAll(fd, zeros.subarray(0, Math.min(zeros.length, end - at)), at);
  }
}

const zeros = Buffer.alloc(256 * 1024);
