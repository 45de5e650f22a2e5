import type { Disk, LogWrite, RecordWrite } from "./disk.ts";
import type { StoredFile } from "./files.ts";
import type { Timeline } from "./timeline.ts";

/** Told of finished writes; none of it happens in the call that asked for the write. */
export interface LanesHost {
  readonly isDown: boolean;
  /** Whether the next sync fails. */
  isDiskFailing(): boolean;
  diskFailed(): void;
  written(write: number): void;
  persisted(record: number): void;
  fileWritten(file: StoredFile): void;
}

/** A process's writes to its disk: log, record and files by lanes of their own, each with one sync under way. */
export class Lanes {
  readonly #timeline: Timeline;
  readonly #disk: Disk;
  readonly #host: LanesHost;
  readonly #busy = new Set<"log" | "record" | "file">();
  #hasFailed = false;
  #slowUntil = 0;
  #fullUntil = 0;

  constructor(timeline: Timeline, disk: Disk, host: LanesHost) {
    this.#timeline = timeline;
    this.#disk = disk;
    this.#host = host;
  }

  log(write: LogWrite): void {
    this.#disk.logLane.push(write);
    this.#logSync();
  }

  record(write: RecordWrite): void {
    this.#disk.recordLane.push(write);
    this.#recordSync();
  }

  file(file: StoredFile): void {
    this.#disk.fileLane.push(file);
    this.#fileSync();
  }

  slow(ms: number): void {
    this.#slowUntil = this.#timeline.now + ms;
  }

  /** Nothing more finds room for a while; what waits is written then. */
  full(ms: number): void {
    this.#fullUntil = this.#timeline.now + ms;
  }

  calm(): void {
    this.#slowUntil = 0;
    this.#fullUntil = 0;
  }

  #logSync(): void {
    const lane = this.#disk.logLane;
    this.#sync("log", lane.length, (group) => {
      let through: number | undefined;
      for (let at = 0; at < group; at++) through = this.#disk.logWritten().write ?? through;
      if (through !== undefined) this.#host.written(through);
      this.#logSync();
    });
  }

  #recordSync(): void {
    this.#sync("record", this.#disk.recordLane.length, (group) => {
      let record = 0;
      for (let at = 0; at < group; at++) ({ record } = this.#disk.recordWritten());
      this.#host.persisted(record);
      this.#recordSync();
    });
  }

  #fileSync(): void {
    this.#sync("file", this.#disk.fileLane.length, (group) => {
      // What it does about one may be its last deed.
      for (let at = 0; at < group && !this.#host.isDown; at++) {
        this.#host.fileWritten(this.#disk.fileWritten());
      }
      this.#fileSync();
    });
  }

  /** What waits when a sync begins is one group. */
  #sync(lane: "log" | "record" | "file", group: number, done: (group: number) => void): void {
    if (group === 0 || this.#busy.has(lane) || this.#hasFailed) return;
    this.#busy.add(lane);
    const roomMs = Math.max(0, this.#fullUntil - this.#timeline.now);
    this.#timeline.after(roomMs + this.#delay(), () => {
      if (this.#host.isDown || this.#hasFailed) return;
      if (this.#host.isDiskFailing()) {
        // Nothing is known of this group, and nothing more is written.
        this.#hasFailed = true;
        this.#host.diskFailed();
        return;
      }
      this.#busy.delete(lane);
      done(group);
    });
  }

  #delay(): number {
    const { prng, now } = this.#timeline;
    if (now < this.#slowUntil) return 100 + prng.below(900);
    return 1 + prng.below(prng.chance(0.03) ? 300 : 8);
  }
}
