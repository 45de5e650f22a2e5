import { unlink } from "node:fs";

import { assert } from "../../../kit/src/assert.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { type Effects, Peer } from "../core/peer.ts";
import { zxidOf, zxidText } from "../core/zxid.ts";
import { epochWrite } from "../log/epoch-files.ts";
import { recover } from "../log/recovery.ts";
import { purgeable, snapshotWrite } from "../log/snapshots.ts";
import { TxnLog } from "../log/txn-log.ts";
import { type Caller, Preparer, type WriteRequest } from "../tree/prepare.ts";
import type { Outcome, Tree } from "../tree/tree.ts";
import { opCodes } from "../wire/constants.ts";
import { TxnEntry } from "../wire/txns.ts";
import { JuteWriter } from "../wire/writer.ts";

/** A txn on its way to commit, with what its host wants back. */
export interface Proposed<T> {
  readonly entry: TxnEntry;
  readonly bytes: number;
  /** Whatever the host gave to `submit`. */
  readonly tag: T;
}

export interface ReplicaEvents<T> {
  /** A txn is committed and applied; in order of zxid. */
  onApplied(zxid: number, proposed: Proposed<T>, outcome: Outcome): void;
  /** After all that one disk write committed. */
  onCommitEnd(): void;
  /** Nothing more can be promised: the disk failed. */
  onFailed(error: Error): void;
}

export interface ReplicaOptions {
  readonly dataDir: string;
  readonly serverId: number;
  readonly snapCount: number;
  readonly snapshotsKept: number;
  readonly enforceQuota: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * This member's copy of the state: it performs what the core decides on its log and its tree.
 * `W` is a watcher of the tree, `T` what comes back with a commit.
 */
export class Replica<W extends object, T> {
  readonly tree: Tree<W>;
  readonly directory: string;
  readonly #options: ReplicaOptions;
  readonly #events: ReplicaEvents<T>;
  readonly #peer: Peer<Proposed<T>>;
  readonly #log: TxnLog;
  readonly #preparer: Preparer<W>;
  readonly #entryWriter = new JuteWriter(4096);
  readonly #stop = new AbortController();
  #snapshot: Promise<void> | undefined;
  #txnsSinceSnapshot: number;
  #snapshotAfter: number;
  #uncommittedBytes = 0;
  #zxidProposed = 0;

  /** Recovers what the directory holds. Throws `storage.damaged` when that is not whole. */
  constructor(options: ReplicaOptions, events: ReplicaEvents<T>) {
    this.#options = options;
    this.#events = events;
    const from = performance.now();
    const recovered = recover<W>(options.dataDir, { recentMax: 0 });
    this.tree = recovered.tree;
    this.directory = recovered.directory;
    this.#txnsSinceSnapshot = recovered.replayed;
    this.#snapshotAfter = options.snapCount;
    const { recent: _none, ...history } = recovered.history;
    this.#peer = new Peer(options.serverId, [options.serverId], history);
    this.#preparer = new Preparer(this.tree, options);
    this.#log = new TxnLog(this.directory, {
      onDurable: (zxid) => this.#durable(zxid),
      onFailed: (error) => events.onFailed(error),
    });
    for (const { message, fields } of recovered.warnings) options.logger.warn(fields, message);
    const { replayed, tornBytes } = recovered;
    const zxid = zxidText(this.tree.zxidLast);
    const durationMs = Math.round(performance.now() - from);
    options.logger.info({ zxid, replayed, tornBytes, durationMs }, "coordinator state recovered");
    this.#perform(this.#peer.step({ kind: "start" }));
    assert(this.isLeading, "an ensemble of one elects itself at once");
  }

  get isLeading(): boolean {
    return this.#peer.zxidNext !== undefined;
  }

  /** The zxid of the last proposal, or the last applied when nothing is under way. */
  get zxidProposed(): number {
    return this.#zxidProposed;
  }

  get uncommitted(): number {
    return this.#peer.uncommitted;
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  get outstandingChanges(): number {
    return this.#preparer.outstanding;
  }

  get syncStats(): TxnLog["syncStats"] {
    return this.#log.syncStats;
  }

  /** Prepares and proposes; the answer comes by `onApplied`, after a `flush`. Returns the zxid. */
  submit(request: WriteRequest, caller: Caller, cxid: number, tag: T): number {
    const zxid = this.#peer.zxidNext;
    if (zxid === undefined)
      throw new ServiceError("coordinator.no-quorum", "this peer does not lead");
    const timeMs = this.#options.clock.now();
    const { txn, digest } = this.#preparer.prepare(request, caller, { zxid, timeMs });
    const header = {
      sessionId: caller.sessionId,
      cxid,
      zxid: BigInt(zxid),
      timeMs: BigInt(timeMs),
      type: opCodes[txn.type],
    };
    const entry = { header, txn, digest };
    this.#entryWriter.reset();
    TxnEntry.write(this.#entryWriter, entry);
    const bytes = this.#entryWriter.length;
    this.#uncommittedBytes += bytes;
    this.#zxidProposed = zxid;
    this.#perform(this.#peer.step({ kind: "propose", body: { entry, bytes, tag } }));
    return zxid;
  }

  /** Writes what was proposed this turn. */
  flush(): void {
    this.#log.flush();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#snapshot;
    await this.#log.close();
  }

  #durable(zxid: number): void {
    try {
      this.#perform(this.#peer.step({ kind: "written", zxid }));
    } catch (thrown) {
      this.#events.onFailed(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
    }
  }

  #perform(first: Effects<Proposed<T>>): void {
    // An epoch on disk is the next step's input, which may want the next epoch file.
    for (let effects = first; ; ) {
      for (const { zxid } of effects.append) this.#log.append(zxid, this.#entryWriter.view());
      for (const { zxid, body } of effects.commit) this.#apply(zxid, body);
      if (effects.commit.length > 0) this.#committed();
      if (effects.role?.kind === "leading") this.#lead(effects.role.epoch);
      if (effects.epochWrite === undefined) return;
      const { file, epoch } = effects.epochWrite;
      epochWrite(this.directory, file, epoch);
      effects = this.#peer.step({ kind: "epochWritten", file, epoch });
    }
  }

  #lead(epoch: number): void {
    this.tree.zxidLast = zxidOf(epoch, 0);
    this.#zxidProposed = this.tree.zxidLast;
    this.#options.logger.info({ epoch }, "coordinator leads");
  }

  #apply(zxid: number, proposed: Proposed<T>): void {
    const { header, txn, digest } = proposed.entry;
    const { sessionId, timeMs } = header;
    const outcome = this.tree.apply({ sessionId, zxid, timeMs: Number(timeMs) }, txn, digest);
    this.#preparer.applied(zxid, txn, sessionId);
    this.#uncommittedBytes -= proposed.bytes;
    this.#txnsSinceSnapshot++;
    this.#events.onApplied(zxid, proposed, outcome);
  }

  #committed(): void {
    this.#events.onCommitEnd();
    if (this.#txnsSinceSnapshot < this.#snapshotAfter || this.#snapshot !== undefined) return;
    this.#txnsSinceSnapshot = 0;
    this.#log.roll();
    this.#snapshot = this.#snapshotTake().finally(() => {
      this.#snapshot = undefined;
    });
  }

  /** A snapshot that fails costs only time at the next start: the log still holds everything. */
  async #snapshotTake(): Promise<void> {
    const { logger } = this.#options;
    const from = performance.now();
    try {
      const zxid = await snapshotWrite(this.directory, this.tree, this.#stop.signal);
      if (zxid === undefined) return;
      const durationMs = Math.round(performance.now() - from);
      logger.info({ zxid: zxidText(zxid), durationMs }, "coordinator snapshot written");
      for (const { path } of purgeable(this.directory, this.#options.snapshotsKept))
        unlink(path, () => undefined);
    } catch (thrown) {
      logger.error({ err: thrown }, "coordinator snapshot failed");
    }
  }
}
