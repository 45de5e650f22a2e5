import { gapsOf, type TailGap } from "./subscription.ts";
import { encodeTailId, type TailProgress } from "./tail-id.ts";
import type { TailChunk, TailPlan } from "./tail-plan.ts";

/** What matched since the batch before. */
export interface MatchedRecords {
  readonly count: number;
  /** The newest that came, the newest first, each a line of JSON without its newline. */
  readonly lines: readonly Uint8Array[];
  /** Where to go on after it. */
  readonly progress: string;
}

/** Records of a chunk: how many, and the newest, the newest first. */
export type Counted = Pick<TailChunk, "count" | "bytes" | "offsets">;

/**
 * Counts the records that match, each once, from a progress on. What waits to be taken is a number and a few lines, so
 * nothing is dropped however long that takes.
 */
export class MatchSubscription {
  readonly plan: TailPlan;
  readonly tenant: string;
  readonly gaps: readonly TailGap[];
  readonly #keep: number;
  readonly #linesBytesMax: number;
  /** Everything up to and at these positions is counted, once the gaps are closed. */
  readonly #through: Map<number, number>;
  #isClosed: boolean;
  #isBroken = false;
  #hasMoved: boolean;
  #count = 0;
  #lines: Uint8Array[] = [];
  #onReady: () => void = () => undefined;

  constructor(options: {
    readonly plan: TailPlan;
    readonly tenant: string;
    /** The committed position of every shard at this moment. */
    readonly positions: ReadonlyMap<number, number>;
    readonly resume: TailProgress | undefined;
    readonly keep: number;
    readonly linesBytesMax: number;
  }) {
    const { plan, tenant, positions, resume, keep, linesBytesMax } = options;
    this.plan = plan;
    this.tenant = tenant;
    this.#keep = keep;
    this.#linesBytesMax = linesBytesMax;
    this.#through = new Map(positions);
    this.gaps = resume === undefined ? [] : gapsOf(resume, positions);
    this.#isClosed = this.gaps.length === 0;
    // Without an earlier progress the first one is where this begins.
    this.#hasMoved = resume === undefined;
  }

  /** An entry could not be matched: what follows would leave a gap, so this one has to be begun again. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Whether there is something to take beyond a progress. */
  get hasMatches(): boolean {
    return this.#isClosed && this.#count > 0;
  }

  /** Called whenever there are matches to take, and when it breaks. */
  onReady(listener: () => void): void {
    this.#onReady = listener;
  }

  /** What all the gaps have; live records may be taken from now on. */
  close(found: readonly Counted[]): void {
    // What was committed meanwhile is newer than what the gaps have.
    const live = this.#lines;
    this.#lines = [];
    for (const each of found) this.#add(each);
    this.#keepNewest([...live, ...this.#lines]);
    this.#hasMoved = this.#hasMoved || this.gaps.length > 0;
    this.#isClosed = true;
    this.#onReady();
  }

  offer(shard: number, position: number, chunk: TailChunk | undefined): void {
    if (this.#isBroken || position <= (this.#through.get(shard) ?? -1)) return;
    this.#through.set(shard, position);
    this.#hasMoved = true;
    if (chunk === undefined) return;
    this.#add(chunk);
    this.#onReady();
  }

  missed(shard: number, position: number): void {
    if (position <= (this.#through.get(shard) ?? -1)) return;
    this.#isBroken = true;
    this.#onReady();
  }

  /** What comes from now on may have gaps. */
  breakOff(): void {
    this.#isBroken = true;
    this.#onReady();
  }

  /** Everything since the last call; undefined when nothing has moved, or the gaps are open. */
  take(): MatchedRecords | undefined {
    if (!this.#isClosed || !this.#hasMoved) return undefined;
    const batch = {
      count: this.#count,
      lines: this.#lines,
      progress: encodeTailId({ positions: this.#through, within: undefined }),
    };
    this.#count = 0;
    this.#lines = [];
    this.#hasMoved = false;
    return batch;
  }

  #add({ count, bytes, offsets }: Counted): void {
    this.#count += count;
    const lines: Uint8Array[] = [];
    for (let i = 0; i + 1 < offsets.length; i++) {
      lines.push(bytes.subarray(offsets[i], (offsets[i + 1] as number) - 1));
    }
    this.#keepNewest([...lines, ...this.#lines]);
  }

  #keepNewest(lines: readonly Uint8Array[]): void {
    let bytes = 0;
    this.#lines = [];
    for (const line of lines.slice(0, this.#keep)) {
      bytes += line.byteLength;
      if (this.#lines.length > 0 && bytes > this.#linesBytesMax) return;
      this.#lines.push(line);
    }
  }
}
