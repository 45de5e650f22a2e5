import { unlink } from "node:fs";

import type { Logger } from "../../../kit/src/logger.ts";
import { zxidText } from "../core/zxid.ts";
import type { Directories } from "../log/install.ts";
import { purgeable, snapshotWrite } from "../log/snapshots.ts";
import type { Tree } from "../tree/tree.ts";

export interface SnapshotSettings {
  readonly serverId: number;
  /** Txns between two snapshots. */
  readonly snapCount: number;
  readonly snapshotsKept: number;
  readonly logger: Logger;
}

/** Takes a snapshot every so many txns and removes the files that no recovery needs any more. */
export class SnapshotKeeper<W extends object> {
  readonly #directories: Directories;
  readonly #settings: SnapshotSettings;
  readonly #taken: (zxid: number) => void;
  readonly #after: number;
  #stop = new AbortController();
  #running: Promise<number | undefined> | undefined;
  #txns: number;

  /** `txns`: how many follow the newest snapshot; `taken` hears of each that is on disk. */
  constructor(
    directories: Directories,
    settings: SnapshotSettings,
    txns: number,
    taken: (zxid: number) => void,
  ) {
    this.#directories = directories;
    this.#settings = settings;
    this.#txns = txns;
    this.#taken = taken;
    // Members of an ensemble apply the same txns: they are not to write their snapshots at the same time.
    const { serverId, snapCount } = settings;
    this.#after = Math.max(1, snapCount - Math.floor((snapCount / 16) * ((serverId - 1) % 8)));
  }

  applied(): void {
    this.#txns++;
  }

  get isDue(): boolean {
    return this.#txns >= this.#after && this.#running === undefined;
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Begins a snapshot of the tree as it is now. Resolves with its zxid; undefined when it failed, or was abandoned. */
  begin(tree: Tree<W>): Promise<number | undefined> {
    this.#txns = 0;
    const { signal } = this.#stop;
    this.#running = this.#take(tree, signal).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Abandons what is under way: the tree is replaced. Resolves when nothing is written any more. */
  async abandon(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#stop = new AbortController();
  }

  /** A snapshot that fails costs only time at the next start: the log still holds everything. */
  async #take(tree: Tree<W>, signal: AbortSignal): Promise<number | undefined> {
    const { logger, snapshotsKept } = this.#settings;
    const from = performance.now();
    try {
      const { snapshots, logs } = this.#directories;
      const zxid = await snapshotWrite(snapshots, tree, signal);
      if (zxid === undefined) return undefined;
      const durationMs = Math.round(performance.now() - from);
      logger.info({ zxid: zxidText(zxid), durationMs }, "coordinator snapshot written");
      this.#taken(zxid);
      for (const { path } of purgeable(snapshots, snapshotsKept, logs)) {
        unlink(path, () => undefined);
      }
      return zxid;
    } catch (thrown) {
      logger.error({ err: thrown }, "coordinator snapshot failed");
      return undefined;
    }
  }
}
