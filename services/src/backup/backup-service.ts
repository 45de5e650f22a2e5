import { randomUUID } from "node:crypto";
import type { BackupStarted } from "../../../api/src/backup.ts";
import type { Cluster } from "../../../cluster/src/cluster.ts";
import type { Peers } from "../../../cluster/src/peers/peers.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { momentPrint } from "../../../kit/src/time.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import type { ShardOwners } from "../fan-out/cluster-source.ts";
import { type ClusterCut, type CutFile, Cuts, ownCut } from "./cuts.ts";
import { backupsMax, hostedMax, idleMsMax, keepEveryMs } from "./limits.ts";
import { readZnodes } from "./znodes.ts";

export interface BackupServiceDeps {
  readonly store: Store;
  readonly cluster: Cluster;
  /** Undefined where this node is all there is. */
  readonly nodes?: { readonly peers: Peers; readonly owners: ShardOwners } | undefined;
  readonly nodeId: number;
  readonly isClosed: boolean;
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Held {
  readonly cut: ClusterCut;
  /** By shard and name. */
  readonly files: ReadonlyMap<string, CutFile>;
  /** Asked for by another node, which has its own bound. */
  readonly isHosted: boolean;
  usedMs: number;
  keptMs: number;
  reading: number;
}

/** A file to be read; `done` is called when that is over. */
export type OpenedFile = CutFile & { readonly done: () => void };

/** Cuts of all shards that clients copy: their files are held until they are released, or nobody asks for them any more. */
export class BackupService implements Closable {
  readonly #deps: BackupServiceDeps;
  readonly #cuts: Cuts;
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;
  #starting = 0;
  #bytes = 0;

  constructor(deps: BackupServiceDeps) {
    this.#deps = deps;
    const { store, nodes } = deps;
    this.#cuts = new Cuts({
      ...{ store, nodes },
      host: {
        hold: (id, shards) => this.#host(id, shards),
        keep: (id) => this.#keep(id),
        release: (id) => this.release(id),
        file: (id, name) => this.open(id, name),
      },
    });
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

  /** Takes a cut. Rejects with `backup.busy`, and as `Cuts.take` and the coordinator do. */
  async start(): Promise<BackupStarted> {
    const { cluster, nodeId, isClosed, version, clock, logger } = this.#deps;
    this.#releaseIdle();
    const own = [...this.#held.values()].filter(({ isHosted }) => !isHosted).length;
    if (own + this.#starting >= backupsMax) {
      const message = "too many backups are under way; one that was broken off ends by itself";
      throw new ServiceError("backup.busy", message, { backupsMax, idleMsMax });
    }
    this.#starting++;
    try {
      const id = randomUUID();
      const znodes = await readZnodes(cluster.client);
      const cut = await this.#cuts.take(id);
      const { files } = this.#add(id, cut, false);
      logger.info({ backup: id, files: files.size }, "a backup begins");
      return {
        ...{ id, clusterId: cluster.id, nodeId, isClosed, version },
        createdAt: momentPrint({ ms: Math.floor(clock.now()), ns: 0 }),
        shards: cut.shards.map(
          ({ shard, epoch, generation, sealedThrough, checkpoint, segments }) => ({
            ...{ shard, epoch, generation, sealedThrough, checkpoint: checkpoint ?? null },
            segments: segments.map((entry) => ({ ...entry })),
          }),
        ),
        znodes,
        missing: [...cut.missing],
        files: [...files.values()].map(({ name, bytes }) => ({ name, bytes })),
      };
    } finally {
      this.#starting--;
    }
  }

  /** A file to be read. Throws `request.not-found`. */
  open(id: string, name: string): OpenedFile {
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
    const { clock } = this.#deps;
    held.reading++;
    this.#bytes += file.bytes;
    this.#keep(id);
    const done = (): void => {
      held.reading--;
      held.usedMs = clock.monotonicMs();
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

  async #host(id: string, shards: ReadonlySet<number>) {
    this.#releaseIdle();
    if (this.#held.size >= hostedMax || this.#held.has(id)) {
      throw new ServiceError("backup.busy", "too many backups are under way", { hostedMax });
    }
    const cut = await this.#deps.store.backupCut(id, shards);
    this.#add(id, ownCut(cut), true);
    return {
      shards: cut.shards.map(({ files, ...rest }) => ({
        ...rest,
        files: files.map(({ name, bytes }) => ({ name, bytes })),
      })),
      missing: cut.missing,
    };
  }

  #add(id: string, cut: ClusterCut, isHosted: boolean): Held {
    const nowMs = this.#deps.clock.monotonicMs();
    const files = new Map(cut.files.map((file) => [file.name, file]));
    const held: Held = { cut, files, isHosted, usedMs: nowMs, keptMs: nowMs, reading: 0 };
    this.#held.set(id, held);
    return held;
  }

  /** A client that copies one node's files wants those of the others yet. */
  #keep(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    const nowMs = this.#deps.clock.monotonicMs();
    held.usedMs = nowMs;
    if (nowMs - held.keptMs < keepEveryMs) return;
    held.keptMs = nowMs;
    held.cut.keep();
  }

  #releaseIdle(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [id, { reading, usedMs }] of [...this.#held]) {
      if (reading === 0 && nowMs - usedMs >= idleMsMax) this.release(id);
      else if (reading > 0) this.#keep(id);
    }
  }
}
