import { assert } from "../../../kit/src/assert.ts";
import type { ServiceError } from "../../../kit/src/errors.ts";
import type { EntryHeader, LogPoint } from "../log/entry.ts";
import type { ArenaOwner } from "./arena.ts";
import { type OnceLimits, OnceTables } from "./checkpoint.ts";
import type { IdempotencyRecord } from "./idempotency-table.ts";
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
  /** Only a person or a repair gets it going again, unless the error says when it is opened again. */
  | { readonly kind: "stopped"; readonly error: ServiceError };

/** An entry that is appended and not committed yet. */
interface Pending {
  readonly header: EntryHeader;
  readonly batch: MemoryBatch | undefined;
  readonly idempotency: IdempotencyRecord | undefined;
  readonly tombstone: Tombstone | undefined;
  readonly waiters: { readonly resolve: () => void; readonly reject: (e: ServiceError) => void }[];
}

/** What whoever appends says of an entry; its place in the log, and when it came, is the shard's. */
export type HeaderFields = Omit<
  EntryHeader,
  "shard" | "epoch" | "position" | "previousEpoch" | "previousPosition" | "committed" | "receiptMs"
>;

/** What of an entry its header does not say. */
export interface EntryMeaning {
  /** Where a batch of records lies in the arena, retained. */
  readonly batch?: { readonly offset: number; readonly length: number } | undefined;
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
  once: OnceTables;
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
  #committed = 0;
  #logMs = 0;
  readonly #pending: Pending[] = [];
  #queue: Promise<unknown> = Promise.resolve();
  readonly #arena: ArenaOwner;
  readonly #onceLimits: OnceLimits;

  constructor(id: number, arena: ArenaOwner, onceLimits: OnceLimits = {}) {
    this.id = id;
    this.#onceLimits = onceLimits;
    this.once = new OnceTables(onceLimits);
    this.memtable = new Memtable(arena);
    this.#arena = arena;
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
    return this.pointAt(this.#committed);
  }

  /** Runs takeovers, seals, merges and drops one after the other. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** The header of the next entry; the caller appends it in the same step. */
  nextHeader(fields: HeaderFields, nowMs: number): EntryHeader {
    return {
      ...fields,
      shard: this.id,
      epoch: this.epoch,
      position: this.end.position + 1,
      previousEpoch: this.end.epoch,
      previousPosition: this.end.position,
      committed: this.#committed,
      // Log time does not go back, whatever the clock does.
      receiptMs: Math.max(this.#logMs, Math.floor(nowMs)),
    };
  }

  /** The header of an entry whose place another has chosen; log time does not go back. */
  headerAt(
    fields: HeaderFields,
    place: Omit<EntryHeader, keyof HeaderFields | "receiptMs" | "shard">,
    nowMs: number,
  ): EntryHeader {
    const receiptMs = Math.max(this.#logMs, Math.floor(nowMs));
    return { ...fields, ...place, shard: this.id, receiptMs };
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
    const { idempotency, tombstone } = meaning;
    const batch = meaning.batch && batchOf(header, meaning.batch.offset);
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
   * Everything up to a position is committed: it goes to the memtable, then to `onCommitted`, then its waiters are
   * told, in the order of the log.
   */
  commit(position: number, nowMs: number, onCommitted: (batch: MemoryBatch) => void): void {
    this.#committed = Math.max(this.#committed, position);
    while (this.#pending.length > 0 && this.#pending[0]!.header.position <= this.#committed) {
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

  /** Whether an entry of this owner is in memory: it is until it is sealed. */
  holds(position: number): boolean {
    return position > this.sealedThrough.position && position <= this.end.position;
  }

  /** Whoever waits for what is pending is told this; it may be committed yet. */
  rejectWaiters(error: ServiceError): void {
    for (const { waiters } of this.#pending) {
      for (const { reject } of waiters.splice(0)) reject(error);
    }
  }

  /** Another replica has the shard: nothing of it is kept in memory, and `restoreSealed` may come again. */
  forget(error: ServiceError): void {
    this.rejectWaiters(error);
    this.#dropPending();
    this.memtable.dropThrough(Number.POSITIVE_INFINITY, 0);
    const all = new Set(this.segments.all.map(({ entry }) => entry.uuid));
    this.segments.replace(all, [], () => undefined);
    this.once = new OnceTables(this.#onceLimits);
    this.end = { epoch: 0, position: 0 };
    this.sealedThrough = this.end;
    this.checkpoint = undefined;
    this.epoch = 0;
    this.#committed = 0;
    this.#epochSteps = [];
  }

  /** Nothing pending will ever be known to be committed. */
  stop(error: ServiceError): void {
    this.state = { kind: "stopped", error };
    this.rejectWaiters(error);
    this.#dropPending();
  }

  #dropPending(): void {
    for (const { batch } of this.#pending.splice(0)) {
      if (batch !== undefined) this.#arena.release(batch.offset, batch.length);
    }
  }

  /** Takes the manifest's state; entries above it are replayed by `inherit`. */
  restoreSealed(sealedThrough: LogPoint): void {
    assert(this.end.position === 0 && this.epoch === 0, "a shard is restored once");
    this.sealedThrough = sealedThrough;
    this.end = sealedThrough;
    this.#epochSteps = [sealedThrough];
    this.#committed = sealedThrough.position;
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

function batchOf(header: EntryHeader, offset: number): MemoryBatch {
  const { shard, epoch, position, receiptMs, rows, timeMin, timeMax, tenant, internal } = header;
  return {
    ...{ shard, epoch, position, receiptMs, rows, timeMin, timeMax, tenant, internal },
    class: header.class,
    offset,
    length: header.bodyLength,
  };
}

function waitFor(pending: Pending): Promise<void> {
  const committed = new Promise<void>((resolve, reject) => {
    pending.waiters.push({ resolve, reject });
  });
  // The log may fail before the caller comes to await this, or it never does.
  committed.catch(() => undefined);
  return committed;
}
