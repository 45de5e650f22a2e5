import { randomUUID } from "node:crypto";
import type { BackupStarted } from "../../../api/src/backup.ts";
import type { Cluster } from "../../../cluster/src/cluster.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { momentPrint } from "../../../kit/src/time.ts";
import type { BackupCut, BackupFile } from "../../../storage/src/shard/backup-cut.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import { backupsMax, idleMsMax } from "./limits.ts";
import { readZnodes } from "./znodes.ts";

export interface BackupServiceDeps {
  readonly store: Store;
  readonly cluster: Cluster;
  readonly nodeId: number;
  readonly isClosed: boolean;
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Held {
  readonly cut: BackupCut;
  /** By shard and name. */
  readonly files: ReadonlyMap<string, BackupFile>;
  usedMs: number;
  reading: number;
}

/** Cuts of all shards that clients copy: their files are held until they are released, or nobody asks for them any more. */
export class BackupService implements Closable {
  readonly #deps: BackupServiceDeps;
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;
  #starting = 0;
  #bytes = 0;

  constructor(deps: BackupServiceDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.#releaseIdle(), idleMsMax / 10).unref();
  }

  /** Cuts that are held. */
  get heldCount(): number {
    return this.#held.size;
  }

  /** Bytes of files that were read, since the start. */
  get bytesRead(): number {
    return this.#bytes;
  }

  /** Takes a cut. Rejects with `backup.busy`, and as `Store.backupCut` and the coordinator do. */
  async start(): Promise<BackupStarted> {
    const { store, cluster, nodeId, isClosed, version, clock, logger } = this.#deps;
    this.#releaseIdle();
    if (this.#held.size + this.#starting >= backupsMax) {
      const message = "too many backups are under way; one that was broken off ends by itself";
      throw new ServiceError("backup.busy", message, { backupsMax, idleMsMax });
    }
    this.#starting++;
    try {
      const id = randomUUID();
      const znodes = await readZnodes(cluster.client);
      const cut = await store.backupCut(id);
      const files = new Map<string, BackupFile>();
      for (const { shard, files: own } of cut.shards) {
        for (const file of own) files.set(`${shard}/${file.name}`, file);
      }
      this.#held.set(id, { cut, files, usedMs: clock.monotonicMs(), reading: 0 });
      logger.info({ backup: id, files: files.size }, "a backup begins");
      return {
        ...{ id, clusterId: cluster.id, nodeId, isClosed, version },
        createdAt: momentPrint({ ms: Math.floor(clock.now()), ns: 0 }),
        shards: cut.shards.map(({ files: _, checkpoint = null, segments, ...rest }) => {
          return { ...rest, checkpoint, segments: segments.map((entry) => ({ ...entry })) };
        }),
        znodes,
        missing: [...cut.missing],
        files: [...files].map(([name, { bytes }]) => ({ name, bytes })),
      };
    } finally {
      this.#starting--;
    }
  }

  /** A file to be read; `done` is called when that is over. Throws `request.not-found`. */
  open(id: string, name: string): BackupFile & { readonly done: () => void } {
    const held = this.#held.get(id);
    const file = held?.files.get(name);
    if (held === undefined || file === undefined) {
      throw new ServiceError(
        "request.not-found",
        "there is no such backup, or no such file in it",
        {
          backup: id.slice(0, 64),
        },
      );
    }
    held.reading++;
    this.#bytes += file.bytes;
    const done = (): void => {
      held.reading--;
      held.usedMs = this.#deps.clock.monotonicMs();
    };
    return { ...file, done };
  }

  /** Lets go of a cut; one that is not held is no failure. */
  release(id: string): void {
    this.#held.get(id)?.cut.release();
    if (this.#held.delete(id)) this.#deps.logger.info({ backup: id }, "a backup has ended");
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    for (const id of [...this.#held.keys()]) this.release(id);
    return Promise.resolve();
  }

  #releaseIdle(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [id, { reading, usedMs }] of [...this.#held]) {
      if (reading === 0 && nowMs - usedMs >= idleMsMax) this.release(id);
    }
  }
}
