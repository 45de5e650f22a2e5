import { crc32 } from "node:zlib";
import { assert } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { AppendPart, AppendResult } from "./append.ts";
import type { StoreContext } from "./context.ts";
import type { DedupeTable } from "./dedupe-table.ts";
import {
  homeShardOf,
  type IdempotencyRecord,
  type IdempotencyTable,
  isOver,
  type StoredIdempotency,
} from "./idempotency-table.ts";
import { servingWaitMs } from "./limits.ts";
import type { HeaderFields, Shard } from "./shard.ts";
import type { ShardHost } from "./shard-host.ts";
import type { Tombstone } from "./tombstone.ts";

/** `first`: this request committed it now. `repeat`: another did before, with these versions, and drew this `batch`. */
export interface IdempotencyResult
  extends Pick<IdempotencyRecord, "pipelineVersion" | "splitVersion" | "batch"> {
  readonly kind: "first" | "repeat";
}

const noTime = { ms: 0, ns: 0 };

/** Takes parts into the log of their shards, each once. */
export class Appender {
  readonly #context: StoreContext;
  #stopping: ServiceError | undefined;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Takes no more; what was taken goes on. */
  stop(): void {
    this.#stopping = new ServiceError("service.stopping", "the store is closing");
    for (const shard of this.#context.shards) shard.wake();
  }

  /** See `Store.append`. */
  async append(parts: readonly AppendPart[]): Promise<AppendResult[]> {
    const { arena } = this.#context;
    for (const { offset, length } of parts) arena.retain(offset, length);
    const results: Promise<AppendResult>[] = [];
    try {
      for (const part of parts) {
        let result = this.#take(part);
        while (result === undefined) {
          await this.#room(this.#shardOf(part));
          result = this.#take(part);
        }
        // One that fails is told of when all are done, and must not end the process before.
        result.catch(() => undefined);
        results.push(result);
      }
    } finally {
      // Those that were taken have passed their reference on.
      for (const { offset, length } of parts.slice(results.length)) arena.release(offset, length);
    }
    return Promise.all(results);
  }

  /** See `Store.commitIdempotency`. */
  async commitIdempotency(record: IdempotencyRecord): Promise<IdempotencyResult> {
    const { shards } = this.#context;
    const shard = shards[homeShardOf(record.tenant, record.key, shards.length)]!;
    const body = Buffer.from(JSON.stringify(record));
    for (;;) {
      while (!this.#isServing(shard)) await this.#room(shard);
      const known = this.#knownOf(shard, record);
      if (known !== undefined) {
        await shard.whenCommitted(known.position);
        return resultOf("repeat", known);
      }
      this.#checkKeys(shard, shard.once.idempotency);
      const fields: HeaderFields = {
        kind: "idempotency",
        bodyLength: body.length,
        bodyCrc: crc32(body),
        rows: 0,
        timeMin: noTime,
        timeMax: noTime,
        tenant: record.tenant,
        class: "",
        internal: false,
      };
      const appended = this.#hostOf(shard).append(fields, body, { idempotency: record });
      if (appended !== undefined) {
        await appended.committed;
        return resultOf("first", record);
      }
      await this.#room(shard);
    }
  }

  /** The request that this one repeats. Throws when it is another under the same key. */
  #knownOf(shard: Shard, record: IdempotencyRecord): StoredIdempotency | undefined {
    const known = shard.once.idempotency.find(record.tenant, record.key);
    if (known === undefined) return undefined;
    if (known.digest !== record.digest) {
      if (isOver(known, this.#context.clock.now())) return undefined;
      const message = "this key was used with another body";
      throw new ServiceError("ingest.idempotency-mismatch", message, { key: record.key });
    }
    if (known.batch !== undefined && record.batch === undefined) {
      // A node of a release before, which would store its parts under other keys, and twice: until it is upgraded, another has to be asked.
      const message = "the request was first sent to a node of a later release";
      throw new ServiceError("ingest.unavailable", message, { shard: shard.id });
    }
    return known;
  }

  /** Puts a tombstone into a shard's log; it hides what matches below it from the step that commits it. */
  async addTombstone(shard: Shard, tombstone: Tombstone): Promise<void> {
    const body = Buffer.from(JSON.stringify(tombstone));
    const fields: HeaderFields = {
      ...{ kind: "tombstone", bodyLength: body.length, bodyCrc: crc32(body), rows: 0 },
      ...{ timeMin: noTime, timeMax: noTime, tenant: tombstone.tenant, class: "", internal: false },
    };
    for (;;) {
      const appended = this.#isServing(shard)
        ? this.#hostOf(shard).append(fields, body, { tombstone })
        : undefined;
      if (appended !== undefined) return appended.committed;
      await this.#room(shard);
    }
  }

  /** Waits until nothing of the shard is in flight. Throws when it does not serve. */
  async settled(shard: Shard): Promise<void> {
    while (!this.#isServing(shard)) await this.#room(shard);
    await shard.drained();
  }

  /**
   * Appends a part in this very step, or finds that it is there already. Undefined: it has to wait for
   * its shard or for room in the log. Throws why it cannot be stored.
   */
  #take(part: AppendPart): Promise<AppendResult> | undefined {
    const shard = this.#shardOf(part);
    if (!this.#isServing(shard)) return undefined;
    const { dedupeKey, sourceRange } = part;
    const known = dedupeKey === undefined ? undefined : shard.once.keys.find(dedupeKey);
    if (known !== undefined) return this.#repeat(shard, part, known);
    if (dedupeKey !== undefined) this.#checkKeys(shard, shard.once.keys);
    if (sourceRange !== undefined) {
      const { sources } = shard.once;
      if (!sources.continues(sourceRange)) {
        this.#release(part);
        const held = sources.endOf(sourceRange.source);
        return Promise.resolve({ kind: "source-refused", held });
      }
      if (sources.isFull && !sources.has(sourceRange.source)) throw tooManyKeys(shard);
    }
    const body = this.#context.arena.view(part.offset, part.length);
    const appended = this.#hostOf(shard).append(fieldsOf(part), body, { batch: part });
    if (appended === undefined) return undefined;
    const { position, committed } = appended;
    const { counts } = this.#context;
    counts.parts++;
    counts.rows += part.rows;
    counts.bytes += part.length;
    return committed.then(() => ({ kind: "committed", position }));
  }

  /** Throws when no new key may come in: an old one never leaves before its time. */
  #checkKeys(shard: Shard, table: DedupeTable | IdempotencyTable): void {
    if (!table.isFull) return;
    table.expire(this.#context.clock.now());
    if (table.isFull) throw tooManyKeys(shard);
  }

  #repeat(shard: Shard, part: AppendPart, position: number): Promise<AppendResult> {
    this.#release(part);
    this.#context.counts.repeats++;
    return shard.whenCommitted(position).then(() => ({ kind: "repeat", position }));
  }

  #release({ offset, length }: AppendPart): void {
    this.#context.arena.release(offset, length);
  }

  #hostOf({ id }: Shard): ShardHost {
    return this.#context.hosts[id]!;
  }

  #shardOf({ shard }: AppendPart): Shard {
    const found = this.#context.shards[shard];
    assert(found !== undefined, "a part names a shard that there is");
    return found;
  }

  /** False while the shard is being taken over. Throws why it takes nothing. */
  #isServing(shard: Shard): boolean {
    if (this.#stopping !== undefined) throw this.#stopping;
    const { state } = shard;
    switch (state.kind) {
      case "serving":
        return true;
      case "waiting":
        return false;
      case "foreign":
        throw new ServiceError("ingest.unavailable", "the shard is owned by another replica", {
          shard: shard.id,
          owner: state.owner,
        });
      case "stopped":
        throw state.error;
    }
  }

  /** Waits for the shard to serve, or for room in the log. Throws when neither comes soon. */
  async #room(shard: Shard): Promise<void> {
    if (shard.state.kind !== "waiting") {
      await this.#context.log.room();
      return this.#hostOf(shard).room(servingWaitMs);
    }
    await shard.whenNotWaiting(servingWaitMs);
    if (shard.state.kind === "waiting") {
      const message = "the shard has no owner yet";
      throw new ServiceError("ingest.unavailable", message, { shard: shard.id });
    }
  }
}

function resultOf(kind: IdempotencyResult["kind"], record: IdempotencyRecord): IdempotencyResult {
  const { pipelineVersion, splitVersion, batch } = record;
  return { kind, pipelineVersion, splitVersion, ...(batch !== undefined && { batch }) };
}

function fieldsOf(part: AppendPart): HeaderFields {
  return {
    kind: "records",
    bodyLength: part.length,
    bodyCrc: part.bodyCrc,
    rows: part.rows,
    timeMin: part.timeMin,
    timeMax: part.timeMax,
    tenant: part.tenant,
    class: part.class,
    internal: part.internal,
    dedupeKey: part.dedupeKey,
    source: part.sourceRange,
  };
}

function tooManyKeys(shard: Shard): ServiceError {
  const message = "the shard remembers as many keys as it can";
  return new ServiceError("ingest.unavailable", message, { shard: shard.id });
}
