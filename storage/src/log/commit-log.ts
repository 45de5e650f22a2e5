import { join } from "node:path";
import { assert } from "../../../kit/src/assert.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { Disk } from "./disk.ts";
import {
  align,
  type EntryHeader,
  entryBytesOf,
  fileEndHeader,
  headerAssert,
  headerBytesOf,
  headerEncode,
} from "./entry.ts";
import { groupBytesMax, groupEntriesMax, logFileHeadBytes } from "./limits.ts";
import { logFileName } from "./log-file.ts";
import { LogFiles, type UsedFile } from "./log-files.ts";
import { readEntry } from "./read-entry.ts";
import { type DamagedShards, isUsed, type RecoveredLog, recoverLog } from "./recovery.ts";
import { type EntryPlace, ShardIndex } from "./shard-index.ts";
import { SyncWatch } from "./sync-watch.ts";

export interface CommitLogOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly logger: Logger;
  /** Bytes of a file, a multiple of 4,096. */
  readonly fileBytes: number;
  /** Bytes of all files together, beyond which nothing is appended. */
  readonly bytesMax: number;
  /** Called when half of `bytesMax` is in use: sealing the entries of `oldest` frees files. */
  readonly onSealWanted: () => void;
  /** Called once, when a write or sync has failed: nothing can be appended until a restart. */
  readonly onFailed: (error: ServiceError) => void;
}

/** An entry to append. The body's bytes must stay as they are until the append is settled. */
export interface LogEntry {
  readonly header: EntryHeader;
  /** Empty for entries without a body. */
  readonly body: Uint8Array;
  /** Called once it is on disk, after which nobody looks at the body. */
  readonly written?: () => void;
}

/** The first file of a log. */
export interface OldestFile {
  readonly sequence: number;
  readonly bytes: number;
  /** Positions of the entries that keep it, by shard. */
  readonly unsealed: ReadonlyMap<number, readonly number[]>;
}

interface Waiting {
  readonly entry: LogEntry;
  readonly offset: number;
  readonly file: OpenFile;
  readonly resolve: () => void;
  readonly reject: (error: ServiceError) => void;
}

interface OpenFile {
  readonly fd: number;
  readonly fileId: Uint8Array;
  readonly sequence: number;
  readonly bytes: number;
  /** Where the next entry will lie. */
  end: number;
}

const padding = Buffer.alloc(8);
const fileEndBytes = headerBytesOf(fileEndHeader());

/**
 * The commit log of one disk: entries of all its shards interleaved, in files of one size. What is
 * appended while a sync is under way is written and synced together when it is done. A group never
 * spans files, so that a file has entries only when the one before it is wholly on disk.
 */
export class CommitLog {
  /** How long its syncs take. */
  readonly syncs = new SyncWatch();
  readonly #options: CommitLogOptions;
  readonly #files: LogFiles;
  readonly #damaged: DamagedShards;
  readonly #index = new Map<number, ShardIndex>();
  readonly #queue: Waiting[] = [];
  /** What is being written. */
  #group: readonly Waiting[] = [];
  /** Where the next entry is placed. */
  #current: OpenFile | undefined;
  /** Where the last group was written; behind `#current` while the queue spans files. */
  #written: OpenFile | undefined;
  #isRunning = false;
  #failure: ServiceError | undefined;
  #closing: (() => void) | undefined;

  private constructor(options: CommitLogOptions, recovered: RecoveredLog) {
    this.#options = options;
    this.#damaged = recovered.damaged;
    this.#files = new LogFiles({ ...options, onReleased: (file) => this.#trim(file) }, recovered);
    for (const [shard, { base, entries }] of recovered.shards) {
      const index = new ShardIndex(base);
      this.#index.set(shard, index);
      for (const { header, sequence: file, offset } of entries) {
        const { epoch, position, previousEpoch, previousPosition } = header;
        // What lies before a gap is of no use; that there is one is told as damage.
        if (position !== index.end.position + 1) {
          index.reset({ epoch: previousEpoch, position: previousPosition });
        }
        index.place(position, { epoch, file, offset });
      }
    }
    const last = recovered.files.findLast(isUsed);
    if (last?.scan.end !== "open") return;
    const fd = options.disk.open(join(options.directory, last.name), "r+");
    const { fileId, sequence, bytes } = last;
    this.#current = { fd, fileId, sequence, bytes, end: last.scan.endOffset };
    this.#written = this.#current;
  }

  /** Reads what is there and makes files ready. Throws `storage.damaged`, `storage.full`. */
  static async open(
    options: CommitLogOptions,
  ): Promise<{ readonly log: CommitLog; readonly recovered: RecoveredLog }> {
    const recovered = await recoverLog(options.disk, options.directory);
    const log = new CommitLog(options, recovered);
    await log.#files.ready();
    return { log, recovered };
  }

  /** Bytes on disk of files that hold entries still needed. */
  get usedBytes(): number {
    return this.#files.usedBytes;
  }

  /** Half of what it may take is in use. */
  get isFilling(): boolean {
    return this.usedBytes * 2 > this.#options.bytesMax;
  }

  get failure(): ServiceError | undefined {
    return this.#failure;
  }

  /** Whether this entry can be appended now, without waiting for a file. */
  fits(header: EntryHeader): boolean {
    headerAssert(header);
    const bytes = entryBytesOf(header);
    const most = this.#options.fileBytes - logFileHeadBytes - fileEndBytes;
    assert(bytes <= most, "an entry fits a file");
    const isRoom = this.#current !== undefined && this.#hasRoom(this.#current, bytes);
    return isRoom || this.#files.hasSpare;
  }

  /**
   * Waits until an entry that did not fit may. Throws `storage.full` when the disk or `bytesMax`
   * leaves no room, and `storage.failed`; then later calls may succeed, or not, in the same way.
   */
  async room(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await this.#files.ready();
  }

  /**
   * Appends an entry; resolves when it is on disk. The caller has asked `fits`. Rejects with
   * `storage.failed`: then the log is over, and whether the entry is on disk is unknown.
   */
  append(entry: LogEntry): Promise<void> {
    const { header } = entry;
    assert(entry.body.length === header.bodyLength, "a header tells its body's length");
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    assert(this.#closing === undefined, "a closed log takes no entries");
    // Before it has its place: bytes that nobody writes would be a hole, and count as damage at the next start.
    this.#assertFollows(header);
    const file = this.#place(entryBytesOf(header));
    const offset = file.end;
    file.end += entryBytesOf(header);
    this.#noteEntry(header, { epoch: header.epoch, file: file.sequence, offset });
    return new Promise((resolve, reject) => {
      this.#queue.push({ entry, offset, file, resolve, reject });
      this.#start();
    });
  }

  /** Entries of the shard up to the position are sealed and needed no more. */
  sealed(shard: number, through: number): void {
    this.#files.sealed(shard, through);
  }

  /** The entries of a shard that it has, from `base` on to `end`; undefined for one of which it never had any. */
  range(shard: number): Pick<ShardIndex, "base" | "end" | "epochSteps"> | undefined {
    return this.#index.get(shard);
  }

  /** The epoch of the entry at a position; undefined when the log does not have it. */
  epochAt(shard: number, position: number): number | undefined {
    return this.#index.get(shard)?.epochAt(position);
  }

  /**
   * An entry that was appended, whether it is on disk yet or not; undefined when the log does not have it (any more). Throws
   * `storage.damaged`.
   */
  read(shard: number, position: number): LogEntry | undefined {
    const place = this.#index.get(shard)?.find(position);
    const file = place && this.#files.find(place.file);
    if (place === undefined || file === undefined) return undefined;
    const isHere = (of: Waiting): boolean =>
      of.offset === place.offset && of.file.sequence === place.file;
    const waiting = this.#group.find(isHere) ?? this.#queue.find(isHere);
    if (waiting === undefined) return readEntry(this.#options, file, place.offset);
    // A copy: once it is on disk, its memory may be another's.
    const { header, body } = waiting.entry;
    return { header, body: Buffer.from(body) };
  }

  /** What holds the oldest file, which is the next to be let go. */
  get oldest(): OldestFile | undefined {
    const file = this.#files.oldest;
    if (file === undefined) return undefined;
    const unsealed = new Map<number, readonly number[]>();
    for (const shard of file.positions.keys()) {
      const after = this.#files.sealedThrough(shard);
      const positions = [...(this.#index.get(shard)?.inFile(file.sequence, after) ?? [])];
      if (positions.length > 0) unsealed.set(shard, positions);
    }
    return { sequence: file.sequence, bytes: file.bytes, unsealed };
  }

  /** What the oldest file had that is not sealed was appended again, and is on disk there: the file can go. */
  rewritten(sequence: number): void {
    this.#files.rewritten(sequence);
  }

  /**
   * Waits for what is under way, and releases the files. Nothing may be appended any more. With `discard`, files that
   * no start needs are deleted: all of them when all entries are sealed.
   */
  async close({ discard = false }: { readonly discard?: boolean } = {}): Promise<void> {
    if (this.#isRunning) {
      await new Promise<void>((resolve) => {
        this.#closing = resolve;
      });
    }
    await this.#files.close();
    const open = new Set([this.#written, this.#current]);
    for (const file of open) if (file !== undefined) this.#options.disk.close(file.fd);
    this.#written = undefined;
    this.#current = undefined;
    if (discard && this.#failure === undefined) await this.#files.discard();
  }

  #assertFollows({ kind, shard, epoch, position, previousPosition }: EntryHeader): void {
    const index = this.#index.get(shard);
    if (kind === "truncate") {
      assert(index?.epochAt(position) === epoch, "a log is truncated to what it has");
    } else if (kind !== "reset") {
      const isNext = position === previousPosition + 1;
      assert(index?.takes(position, epoch) ?? isNext, "entries of a shard follow each other");
    }
  }

  #noteEntry(header: EntryHeader, place: EntryPlace): void {
    const { kind, shard, epoch, position } = header;
    let index = this.#index.get(shard);
    if (index === undefined) {
      index = new ShardIndex({ epoch: header.previousEpoch, position: header.previousPosition });
      this.#index.set(shard, index);
    }
    if (kind === "truncate") {
      index.truncate(position);
      this.#files.truncated(shard, position);
    } else if (kind === "reset") {
      index.reset({ epoch, position });
      this.#damaged.emptied(shard);
      this.#files.reset(shard, position);
    } else {
      index.place(position, place);
      this.#files.note(place.file, header);
    }
  }

  /** What was sealed in a file that goes is not there to be read any more. */
  #trim({ positions }: UsedFile): void {
    for (const [shard, position] of positions) {
      this.#index.get(shard)?.trim(Math.min(position, this.#files.sealedThrough(shard)));
    }
  }

  #hasRoom(file: OpenFile, bytes: number): boolean {
    return file.end + bytes + fileEndBytes <= file.bytes;
  }

  /** The file that the next entry goes to. */
  #place(bytes: number): OpenFile {
    const current = this.#current;
    if (current !== undefined && this.#hasRoom(current, bytes)) return current;
    const path = join(this.#options.directory, logFileName(this.#files.spare.sequence));
    // One that cannot be opened stays a spare.
    const fd = this.#options.disk.open(path, "r+");
    const head = this.#files.takeSpare();
    const bytesOfFile = this.#options.fileBytes;
    const next = { ...head, fd, bytes: bytesOfFile, end: logFileHeadBytes };
    this.#current = next;
    return next;
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    // What the caller appends in this same step goes into the same group.
    queueMicrotask(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && this.#failure === undefined) {
      const group = this.#takeGroup();
      this.#group = group;
      try {
        const { file } = group[0]!;
        if (file !== this.#written) await this.#turnTo(file);
        this.#write(file, group);
        await this.syncs.timed(this.#options.disk.fdatasync(file.fd));
      } catch (thrown) {
        this.#fail(thrown, group);
        break;
      }
      this.#group = [];
      for (const { entry, resolve } of group) {
        if (entry.header.kind === "reset") this.#files.resetWritten();
        resolve();
        entry.written?.();
      }
    }
    this.#isRunning = false;
    this.#closing?.();
  }

  /** The longest run from the queue's head that lies in one file and is not too large for one turn. */
  #takeGroup(): Waiting[] {
    const { file } = this.#queue[0]!;
    let bytes = 0;
    let count = 0;
    for (const { entry, file: itsFile } of this.#queue) {
      bytes += entry.body.length;
      if (itsFile !== file || (count > 0 && bytes > groupBytesMax)) break;
      if (++count === groupEntriesMax) break;
    }
    return this.#queue.splice(0, count);
  }

  #write(file: OpenFile, group: readonly Waiting[]): void {
    const groupOffset = group[0]!.offset;
    const buffers: Uint8Array[] = [];
    for (const { entry } of group) {
      buffers.push(headerEncode(entry.header, { fileId: file.fileId, groupOffset }), entry.body);
      const pad = align(entry.body.length) - entry.body.length;
      if (pad > 0) buffers.push(padding.subarray(0, pad));
    }
    this.#options.disk.writev(file.fd, buffers, groupOffset);
  }

  /** Ends the file written last, durably, before another gets its first entry. */
  async #turnTo(file: OpenFile): Promise<void> {
    const { disk } = this.#options;
    const last = this.#written;
    if (last !== undefined) {
      const mark = headerEncode(fileEndHeader(), { fileId: last.fileId, groupOffset: last.end });
      disk.writev(last.fd, [mark], last.end);
      await disk.fdatasync(last.fd);
      disk.close(last.fd);
    }
    this.#written = file;
  }

  /** After a failed write or sync nobody knows what is on disk: this log writes nothing more. */
  #fail(thrown: unknown, group: readonly Waiting[]): void {
    const error = new ServiceError(
      "storage.failed",
      `commit log: ${messageOf(thrown)}`,
      { directory: this.#options.directory },
      { cause: thrown },
    );
    this.#failure = error;
    this.#options.logger.error(
      { err: thrown },
      "commit log failed, restart after checking the disk",
    );
    for (const waiting of [...group, ...this.#queue.splice(0)]) waiting.reject(error);
    this.#options.onFailed(error);
  }
}
