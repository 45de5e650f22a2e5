import { batchBytesTarget, lookaheadBytes } from "../limits.ts";
import type { RecordKey, Window } from "../plan/plan.ts";
import type { Part } from "../source.ts";
import type { PartTask } from "./fragment.ts";
import type { PartEnd, RecordsChunk } from "./sink.ts";

/** Rows as they are answered: NDJSON, every line with its newline. */
export interface RowBatch {
  readonly rows: number;
  readonly bytes: Uint8Array;
}

interface PartState {
  readonly part: Part;
  /** The order of parts whose rows are equal in every key. */
  readonly number: number;
  state: "running" | "ready" | "waiting" | "done";
  /** No row that has not been read is newer than this. */
  boundMs: number;
  boundNs: number;
  chunk: RecordsChunk | undefined;
  /** The next row of the chunk. */
  at: number;
  /** The last record of the chunks so far. */
  end: PartEnd | undefined;
}

/**
 * Merges the records of many parts, newest first, and says which part to read next. A row is given out when no part
 * still to be read can hold a newer one. Pure state: the caller does the reading.
 */
export class RecordMerger {
  readonly #window: Window;
  /** Newest first; those before `#next` have been started. */
  readonly #parts: readonly Part[];
  #next = 0;
  readonly #active: PartState[] = [];
  readonly #newest: NewestTimes | undefined;
  readonly #from: { readonly key: RecordKey; readonly ordinal: number } | undefined;
  #skipped = 0;
  #taken = 0;
  #emitted = 0;
  #heldBytes = 0;
  #isCut = false;
  #last: { key: RecordKey; ordinal: number } | undefined;

  constructor(
    parts: readonly Part[],
    window: Window,
    from?: { readonly key: RecordKey; readonly ordinal: number },
  ) {
    this.#parts = [...parts].sort(
      (a, b) => b.timeMax.ms - a.timeMax.ms || b.timeMax.ns - a.timeMax.ns,
    );
    this.#window = window;
    this.#from = from;
    const { offset, limit } = window;
    const wanted = limit === undefined ? undefined : offset + limit + 1 + (from?.ordinal ?? 0);
    this.#newest = wanted === undefined ? undefined : new NewestTimes(wanted);
  }

  /** Bytes of chunks that wait to be given out. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Rows given out. */
  get emitted(): number {
    return this.#emitted;
  }

  /** Whether there were more rows than the window let through. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** The last row given out, and how many of this very key were. */
  get last(): { readonly key: RecordKey; readonly ordinal: number } | undefined {
    return this.#last;
  }

  get isDone(): boolean {
    if (this.#isCut) return true;
    const isStarted =
      this.#next >= this.#parts.length || this.#isBelowFloor(this.#parts[this.#next]);
    return isStarted && this.#active.every(({ state }) => state === "done");
  }

  /** What to read next; undefined: nothing now, take rows or wait for what is being read. */
  nextTask(): PartTask | undefined {
    if (this.#isCut) return undefined;
    const again = this.#active
      .filter(({ state }) => state === "waiting")
      .sort((a, b) => b.boundMs - a.boundMs)[0];
    const fresh = this.#parts[this.#next];
    const freshIsWanted = fresh !== undefined && !this.#isBelowFloor(fresh);
    if (again !== undefined && (!freshIsWanted || again.boundMs >= fresh.timeMax.ms)) {
      if (!this.#mayRead(again.boundMs)) return undefined;
      again.state = "running";
      return { part: again.part, after: again.end, floorMs: this.#newest?.floor };
    }
    if (!freshIsWanted || !this.#mayRead(fresh.timeMax.ms)) return undefined;
    this.#active.push({
      part: fresh,
      number: this.#next++,
      state: "running",
      boundMs: fresh.timeMax.ms,
      boundNs: fresh.timeMax.ns,
      chunk: undefined,
      at: 0,
      end: undefined,
    });
    return { part: fresh, after: undefined, floorMs: this.#newest?.floor };
  }

  /** Takes in what a task gave. */
  accept(part: Part, chunk: RecordsChunk): void {
    const state = this.#active.find((each) => each.part === part && each.state === "running");
    if (state === undefined) return;
    state.chunk = chunk;
    state.at = 0;
    state.end = endOf(chunk, state.end);
    state.state = chunk.ms.length > 0 ? "ready" : "done";
    this.#heldBytes += chunk.bytes.byteLength;
    this.#newest?.add(chunk.ms);
    if (state.state === "done") this.#drop(state);
  }

  /** The rows that can be given out now, undefined when there are none yet. */
  take(): RowBatch | undefined {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    let rows = 0;
    while (bytes < batchBytesTarget && !this.#isCut) {
      const best = this.#bestReady();
      if (best === undefined || !this.#isFree(best)) break;
      const run = this.#takeRow(best);
      if (run === undefined) continue;
      pieces.push(run);
      bytes += run.byteLength;
      rows++;
    }
    return rows === 0 ? undefined : { rows, bytes: joined(pieces, bytes) };
  }

  #isBelowFloor(part: Part | undefined): boolean {
    const floor = this.#newest?.floor;
    return part !== undefined && floor !== undefined && part.timeMax.ms < floor;
  }

  /** Reading ahead is bounded; what holds back rows that were read is always read. */
  #mayRead(boundMs: number): boolean {
    if (this.#heldBytes < lookaheadBytes) return true;
    const best = this.#bestReady();
    return best === undefined || boundMs >= (best.chunk?.ms[best.at] as number);
  }

  #bestReady(): PartState | undefined {
    let best: PartState | undefined;
    for (const state of this.#active) {
      if (state.state !== "ready") continue;
      if (best === undefined || compareHeads(state, best) < 0) best = state;
    }
    return best;
  }

  /** Whether no part still to be read can hold a row that comes before this one. */
  #isFree(best: PartState): boolean {
    const chunk = best.chunk as RecordsChunk;
    const ms = chunk.ms[best.at] as number;
    const ns = chunk.ns[best.at] as number;
    const isNewer = (boundMs: number, boundNs: number) =>
      ms > boundMs || (ms === boundMs && ns > boundNs);
    const fresh = this.#parts[this.#next];
    if (fresh !== undefined && !isNewer(fresh.timeMax.ms, fresh.timeMax.ns)) return false;
    return this.#active.every(
      ({ state, boundMs, boundNs }) =>
        state === "done" || state === "ready" || isNewer(boundMs, boundNs),
    );
  }

  /** Takes the part's next row; its line when it lies in the window. */
  #takeRow(state: PartState): Uint8Array | undefined {
    const chunk = state.chunk as RecordsChunk;
    const at = state.at;
    const key = keyAt(chunk, at);
    if (this.#wasAnswered(key)) {
      this.#advance(state, chunk);
      return undefined;
    }
    const { offset, limit } = this.#window;
    if (limit !== undefined && this.#taken >= offset + limit) {
      this.#isCut = true;
      return undefined;
    }
    this.#advance(state, chunk);
    if (this.#taken++ < offset) return undefined;
    this.#emitted++;
    this.#remember(key);
    return chunk.bytes.subarray(chunk.offsets[at], chunk.offsets[at + 1]);
  }

  /** Rows of the key that the page before ended with come first, and some of them are in that page. */
  #wasAnswered(key: RecordKey): boolean {
    const from = this.#from;
    if (from === undefined || this.#skipped >= from.ordinal || !isSameKey(from.key, key))
      return false;
    this.#skipped++;
    return true;
  }

  #remember(key: RecordKey): void {
    if (this.#last !== undefined && isSameKey(this.#last.key, key)) {
      this.#last.ordinal++;
      return;
    }
    const from = this.#from;
    const before = from !== undefined && isSameKey(from.key, key) ? from.ordinal : 0;
    this.#last = { key, ordinal: before + 1 };
  }

  #advance(state: PartState, chunk: RecordsChunk): void {
    state.boundMs = chunk.ms[state.at] as number;
    state.boundNs = chunk.ns[state.at] as number;
    state.at++;
    if (state.at < chunk.ms.length) return;
    this.#heldBytes -= chunk.bytes.byteLength;
    state.chunk = undefined;
    state.state = chunk.more ? "waiting" : "done";
    if (state.state === "done") this.#drop(state);
  }

  #drop(state: PartState): void {
    this.#active.splice(this.#active.indexOf(state), 1);
  }
}

/** Where a chunk ends that goes on after `before`. */
export function endOf(chunk: RecordsChunk, before: PartEnd | undefined): PartEnd | undefined {
  const last = chunk.ms.length - 1;
  if (last < 0) return before;
  const key = keyAt(chunk, last);
  let ordinal = 0;
  while (ordinal <= last && isSameKey(keyAt(chunk, last - ordinal), key)) ordinal++;
  const goesOn = ordinal > last && before !== undefined && isSameKey(before.key, key);
  return { key, ordinal: goesOn ? before.ordinal + ordinal : ordinal };
}

function keyAt(chunk: RecordsChunk, at: number): RecordKey {
  return {
    ms: chunk.ms[at] as number,
    ns: chunk.ns[at] as number,
    stream: chunk.streams[chunk.streamCodes[at] as number] as string,
    position: chunk.positions[at] as number,
  };
}

function isSameKey(a: RecordKey, b: RecordKey): boolean {
  return a.ms === b.ms && a.ns === b.ns && a.position === b.position && a.stream === b.stream;
}

/** Negative when `a`'s next row comes before `b`'s. */
function compareHeads(a: PartState, b: PartState): number {
  const x = a.chunk as RecordsChunk;
  const y = b.chunk as RecordsChunk;
  const byTime =
    (y.ms[b.at] as number) - (x.ms[a.at] as number) ||
    (y.ns[b.at] as number) - (x.ns[a.at] as number);
  if (byTime !== 0) return byTime;
  const left = keyAt(x, a.at);
  const right = keyAt(y, b.at);
  if (left.stream !== right.stream) return left.stream < right.stream ? -1 : 1;
  return right.position - left.position || a.number - b.number;
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

/** The newest times among all rows read: older rows than the last of them are not wanted. */
class NewestTimes {
  readonly #wanted: number;
  #times = new Float64Array(0);

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  get floor(): number | undefined {
    return this.#times.length < this.#wanted ? undefined : this.#times[this.#wanted - 1];
  }

  /** Takes times in that descend. */
  add(ms: Float64Array): void {
    const before = this.#times;
    const merged = new Float64Array(Math.min(before.length + ms.length, this.#wanted));
    let a = 0;
    let b = 0;
    for (let i = 0; i < merged.length; i++) {
      const takesOld =
        b >= ms.length || (a < before.length && (before[a] as number) >= (ms[b] as number));
      merged[i] = (takesOld ? before[a++] : ms[b++]) as number;
    }
    this.#times = merged;
  }
}
