import type { Moment } from "../../../kit/src/time.ts";
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
  /** 1 where the newest come first, −1 where the oldest do. */
  readonly sign: 1 | -1;
  state: "running" | "ready" | "waiting" | "done";
  /** No row that has not been read comes before this time. */
  boundMs: number;
  boundNs: number;
  chunk: RecordsChunk | undefined;
  /** The next row of the chunk. */
  at: number;
  /** The last record of the chunks so far. */
  end: PartEnd | undefined;
}

/** The part that is next of those that are ready, and before which time a part that is not may have rows. */
interface Rivals {
  readonly second: PartState | undefined;
  readonly bound: Moment | undefined;
}

/**
 * Merges the records of many parts, newest first or oldest first, and says which part to read next. A row is given out
 * when no part still to be read can hold one that comes before it. Pure state: the caller does the reading.
 */
export class RecordMerger {
  readonly #window: Window;
  /** By their first record's time; those before `#next` have been started. */
  readonly #parts: readonly Part[];
  #next = 0;
  readonly #active: PartState[] = [];
  readonly #firsts: FirstTimes | undefined;
  readonly #sign: 1 | -1;
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
    oldestFirst = false,
  ) {
    this.#sign = oldestFirst ? -1 : 1;
    this.#parts = [...parts].sort((a, b) => this.#compareTimes(this.#headOf(a), this.#headOf(b)));
    this.#window = window;
    this.#from = from;
    const { offset, limit } = window;
    const wanted = limit === undefined ? undefined : offset + limit + 1 + (from?.ordinal ?? 0);
    this.#firsts = wanted === undefined ? undefined : new FirstTimes(wanted, this.#sign);
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
    const isStarted = this.#next >= this.#parts.length || this.#isTooLate(this.#parts[this.#next]);
    return isStarted && this.#active.every(({ state }) => state === "done");
  }

  /** What to read next; undefined: nothing now, take rows or wait for what is being read. */
  nextTask(): PartTask | undefined {
    if (this.#isCut) return undefined;
    const again = this.#active
      .filter(({ state }) => state === "waiting")
      .sort((a, b) => this.#sign * (b.boundMs - a.boundMs))[0];
    const fresh = this.#parts[this.#next];
    const freshIsWanted = fresh !== undefined && !this.#isTooLate(fresh);
    if (again !== undefined && (!freshIsWanted || !this.#isSooner(fresh, again.boundMs))) {
      if (!this.#mayRead(again.boundMs)) return undefined;
      again.state = "running";
      return this.#taskOf(again.part, again.end);
    }
    if (!freshIsWanted || !this.#mayRead(this.#headOf(fresh).ms)) return undefined;
    const head = this.#headOf(fresh);
    this.#active.push({
      part: fresh,
      number: this.#next++,
      sign: this.#sign,
      state: "running",
      boundMs: head.ms,
      boundNs: head.ns,
      chunk: undefined,
      at: 0,
      end: undefined,
    });
    return this.#taskOf(fresh, undefined);
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
    this.#firsts?.add(chunk.ms);
    if (state.state === "done") this.#drop(state);
  }

  /** The rows that can be given out now, undefined when there are none yet. */
  take(): RowBatch | undefined {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    let rows = 0;
    while (bytes < batchBytesTarget && !this.#isCut) {
      const best = this.#bestReady();
      if (best === undefined) break;
      const rivals = this.#rivalsOf(best);
      if (!this.#isFree(best, rivals)) break;
      const emitted = this.#emitted;
      const run = this.#takeRun(best, rivals, batchBytesTarget - bytes);
      rows += this.#emitted - emitted;
      if (run.byteLength > 0) pieces.push(run);
      bytes += run.byteLength;
    }
    return rows === 0 ? undefined : { rows, bytes: joined(pieces, bytes) };
  }

  #taskOf(part: Part, after: PartEnd | undefined): PartTask {
    const lastMs = this.#firsts?.lastMs;
    if (this.#sign > 0) return { part, after, floorMs: lastMs };
    return { part, after, floorMs: undefined, ceilingMs: lastMs };
  }

  /** The time of the part's first record. */
  #headOf({ timeMin, timeMax }: Part): Moment {
    return this.#sign > 0 ? timeMax : timeMin;
  }

  /** Negative when a record of time `a` comes before one of `b`. */
  #compareTimes(a: Moment, b: Moment): number {
    return this.#sign * (b.ms - a.ms || b.ns - a.ns);
  }

  #isSooner(part: Part, ms: number): boolean {
    return this.#sign * (this.#headOf(part).ms - ms) > 0;
  }

  #isTooLate(part: Part | undefined): boolean {
    const lastMs = this.#firsts?.lastMs;
    if (part === undefined || lastMs === undefined) return false;
    return this.#sign * (this.#headOf(part).ms - lastMs) < 0;
  }

  /** Reading ahead is bounded; what holds back rows that were read is always read. */
  #mayRead(boundMs: number): boolean {
    if (this.#heldBytes < lookaheadBytes) return true;
    const best = this.#bestReady();
    if (best === undefined) return true;
    return this.#sign * (boundMs - (best.chunk?.ms[best.at] as number)) >= 0;
  }

  #bestReady(): PartState | undefined {
    let best: PartState | undefined;
    for (const state of this.#active) {
      if (state.state !== "ready") continue;
      if (best === undefined || compareHeads(state, best) < 0) best = state;
    }
    return best;
  }

  /** What the rows of a part must come before to be given out; looked for once for many rows. */
  #rivalsOf(best: PartState): Rivals {
    let second: PartState | undefined;
    const fresh = this.#parts[this.#next];
    let bound = fresh === undefined ? undefined : this.#headOf(fresh);
    for (const state of this.#active) {
      if (state === best || state.state === "done") continue;
      if (state.state === "ready") {
        if (second === undefined || compareHeads(state, second) < 0) second = state;
        continue;
      }
      const { boundMs: ms, boundNs: ns } = state;
      if (bound === undefined || this.#compareTimes({ ms, ns }, bound) < 0) bound = { ms, ns };
    }
    return { second, bound };
  }

  /** Whether no part still to be read can hold a row that comes before the next of this one, and none that is read does. */
  #isFree(state: PartState, { second, bound }: Rivals): boolean {
    if (bound !== undefined) {
      const { ms, ns } = state.chunk as RecordsChunk;
      const byMs = (ms[state.at] as number) - bound.ms;
      if (this.#sign * (byMs || (ns[state.at] as number) - bound.ns) <= 0) return false;
    }
    return second === undefined || compareHeads(state, second) < 0;
  }

  /** Takes rows of the part as long as they are free, about so many bytes; the lines of those that lie in the window. */
  #takeRun(state: PartState, rivals: Rivals, bytesMax: number): Uint8Array {
    const chunk = state.chunk as RecordsChunk;
    let from = chunk.offsets[state.at] as number;
    let end = from;
    while (end - from < bytesMax) {
      const isEmitted = this.#takeRow(state);
      if (this.#isCut) break;
      // Nothing of a run is answered before its first row that is.
      end = chunk.offsets[state.at] as number;
      if (!isEmitted) from = end;
      if (state.chunk !== chunk || !this.#isFree(state, rivals)) break;
    }
    return chunk.bytes.subarray(from, end);
  }

  /** Takes the part's next row; whether it lies in the window. */
  #takeRow(state: PartState): boolean {
    const chunk = state.chunk as RecordsChunk;
    const at = state.at;
    const key = keyAt(chunk, at);
    if (this.#wasAnswered(key)) {
      this.#advance(state, chunk);
      return false;
    }
    const { offset, limit } = this.#window;
    if (limit !== undefined && this.#taken >= offset + limit) {
      this.#isCut = true;
      return false;
    }
    this.#advance(state, chunk);
    if (this.#taken++ < offset) return false;
    this.#emitted++;
    this.#remember(key);
    return true;
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
  const { rest } = chunk;
  return { key, ordinal: goesOn ? before.ordinal + ordinal : ordinal, ...(rest && { rest }) };
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
  if (byTime !== 0) return a.sign * byTime;
  const left = x.streams[x.streamCodes[a.at] as number] as string;
  const right = y.streams[y.streamCodes[b.at] as number] as string;
  if (left !== right) return left < right ? -a.sign : a.sign;
  const byPosition = (y.positions[b.at] as number) - (x.positions[a.at] as number);
  return a.sign * byPosition || a.number - b.number;
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

/** The first times among all rows read: rows that come after the last of them are not wanted. */
class FirstTimes {
  readonly #wanted: number;
  readonly #sign: 1 | -1;
  #times = new Float64Array(0);

  constructor(wanted: number, sign: 1 | -1) {
    this.#wanted = wanted;
    this.#sign = sign;
  }

  get lastMs(): number | undefined {
    return this.#times.length < this.#wanted ? undefined : this.#times[this.#wanted - 1];
  }

  /** Takes times in that descend, or ascend where the oldest come first. */
  add(ms: Float64Array): void {
    const before = this.#times;
    const merged = new Float64Array(Math.min(before.length + ms.length, this.#wanted));
    let a = 0;
    let b = 0;
    for (let i = 0; i < merged.length; i++) {
      const isLead = this.#sign * ((before[a] as number) - (ms[b] as number)) >= 0;
      const takesOld = b >= ms.length || (a < before.length && isLead);
      merged[i] = (takesOld ? before[a++] : ms[b++]) as number;
    }
    this.#times = merged;
  }
}
