import type { Prng } from "../../../kit/src/prng.ts";
import type { Entry, LogPoint, ReplicaRecord } from "../../src/replication/core/types.ts";
import type { StoredFile } from "./files.ts";
import { LogImage } from "./log-image.ts";

export type LogWrite =
  /** `write`: what is told when it is on disk; undefined where more of the same follows. */
  | { readonly kind: "append"; readonly entry: Entry; readonly write: number | undefined }
  | { readonly kind: "truncate"; readonly after: LogPoint; readonly write: number }
  | { readonly kind: "reset"; readonly base: LogPoint; readonly write: number }
  /** Old log files go: of no consequence but to who asks for them. */
  | { readonly kind: "free"; readonly through: number; readonly write: undefined };

export interface RecordWrite {
  readonly record: number;
  readonly state: ReplicaRecord;
}

const noRecord: ReplicaRecord = { promised: 0, lineage: [], committed: 0 };

/**
 * What survives a crash: the log, the record beside it, and sealed files. The log is written in order; of what is not
 * synced a crash keeps any beginning, the last write of it perhaps torn, which is as if it was not there. The record
 * is replaced as a whole, and a file is there when it was synced with its folder.
 */
export class Disk {
  /** `nodeId/diskId`. */
  readonly replica: string;
  readonly log = new LogImage();
  record = noRecord;
  readonly files = new Map<string, StoredFile>();
  /** Asked for and not on disk. */
  readonly logLane: LogWrite[] = [];
  readonly recordLane: RecordWrite[] = [];
  readonly fileLane: StoredFile[] = [];
  /** A bit flipped in a sealed file. */
  readonly rottenFiles = new Set<string>();

  constructor(replica: string) {
    this.replica = replica;
  }

  get isRotten(): boolean {
    return this.log.rotten.size > 0 || this.rottenFiles.size > 0;
  }

  /** Nothing that was asked for is not on it. */
  get isDrained(): boolean {
    return this.logLane.length + this.recordLane.length + this.fileLane.length === 0;
  }

  get isEmpty(): boolean {
    return this.record.promised === 0 && this.log.end.position === 0;
  }

  /** The first write of the log is on disk. */
  logWritten(): LogWrite {
    const write = this.logLane.shift() as LogWrite;
    applyWrite(this.log, write);
    return write;
  }

  recordWritten(): RecordWrite {
    const write = this.recordLane.shift() as RecordWrite;
    this.record = write.state;
    return write;
  }

  fileWritten(): StoredFile {
    const file = this.fileLane.shift() as StoredFile;
    this.files.set(file.uuid, file);
    this.rottenFiles.delete(file.uuid);
    return file;
  }

  fileDelete(uuid: string): void {
    this.files.delete(uuid);
    this.rottenFiles.delete(uuid);
  }

  /** What was asked for and not synced may be there, or not. */
  crash(prng: Prng): void {
    for (let kept = prng.below(this.logLane.length + 1); kept > 0; kept--) this.logWritten();
    for (let kept = prng.below(this.recordLane.length + 1); kept > 0; kept--) this.recordWritten();
    for (let kept = prng.below(this.fileLane.length + 1); kept > 0; kept--) this.fileWritten();
    this.logLane.length = 0;
    this.recordLane.length = 0;
    this.fileLane.length = 0;
  }

  /**
   * A bit flips: in an entry, never the last, which cannot be told from a torn write; or in a sealed file.
   * False when there is nothing to rot.
   */
  rot(prng: Prng): boolean {
    const { entries } = this.log;
    const files = [...this.files.keys()];
    if (files.length > 0 && prng.chance(0.4)) this.rottenFiles.add(prng.pick(files));
    else if (entries.length > 1) {
      this.log.rotten.add((entries[prng.below(entries.length - 1)] as Entry).position);
    } else return false;
    return true;
  }
}

export function applyWrite(log: LogImage, write: LogWrite): void {
  switch (write.kind) {
    case "append":
      log.append(write.entry);
      return;
    case "truncate":
      log.truncate(write.after);
      return;
    case "reset":
      log.reset(write.base);
      return;
    case "free":
      log.free(write.through);
      return;
  }
}
