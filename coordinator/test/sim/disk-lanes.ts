import type { Disk, EpochWrite, LogWrite } from "./disk.ts";
import type { Timeline } from "./timeline.ts";

export interface LanesHost {
  readonly isDown: boolean;
  /** Whether the disk refuses what it is asked for. */
  isDiskFailing(): boolean;
  /** It did, so the host ends; false from a host with a bug, which goes on as if all were written. */
  diskFailed(): boolean;
  logWritten(writes: readonly LogWrite[]): void;
  epochWritten(write: EpochWrite): void;
}

/** The two lanes of a disk in virtual time: each does one thing after the other, the log a group at a time. */
export class DiskLanes {
  readonly #timeline: Timeline;
  readonly #disk: Disk;
  readonly #host: LanesHost;
  #isLogBusy = false;
  #isEpochBusy = false;
  #held: "log" | "epoch" | undefined;
  #slowUntil = 0;

  constructor(timeline: Timeline, disk: Disk, host: LanesHost) {
    this.#timeline = timeline;
    this.#disk = disk;
    this.#host = host;
  }

  logWrite(write: LogWrite): void {
    this.#disk.logLane.push(write);
    if (!this.#isLogBusy) this.#logSync();
  }

  epochWrite(write: EpochWrite): void {
    this.#disk.epochLane.push(write);
    if (!this.#isEpochBusy) this.#epochSync();
  }

  /** For a while everything takes long. */
  slow(ms: number): void {
    this.#slowUntil = this.#timeline.now + ms;
  }

  /** This lane begins nothing any more. */
  hold(lane: "log" | "epoch"): void {
    this.#held = lane;
  }

  release(): void {
    this.#held = undefined;
    if (!this.#isLogBusy) this.#logSync();
    if (!this.#isEpochBusy) this.#epochSync();
  }

  /** What waits when a sync begins is one group. */
  #logSync(): void {
    const group = this.#held === "log" ? 0 : this.#disk.logLane.length;
    this.#isLogBusy = group > 0;
    if (group === 0) return;
    this.#timeline.after(this.#delay(), () => {
      if (this.#host.isDown) return;
      const isFailing = this.#host.isDiskFailing();
      if (isFailing && this.#host.diskFailed()) return;
      const writes: LogWrite[] = [];
      for (let i = 0; i < group; i++) writes.push(this.#disk.logWritten(isFailing));
      this.#isLogBusy = false;
      this.#host.logWritten(writes);
      if (!this.#host.isDown && !this.#isLogBusy) this.#logSync();
    });
  }

  #epochSync(): void {
    this.#isEpochBusy = this.#held !== "epoch" && this.#disk.epochLane.length > 0;
    if (!this.#isEpochBusy) return;
    this.#timeline.after(this.#delay(), () => {
      if (this.#host.isDown) return;
      const write = this.#disk.epochWritten();
      this.#isEpochBusy = false;
      this.#host.epochWritten(write);
      if (!this.#host.isDown && !this.#isEpochBusy) this.#epochSync();
    });
  }

  #delay(): number {
    const { prng, now } = this.#timeline;
    if (now < this.#slowUntil) return 100 + prng.below(900);
    return 1 + prng.below(prng.chance(0.05) ? 500 : 10);
  }
}
