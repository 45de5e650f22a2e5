import { hash } from "node:crypto";
import type { InboxBatch, InboxId, InboxRecord, InboxSink } from "../../cluster/src/inbox-sink.ts";
import type { DecodeJob, DecodeResult } from "../../ingest/src/job.ts";
import type { Clock } from "../../kit/src/clock.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { AppendPart } from "../../storage/src/shard/append.ts";
import { dedupeKeyBytes } from "../../storage/src/shard/dedupe-key.ts";
import type { Decoded, IngestDeps } from "./ingest.ts";

const lineFeed = 0x0a;
const space = 0x20;

/** How long a batch waits for room in memory. */
const roomWaitMs = 30_000;

/** Records of one change at the coordinator: never torn apart. */
interface Change {
  readonly czxid: bigint;
  readonly records: readonly InboxRecord[];
}

export interface InboxDeps extends Omit<IngestDeps, "memory"> {
  readonly clock: Clock;
}

/** Stores what lies in inboxes, each record once: what a shard holds of an inbox is in its log. */
export class InboxIntake implements InboxSink {
  readonly #deps: InboxDeps;

  constructor(deps: InboxDeps) {
    this.#deps = deps;
  }

  lastStored(source: string): Promise<ReadonlyMap<number, bigint>> {
    return this.#deps.store.lastStored(source);
  }

  async store(batch: InboxBatch): Promise<ReadonlyMap<number, bigint>> {
    const ends: Ends = {
      records: new Map(batch.ends),
      rejected: new Map(await this.#deps.store.lastStored(rejectedSource(batch))),
    };
    const highest = highestOf([...ends.records.values(), ...ends.rejected.values()]);
    const isNew = batch.records.every(({ czxid }) => czxid > highest);
    // Nothing of it can be stored already, and no shard gets two parts: then it is one step.
    if (isNew && (await this.#storeChange(batch, batch.through, batch.records, ends, true))) {
      return changed(batch.ends, ends.records);
    }
    for (const { czxid, records } of changesOf(batch.records)) {
      await this.#storeChange(batch, czxid, records, ends, false);
    }
    return changed(batch.ends, ends.records);
  }

  async reject({ tenant }: InboxId, names: readonly string[], reason: string): Promise<void> {
    const { pool, store, arena, clock } = this.#deps;
    await store.room(roomWaitMs);
    const lines = names.map((name) => `${reason}: ${name.replaceAll("\n", " ")}`);
    // A line of text that is no JSON: the decoder keeps it in `_rejected`, whose reason is in the text.
    const job = {
      ...jobOf(tenant, []),
      body: Buffer.from(lines.join("\n")),
      receivedMs: clock.now(),
    };
    const { result } = await pool.run<Decoded>("decode", job, { lane: "ingest" });
    const stored = store.append(result.parts);
    arena.closed(result.closedSlabs);
    await stored;
  }

  /** False, with nothing stored, when `isOneStep` and a shard would get two parts. */
  async #storeChange(
    batch: InboxBatch,
    through: bigint,
    records: readonly InboxRecord[],
    ends: Ends,
    isOneStep: boolean,
  ): Promise<boolean> {
    if (records.length === 0) return true;
    const { pool, store, arena } = this.#deps;
    await store.room(roomWaitMs);
    const job = jobOf(batch.inbox.tenant, records);
    const { result } = await pool.run<Decoded>("decode", job, { lane: "ingest" });
    const parts = this.#partsOf(batch, through, result, ends);
    const isRefused = isOneStep && parts.some(({ dedupeKey }) => dedupeKey !== undefined);
    const stored = isRefused || parts.length === 0 ? undefined : store.append(parts);
    arena.closed(result.closedSlabs);
    if (result.status !== "ok")
      throw new ServiceError("ingest.busy", "the inbox cannot be stored now");
    if (isRefused) return false;
    for (const outcome of (await stored) ?? []) {
      if (outcome.kind !== "source-refused") continue;
      throw new ServiceError(
        "ingest.unavailable",
        "another drainer has stored parts of this inbox",
      );
    }
    for (const { shard, internal } of parts)
      (internal ? ends.rejected : ends.records).set(shard, through);
    return true;
  }

  /** The parts that their shards do not hold yet, each with what it stores of the inbox. */
  #partsOf(batch: InboxBatch, through: bigint, result: DecodeResult, ends: Ends): AppendPart[] {
    const wanted = result.parts.filter(({ shard, internal }) => {
      return ((internal ? ends.rejected : ends.records).get(shard) ?? 0n) < through;
    });
    return wanted.map((part, at) => {
      const { shard, internal } = part;
      const isLast = !wanted
        .slice(at + 1)
        .some((o) => o.shard === shard && o.internal === internal);
      // Of several parts of one change at one shard only the last moves the inbox's end there.
      if (!isLast) return { ...part, dedupeKey: partKey(batch, through, at) };
      const source = internal ? rejectedSource(batch) : batch.source;
      const previous = (internal ? ends.rejected : ends.records).get(shard) ?? 0n;
      return { ...part, sourceRange: { source, previous, from: previous + 1n, through } };
    });
  }
}

/** Up to where each shard has an inbox: its records, and what was rejected of it, whose class is another. */
interface Ends {
  readonly records: Map<number, bigint>;
  readonly rejected: Map<number, bigint>;
}

function rejectedSource({ source }: InboxBatch): string {
  return `${source}/rejected`;
}

function partKey({ source }: InboxBatch, through: bigint, at: number): Uint8Array {
  return hash("sha256", `${source} ${through} ${at}`, "buffer").subarray(0, dedupeKeyBytes);
}

function highestOf(values: readonly bigint[]): bigint {
  let highest = 0n;
  for (const value of values) if (value > highest) highest = value;
  return highest;
}

function changed(
  before: ReadonlyMap<number, bigint>,
  after: ReadonlyMap<number, bigint>,
): ReadonlyMap<number, bigint> {
  return new Map([...after].filter(([shard, end]) => before.get(shard) !== end));
}

function changesOf(records: readonly InboxRecord[]): Change[] {
  const changes: { czxid: bigint; records: InboxRecord[] }[] = [];
  for (const record of records) {
    const last = changes.at(-1);
    if (last?.czxid === record.czxid) last.records.push(record);
    else changes.push({ czxid: record.czxid, records: [record] });
  }
  return changes;
}

function jobOf(tenant: string, records: readonly InboxRecord[]): DecodeJob {
  return {
    options: {
      protocol: "json-lines",
      encoding: "identity",
      streamFields: undefined,
      timeFields: ["_time"],
      msgFields: ["_msg"],
      extra: [],
      index: undefined,
    },
    tenant,
    body: new Uint8Array(Buffer.concat(records.map(lineOf))),
    receivedMs: records.reduce((latest, { createdMs }) => Math.max(latest, createdMs), 0),
  };
}

/** A record as a line of JSON; what is none stays what it is, and the decoder rejects it with its reason. */
function lineOf({ body }: InboxRecord): Buffer {
  if (body.kind === "text")
    return Buffer.from(`${JSON.stringify({ _msg: body.bytes.toString() })}\n`);
  const line = Buffer.concat([body.bytes ?? Buffer.from("null"), Buffer.of(lineFeed)]);
  // Between the tokens of JSON a line feed is a space; within its texts there is none.
  for (let at = line.indexOf(lineFeed); at < line.length - 1; at = line.indexOf(lineFeed, at)) {
    line[at] = space;
  }
  return line;
}
