import type { DecodeJob, DecodeResult } from "../../ingest/src/job.ts";
import { assert } from "../../kit/src/assert.ts";
import type { ArenaOwner } from "../../storage/src/shard/arena.ts";
import type { BodyMemory } from "./http/body-memory.ts";
import { appendKeyed } from "./routing/keyed-request.ts";
import type { Writes } from "./routing/writes.ts";
import type { WorkerPool } from "./threads/pool.ts";

export interface IngestDeps {
  readonly pool: WorkerPool;
  /** Of the whole cluster. */
  readonly store: Writes;
  readonly arena: ArenaOwner;
  readonly memory: BodyMemory;
}

/** A worker's answer, and the body's memory back. */
export interface Decoded {
  readonly result: DecodeResult;
  readonly memory: ArrayBuffer;
}

/** What was taken in since the process started. */
export interface IngestCounts {
  records: number;
  rejected: number;
  bytes: number;
}

/** How long a request waits for room in memory before it is told to come back. */
const roomWaitMs = 5000;

/** What logs are deflated to, about: a guess that costs only a wait when it is too high. */
const deflatedShare = 1 / 8;

/** The memory that the batches of a body will take, about. */
function batchBytesOf({ body, options }: DecodeJob): number {
  return options.encoding === "identity" ? body.length : body.length / deflatedShare;
}

/** From the bytes of a request to records on disk: decoded in a worker, appended here. */
export class Ingest {
  readonly #deps: IngestDeps;
  readonly counts: IngestCounts = { records: 0, rejected: 0, bytes: 0 };

  constructor(deps: IngestDeps) {
    this.#deps = deps;
  }

  /** Throws why a request should not even be read. */
  checkPressure(): void {
    const reason = this.#deps.store.pressure();
    // Memory is given back within moments, and `take` waits for it; a failed disk is not.
    if (reason !== undefined && reason.code !== "ingest.busy") throw reason;
  }

  /**
   * Resolves when everything of the request that can be stored is committed. The memory of `body` goes to the
   * worker. What was refused is said in the result; rejects when nothing is known to be stored. While a shard has no
   * owner, records for it are held as long as `isWanted`.
   */
  async take(job: DecodeJob, isWanted?: () => boolean): Promise<DecodeResult> {
    const { pool, store, arena } = this.#deps;
    await store.room(roomWaitMs, batchBytesOf(job));
    const { buffer } = job.body;
    const transfer = buffer instanceof ArrayBuffer ? [buffer] : [];
    const { result, memory } = await pool.run<Decoded>("decode", job, { lane: "ingest", transfer });
    this.#deps.memory.give(memory);
    const stored = this.#store(job, result, isWanted);
    // References were taken in that call, so slabs that are full may now be freed.
    arena.closed(result.closedSlabs);
    await stored;
    this.counts.records += result.accepted;
    this.counts.rejected += result.rejected;
    this.counts.bytes += result.bodyBytes;
    return result;
  }

  async #store(
    job: DecodeJob,
    { status, parts, digest }: DecodeResult,
    isWanted: (() => boolean) | undefined,
  ): Promise<void> {
    const { store, arena } = this.#deps;
    if (status !== "ok" || parts.length === 0) return;
    if (job.idempotencyKey === undefined) {
      await store.append(parts, isWanted);
      return;
    }
    assert(digest !== undefined, "a request with a key has a digest");
    // The parts wait for the key's own entry, and must stay where they are until then.
    for (const { offset, length } of parts) arena.retain(offset, length);
    try {
      const { tenant, idempotencyKey: key } = job;
      await appendKeyed(store, { tenant, key, digest }, parts, isWanted);
    } finally {
      for (const { offset, length } of parts) arena.release(offset, length);
    }
  }
}
