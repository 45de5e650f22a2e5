import type { InboxBatch, InboxId, InboxRecord, InboxSink } from "../../cluster/src/inbox-sink.ts";
import { defaultClass } from "../../ingest/src/batches.ts";
import type { DecodeOptions } from "../../ingest/src/job.ts";
import type { Clock } from "../../kit/src/clock.ts";
import type { Decoded } from "./ingest.ts";
import { SourceIntake, type SourceIntakeDeps } from "./source-intake.ts";

/** How long a note about unreadable znodes waits for room in memory. */
const roomWaitMs = 30_000;

export interface InboxDeps extends SourceIntakeDeps {
  readonly clock: Clock;
}

/** Stores what lies in inboxes, each record once: what a shard holds of an inbox is in its log. */
export class InboxIntake implements InboxSink {
  readonly #deps: InboxDeps;
  readonly #intake: SourceIntake;

  constructor(deps: InboxDeps) {
    this.#deps = deps;
    this.#intake = new SourceIntake(deps);
  }

  lastStored(source: string): Promise<ReadonlyMap<number, bigint>> {
    return this.#deps.store.lastStored(source);
  }

  async store(batch: InboxBatch): Promise<ReadonlyMap<number, bigint>> {
    const { source, records, through, inbox } = batch;
    const ends = await this.#intake.endsOf(source);
    const values = records.map(bytesOf);
    await this.#intake.store(
      {
        kind: "inbox",
        ...{ source, through, values, options },
        tenant: inbox.tenant,
        count: records.length,
        positionOf: (index) => (records[index] as InboxRecord).czxid,
        sizeOf: (index) => (values[index] as Buffer).length,
        timesMs: Float64Array.from(records, ({ createdMs }) => createdMs),
      },
      ends,
    );
    const own = ends.get(defaultClass) ?? new Map<number, bigint>();
    return new Map([...own].filter(([shard, end]) => batch.ends.get(shard) !== end));
  }

  async reject({ tenant }: InboxId, names: readonly string[], reason: string): Promise<void> {
    const { pool, store, arena, clock } = this.#deps;
    await store.room(roomWaitMs);
    const lines = names.map((name) => `${reason}: ${name.replaceAll("\n", " ")}`);
    // A line of text that is no JSON: the decoder keeps it in `_rejected`, whose reason is in the text.
    const job = {
      options: { ...options, protocol: "json-lines" },
      tenant,
      body: Buffer.from(lines.join("\n")),
      receivedMs: clock.now(),
    };
    const { result } = await pool.run<Decoded>("decode", job, { lane: "ingest" });
    const stored = store.append(result.parts);
    arena.closed(result.closedSlabs);
    await stored;
  }
}

const options: DecodeOptions = {
  protocol: "json",
  encoding: "identity",
  streamFields: undefined,
  timeFields: ["_time"],
  msgFields: ["_msg"],
  extra: [],
  index: undefined,
};

/** A record as an object of JSON; what is none stays what it is, and the decoder rejects it with its reason. */
function bytesOf({ body }: InboxRecord): Buffer {
  if (body.kind === "text") return Buffer.from(JSON.stringify({ _msg: body.bytes.toString() }));
  return body.bytes ?? Buffer.from("null");
}
