import { tailBufferBytes } from "../limits.ts";
import { encodeTailId, type TailProgress } from "./tail-id.ts";
import type { TailChunk, TailPlan } from "./tail-plan.ts";

export interface TailEvent {
  /** What `Last-Event-ID` says to go on after this record. */
  readonly id: string;
  /** The record as a line of JSON, without its newline. */
  readonly record: Uint8Array;
}

/** What has to be replayed of a shard before its live records may be delivered. */
export interface TailGap {
  readonly shard: number;
  /** From this position on, its first `skipRows` matching records left out. */
  readonly from: number;
  readonly skipRows: number;
  readonly upTo: number;
}

/** Where a chunk of a replay stands. */
export interface ReplayProgress {
  /** Of the records at `position`, the first `skipped` were left out, being delivered. */
  readonly position: number;
  readonly skipped: number;
  /** Everything of the shard up to and at this position is in the chunk or came before. */
  readonly through: number;
}

/** Records of one shard that wait to be taken. */
interface Pending {
  readonly shard: number;
  readonly chunk: TailChunk;
  /** The next record of the chunk. */
  at: number;
  /** Of the records at `position`, `within` were delivered. */
  position: number;
  within: number;
  /** All records up to and at this position are in this chunk or before it. */
  through: number;
}

/**
 * One client's tail. Live records wait until the replay has caught up, so that every record of a shard comes once and in
 * the order of its positions. What a slow client leaves beyond the buffer is dropped, oldest first, and counted.
 */
export class TailSubscription {
  readonly plan: TailPlan;
  readonly tenant: string;
  /** Fixed when the tail begins: records at or below come from the replay, later ones live. */
  readonly #liveAfter: Map<number, number>;
  readonly #delivered: Map<number, number>;
  readonly #gaps: readonly TailGap[];
  readonly #replayed: Pending[] = [];
  readonly #live: Pending[] = [];
  readonly #bufferBytes: number;
  #within: TailProgress["within"];
  #isLive: boolean;
  #heldBytes = 0;
  #dropped = 0;
  #isBroken = false;
  #onReady: () => void = () => undefined;

  constructor(options: {
    readonly plan: TailPlan;
    readonly tenant: string;
    /** The committed position of every shard at this moment. */
    readonly positions: ReadonlyMap<number, number>;
    readonly resume: TailProgress | undefined;
    readonly bufferBytes?: number | undefined;
  }) {
    const { plan, tenant, positions, resume, bufferBytes } = options;
    this.plan = plan;
    this.tenant = tenant;
    this.#bufferBytes = bufferBytes ?? tailBufferBytes;
    this.#liveAfter = new Map(positions);
    this.#delivered = new Map(resume === undefined ? positions : resume.positions);
    this.#within = resume?.within;
    this.#gaps = resume === undefined ? [] : gapsOf(resume, positions);
    this.#isLive = this.#gaps.length === 0;
  }

  /** What to replay, shard by shard in this order; then `goLive`. */
  get gaps(): readonly TailGap[] {
    return this.#gaps;
  }

  /** Records dropped so far because the client was too slow. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What comes from now on may have gaps: the client resumes by the last id that it was given. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  breakOff(): void {
    this.#isBroken = true;
    this.#onReady();
  }

  /** Whether a replay may go on: its records wait in the buffer and are never dropped. */
  get hasRoom(): boolean {
    return this.#heldBytes < this.#bufferBytes;
  }

  /** Called whenever there may be events to take. */
  onReady(listener: () => void): void {
    this.#onReady = listener;
  }

  /** Records of a gap, in order. */
  replay(gap: TailGap, chunk: TailChunk, progress: ReplayProgress): void {
    const { shard } = gap;
    const { position, skipped, through } = progress;
    this.#push(this.#replayed, { shard, chunk, at: 0, position, within: skipped, through });
    this.#onReady();
  }

  /** The replay has delivered all gaps. */
  goLive(): void {
    this.#isLive = true;
    this.#onReady();
  }

  /** A committed entry of a shard: its matches, undefined when it has none. Entries of a shard come in order. */
  offer(shard: number, position: number, chunk: TailChunk | undefined): void {
    if (position <= (this.#liveAfter.get(shard) ?? -1)) return;
    this.#liveAfter.set(shard, position);
    if (chunk === undefined) {
      this.#passOver(shard, position);
      return;
    }
    this.#push(this.#live, { shard, chunk, at: 0, position, within: 0, through: position });
    this.#dropOldest();
    this.#onReady();
  }

  /** The next events, at most `max`. */
  take(max: number): TailEvent[] {
    const events: TailEvent[] = [];
    while (events.length < max) {
      const queue = this.#replayed.length > 0 ? this.#replayed : this.#live;
      const pending = queue[0];
      if (pending === undefined || (queue === this.#live && !this.#isLive)) break;
      const event = this.#next(pending);
      if (event === undefined) this.#shift(queue);
      else events.push(event);
    }
    return events;
  }

  /** How far the client has come, should it ask before the first event. */
  get id(): string {
    return encodeTailId({ positions: this.#delivered, within: this.#within });
  }

  /** An entry without a match counts as delivered with what of its shard waits before it. */
  #passOver(shard: number, position: number): void {
    const before = this.#live.findLast((pending) => pending.shard === shard);
    if (before !== undefined) before.through = position;
    else if (this.#isLive && this.#replayed.length === 0) this.#advance(shard, position);
    else
      this.#push(this.#live, {
        shard,
        chunk: noChunk,
        at: 0,
        position,
        within: 0,
        through: position,
      });
  }

  #next(pending: Pending): TailEvent | undefined {
    const { chunk, shard, at } = pending;
    if (at >= chunk.positions.length) {
      this.#advance(shard, pending.through);
      return undefined;
    }
    const position = chunk.positions[at] as number;
    pending.at++;
    pending.within = position === pending.position ? pending.within + 1 : 1;
    pending.position = position;
    this.#within = { shard, position, rows: pending.within };
    // Everything before this position is delivered, of this one the first records.
    this.#delivered.set(shard, Math.max(position - 1, this.#delivered.get(shard) ?? -1));
    const end = (chunk.offsets[at + 1] as number) - 1;
    return { id: this.id, record: chunk.bytes.subarray(chunk.offsets[at], end) };
  }

  #advance(shard: number, through: number): void {
    this.#delivered.set(shard, Math.max(through, this.#delivered.get(shard) ?? -1));
    const within = this.#within;
    if (within?.shard === shard && within.position <= through) this.#within = undefined;
  }

  #push(queue: Pending[], pending: Pending): void {
    queue.push(pending);
    this.#heldBytes += pending.chunk.bytes.byteLength;
  }

  #shift(queue: Pending[]): void {
    this.#heldBytes -= queue.shift()?.chunk.bytes.byteLength ?? 0;
  }

  /** Live chunks go whole; what was dropped counts as delivered, since a resume must not stand still. */
  #dropOldest(): void {
    while (this.#heldBytes > this.#bufferBytes && this.#live.length > 1) {
      const [oldest] = this.#live;
      if (oldest === undefined) return;
      this.#dropped += oldest.chunk.positions.length - oldest.at;
      if (this.#isLive && this.#replayed.length === 0) this.#advance(oldest.shard, oldest.through);
      this.#shift(this.#live);
    }
  }
}

const noChunk: TailChunk = {
  count: 0,
  bytes: new Uint8Array(0),
  offsets: new Uint32Array(1),
  positions: new Float64Array(0),
};

/** Shards that an id does not know of began after it was made, so all of them is new. */
export function gapsOf(resume: TailProgress, positions: ReadonlyMap<number, number>): TailGap[] {
  const gaps: TailGap[] = [];
  for (const [shard, upTo] of positions) {
    const within = resume.within?.shard === shard ? resume.within : undefined;
    const from = within?.position ?? (resume.positions.get(shard) ?? -1) + 1;
    if (from <= upTo) gaps.push({ shard, from, skipRows: within?.rows ?? 0, upTo });
  }
  // An id tells of one entry only that it was delivered in part, so that entry is finished first.
  return gaps.sort((a, b) => Number(b.skipRows > 0) - Number(a.skipRows > 0));
}
