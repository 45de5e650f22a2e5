import type { AlertEntry } from "../../../alerts/src/entry.ts";
import type { AlertJournal } from "../../../alerts/src/ports.ts";
import type { Clock } from "../../../kit/src/clock.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import { recordsOf } from "../../../query/src/engine/encode.ts";
import { type QueryRequest, runQuery } from "../../../query/src/engine/run.ts";
import { parseQuery } from "../../../query/src/language/parse.ts";
import type { Cut, Source, TimeRange } from "../../../query/src/source.ts";
import { parseTime } from "../../../query/src/table/time-text.ts";
import { type ArenaOwner, ArenaWriter } from "../../../storage/src/shard/arena.ts";
import type { Store } from "../../../storage/src/shard/store.ts";
import type { Reading } from "../reading.ts";
import { type InternalRow, InternalStream } from "./internal-batch.ts";
import { EntryReader, type JournalRow, rowsOfEntries } from "./journal-rows.ts";
import {
  journalArenaWriter,
  journalBatchBytesMax,
  journalReadMs,
  journalRoomMs,
  journalRowsMax,
  journalSpanMs,
} from "./limits.ts";

export interface JournalDeps {
  readonly store: Pick<Store, "append" | "room">;
  readonly arena: ArenaOwner;
  readonly reading: Reading;
  readonly shardCount: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** No key and no header can name this tenant: entries hold what rules of all tenants found. */
export const journalTenant = "_logkeep";
/** Its stream, and its retention class. */
export const journalStream = "_alerts";

const everything: TimeRange = {
  from: { ms: 0, ns: 0 },
  to: { ms: Number.MAX_SAFE_INTEGER, ns: 0 },
};

const readingQuestion = { timeoutMs: journalReadMs, signal: undefined };

interface Waiting {
  readonly rows: readonly JournalRow[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The alerts' journal as records of the stream `_alerts`, all of one shard. Their times ascend strictly, whatever the clock
 * does, so that the order of times is that of the appends. One batch is under way at a time; what is
 * appended meanwhile goes together into the next.
 */
export class StoreJournal implements AlertJournal, Closable {
  readonly #deps: JournalDeps;
  readonly #writer: ArenaWriter;
  readonly #stream: InternalStream;
  readonly #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** Time of the newest record; undefined until it was looked for. */
  #last: Moment | undefined;

  constructor(deps: JournalDeps) {
    this.#deps = deps;
    const { arena, shardCount } = deps;
    this.#writer = new ArenaWriter(arena.buffers, journalArenaWriter);
    this.#stream = new InternalStream({
      ...{ tenant: journalTenant, name: journalStream, shardCount, arena: this.#writer },
    });
  }

  async append(entries: readonly AlertEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const rows = rowsOfEntries(entries);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ ...rows, resolve, reject });
    this.#running ??= this.#run();
    await promise;
  }

  async *read(): AsyncGenerator<AlertEntry> {
    const reader = new EntryReader();
    for (const range of await this.#spans()) {
      // Newest first, as records are answered.
      const rows = await this.#rowsOf(range);
      for (const row of rows.reverse()) yield* this.#entriesOf(reader, row);
    }
  }

  /** Waits for appends under way. */
  async close(): Promise<void> {
    await this.#running;
    this.#writer.close();
    this.#deps.arena.closed(this.#writer.takeClosed());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const together = this.#next();
      try {
        await this.#store(together.flatMap(({ rows }) => rows));
        for (const { resolve } of together) resolve();
      } catch (thrown) {
        for (const { reject } of together) reject(thrown);
      }
    }
    this.#running = undefined;
  }

  /** As many of those that wait as fit one batch; each alone does. */
  #next(): Waiting[] {
    let bytes = 0;
    let rows = 0;
    let count = 0;
    for (const each of this.#waiting) {
      bytes += each.bytes;
      rows += each.rows.length;
      const isFull = bytes > journalBatchBytesMax || rows > journalRowsMax;
      if (count > 0 && isFull) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #store(rows: readonly JournalRow[]): Promise<void> {
    const { store, arena, clock } = this.#deps;
    this.#last ??= await this.#findLast();
    await store.room(journalRoomMs);
    const nowMs = clock.now();
    let time = this.#last;
    const timed: InternalRow[] = rows.map((fields) => {
      time = momentAfter(time, nowMs);
      return { time, fields: { ...fields } };
    });
    const part = this.#stream.batchOf(timed, nowMs);
    if (part === undefined) throw new ServiceError("ingest.busy", "memory for records is full");
    this.#last = time;
    const stored = store.append([part]);
    arena.closed(this.#writer.takeClosed());
    await stored;
  }

  async #findLast(): Promise<Moment> {
    const [row] = await this.#rowsOf(everything, 1);
    return timeOf(row) ?? { ms: 0, ns: 0 };
  }

  /** Spans of time in which there are records, in order. */
  async #spans(): Promise<TimeRange[]> {
    const cut = await this.#open(everything);
    cut.release();
    const numbers = new Set<number>();
    for (const { timeMin, timeMax } of cut.parts) {
      const last = Math.floor(timeMax.ms / journalSpanMs);
      for (let at = Math.floor(timeMin.ms / journalSpanMs); at <= last; at++) numbers.add(at);
    }
    return [...numbers]
      .sort((a, b) => a - b)
      .map((at) => ({
        from: { ms: at * journalSpanMs, ns: 0 },
        to: { ms: (at + 1) * journalSpanMs, ns: 0 },
      }));
  }

  /** Records of a span, newest first. Rejects while the journal's shard cannot be asked. */
  async #rowsOf(range: TimeRange, limit?: number): Promise<Record<string, string>[]> {
    const { reading, logger } = this.#deps;
    const { pool } = reading.answering(readingQuestion);
    const source: Source = { open: (_, within) => this.#open(within) };
    const request: QueryRequest = {
      ...{ source, pool },
      tenant: journalTenant,
      query: parseQuery(`{stream="${journalStream}"}`),
      range,
      limit,
      timeoutMs: journalReadMs,
    };
    const answer = await runQuery(request);
    const rows: Record<string, string>[] = [];
    for await (const batch of answer.rows) for (const row of recordsOf(batch)) rows.push(row);
    const { missing } = answer.summary();
    // What rotted does not come back: to go on without is better than to alert about nothing any more.
    if (missing.length > 0) logger.error({ missing }, "part of the alerts' journal cannot be read");
    return rows;
  }

  /** The journal's own parts of a cut. Throws `query.partial` when its shard is not there. */
  async #open(range: TimeRange): Promise<Cut> {
    const { shard } = this.#stream;
    const { source } = this.#deps.reading.answering(readingQuestion);
    const cut = await source.open(journalTenant, range);
    const name = `shard ${shard}`;
    if (cut.missing.includes(name)) {
      cut.release();
      throw new ServiceError("query.partial", "the alerts' journal cannot be read now", { shard });
    }
    return {
      parts: cut.parts.filter((part) => source.shardOf(part) === shard && part.internal),
      missing: cut.missing.filter((each) => each.startsWith(`${name} `)),
      release: () => cut.release(),
    };
  }

  #entriesOf(reader: EntryReader, row: Record<string, string>): readonly AlertEntry[] {
    const { _msg = "", packed } = row;
    try {
      return reader.take(packed === undefined ? { _msg } : { _msg, packed });
    } catch (thrown) {
      const reason = messageOf(thrown);
      this.#deps.logger.error({ time: row["_time"], reason }, "an entry of alerts cannot be read");
      return [];
    }
  }
}

/** Now, or the nanosecond after the last one where that is later. */
function momentAfter(last: Moment, nowMs: number): Moment {
  const now = { ms: nowMs, ns: 0 };
  if (momentCompare(now, last) > 0) return now;
  return last.ns < 999_999 ? { ms: last.ms, ns: last.ns + 1 } : { ms: last.ms + 1, ns: 0 };
}

function timeOf(row: Record<string, string> | undefined): Moment | undefined {
  return row === undefined ? undefined : parseTime(row["_time"] ?? "");
}
