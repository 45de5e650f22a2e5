import { assert } from "../../../kit/src/assert.ts";
import type { ServiceError } from "../../../kit/src/errors.ts";
import type { EntryHeader, LogPoint } from "../log/entry.ts";
import type { ArenaOwner } from "./arena.ts";
import { OnceTables } from "./checkpoint.ts";
import type { IdempotencyRecord } from "./idempotency-table.ts";
import { InSync } from "./in-sync.ts";
import { type MemoryBatch, Memtable } from "./memtable.ts";
import { SegmentSet } from "./segment-set.ts";
import type { Tombstone } from "./tombstone.ts";

/** Whether a shard takes appends here, and why not. */
export type ShardState =
  /** Not acquired yet, or being acquired anew: appends wait. */
  | { readonly kind: "waiting" }
  | { readonly kind: "serving" }
  /** Another replica has it. */
  | { readonly kind: "foreign"; readonly owner: string }
  /** Only a person or a repair gets it going again. */
  | { readonly kind: "stopped"; readonly error: ServiceError };

/** An entry that is appended and not committed yet. */
interface Pending {
  readonly header: EntryHeader;
  readonly batch: MemoryBatch | undefined;
  readonly idempotency: IdempotencyRecord | undefined;
  readonly tombstone: Tombstone | undefined;
  readonly waiters: { readonly resolve: () => void; readonly reject: (e: ServiceError) => void }[];
}

/** What of an entry its header does not say. */
export interface EntryMeaning {
  readonly batch?: MemoryBatch | undefined;
  readonly idempotency?: IdempotencyRecord | undefined;
  readonly tombstone?: Tombstone | undefined;
}

/** One shard at this node: its log's end, what is committed, in memory and sealed. */
export class Shard {
  readonly id: number;
  readonly segments = new SegmentSet();
  readonly memtable: Memtable;
  /** Files of a process before that nothing names, and that are too young to be sure. */
  readonly orphans = new Set<string>();
  once = new OnceTables();
  #state: ShardState = { kind: "waiting" };
  readonly #stateWaiters = new Set<() => void>();
  /** Acquired by this incarnation; 0 before. */
  epoch = 0;
  /** The last entry of its log. */
  end: LogPoint = { epoch: 0, position: 0 };
  sealedThrough: LogPoint = { epoch: 0, position: 0 };
  /** Name of the checkpoint file as of `sealedThrough`. */
  checkpoint: string | undefined;
  generation = 0;
  /** Epochs of positions behind `sealedThrough`, so that a seal can name its end. */
  #epochSteps: LogPoint[] = [];
  #inSync: InSync;
  #logMs = 0;
  readonly #pending: Pending[] = [];
  #queue: Promise<unknown> = Promise.resolve();
  readonly #arena: ArenaOwner;
  readonly #self: string;

  /** `self`: this replica, as `nodeId/diskId`. */
  constructor(id: number, arena: ArenaOwner, self: string) {
    this.id = id;
    this.memtable = new Memtable(arena);
    this.#arena = arena;
    this.#self = self;
    this.#inSync = new InSync([self], 0);
  }

  get state(): ShardState {
    return this.#state;
  }

  set state(state: ShardState) {
    this.#state = state;
    if (state.kind !== "waiting") this.wake();
  }

  /** Lets everyone who waits for it look again. */
  wake(): void {
    for (const wake of this.#stateWaiters) wake();
  }

  /** Waits until the shard serves or is known not to, at most for a time. */
  async whenNotWaiting(timeoutMs: number): Promise<void> {
    if (this.#state.kind !== "waiting") return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#stateWaiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#stateWaiters.add(wake);
    });
  }

  get committed(): LogPoint {
    return this.pointAt(this.#inSync.committed);
  }

  /** The replicas that must have an entry before it counts. */
  get members(): readonly string[] {
    return this.#inSync.members;
  }

  /** Runs takeovers, seals, merges and drops one after the other. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** The header of the next entry; the caller appends it in the same step. */
  nextHeader(
    fields: Omit<
      EntryHeader,
      | "shard"
      | "epoch"
      | "position"
      | "previousEpoch"
      | "previousPosition"
      | "committed"
      | "receiptMs"
    >,
    nowMs: number,
  ): EntryHeader {
    return {
      ...fields,
      shard: this.id,
      epoch: this.epoch,
      position: this.end.position + 1,
      previousEpoch: this.end.epoch,
      previousPosition: this.end.position,
      committed: this.#inSync.committed,
      // Log time does not go back, whatever the clock does.
      receiptMs: Math.max(this.#logMs, Math.floor(nowMs)),
    };
  }

  /** The entry is on its way to the log: its key and range count from here on. */
  appended(header: EntryHeader, meaning: EntryMeaning = {}): Promise<void> {
    this.#advance(header);
    const { position, receiptMs } = header;
    if (header.dedupeKey !== undefined) {
      this.once.keys.insert(header.dedupeKey, position, receiptMs);
    }
    if (header.source !== undefined) this.once.sources.appended(header.source);
    if (meaning.idempotency !== undefined) {
      this.once.idempotency.insert({ ...meaning.idempotency, position, logMs: receiptMs });
    }
    const { batch, idempotency, tombstone } = meaning;
    const pending: Pending = { header, batch, idempotency, tombstone, waiters: [] };
    this.#pending.push(pending);
    return waitFor(pending);
  }

  /** Resolves when the entry at a position is committed. */
  async whenCommitted(position: number): Promise<void> {
    const pending = this.#pending.find(({ header }) => header.position === position);
    if (pending !== undefined) await waitFor(pending);
  }

  /** Resolves when nothing that was appended is uncommitted. */
  async drained(): Promise<void> {
    const last = this.#pending.at(-1);
    if (last !== undefined) await waitFor(last).catch(() => undefined);
  }

  /**
   * This replica has the log up to a position on disk. What is committed by it goes to the memtable,
   * then to `onCommitted`, then its waiters are told, in the order of the log.
   */
  durable(position: number, nowMs: number, onCommitted: (batch: MemoryBatch) => void): void {
    const committed = this.#inSync.step({ kind: "durable", member: this.#self, position });
    while (this.#pending.length > 0 && this.#pending[0]!.header.position <= committed) {
      const { header, batch, tombstone, waiters } = this.#pending.shift()!;
      if (tombstone !== undefined) {
        this.once.tombstones.insert({ ...tombstone, position: header.position });
      }
      if (header.source !== undefined) this.once.sources.committed(header.source);
      if (batch !== undefined) {
        this.memtable.add(batch, nowMs);
        onCommitted(batch);
      }
      for (const { resolve } of waiters) resolve();
    }
  }

  /** Nothing pending will ever be known to be committed. */
  stop(error: ServiceError): void {
    this.state = { kind: "stopped", error };
    for (const { batch, waiters } of this.#pending.splice(0)) {
      if (batch !== undefined) this.#arena.release(batch.offset, batch.length);
      for (const { reject } of waiters) reject(error);
    }
  }

  /** Takes the manifest's state; entries above it are replayed by `inherit`. */
  restoreSealed(sealedThrough: LogPoint): void {
    assert(this.end.position === 0 && this.epoch === 0, "a shard is restored once");
    this.sealedThrough = sealedThrough;
    this.end = sealedThrough;
    this.#epochSteps = [sealedThrough];
    this.#inSync = new InSync([this.#self], sealedThrough.position);
  }

  /** An entry of the log's tail as it was found; it counts as appended, and commits with what follows. */
  inherit(header: EntryHeader, meaning: EntryMeaning): void {
    // Whoever waited for it was told nothing, and its process is gone.
    void this.appended(header, meaning);
  }

  /** The point of a position between `sealedThrough` and the end. */
  pointAt(position: number): LogPoint {
    const step = this.#epochSteps.findLast((candidate) => candidate.position <= position);
    return { epoch: step?.epoch ?? this.sealedThrough.epoch, position };
  }

  /** The segments hold everything up to a point. */
  sealed(through: LogPoint): void {
    this.sealedThrough = through;
    this.#epochSteps = [through, ...this.#epochSteps.filter((s) => s.position > through.position)];
  }

  #advance(header: EntryHeader): void {
    assert(header.position === this.end.position + 1, "positions follow each other");
    if (header.epoch !== this.end.epoch) {
      this.#epochSteps.push({ epoch: header.epoch, position: header.position });
    }
    this.end = { epoch: header.epoch, position: header.position };
    this.#logMs = Math.max(this.#logMs, header.receiptMs);
  }
}

function waitFor(pending: Pending): Promise<void> {
  const committed = new Promise<void>((resolve, reject) => {
    pending.waiters.push({ resolve, reject });
  });
  // The log may fail before the caller comes to await this, or it never does.
  committed.catch(() => undefined);
  return committed;
}
