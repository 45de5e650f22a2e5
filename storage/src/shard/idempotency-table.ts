import { hash } from "node:crypto";
import { Generations } from "./generations.ts";
import { dedupeWindowMs, idempotencyKeysMax } from "./limits.ts";

/** What a request with an `Idempotency-Key` committed first: a repeat is processed with the same. */
export interface IdempotencyRecord {
  readonly tenant: string;
  readonly key: string;
  /** Of the body as it was sent, in hex. */
  readonly digest: string;
  readonly pipelineVersion: number;
  readonly splitVersion: number;
  /**
   * Drawn for each request; that of the first counts. It is part of its parts' keys, so that those of a later request with another body do not
   * pass for them. Releases before had none.
   */
  readonly batch?: string | undefined;
}

/** A record with where and when it was stored. */
export interface StoredIdempotency extends IdempotencyRecord {
  readonly position: number;
  readonly logMs: number;
}

/** The `Idempotency-Key`s at their home shard, for as long as `Generations` says. */
export class IdempotencyTable {
  /** Each in the order of the log. */
  readonly #generations = new Generations(() => new Map<string, StoredIdempotency>());
  readonly #keysMax: number;

  /** Beyond `keysMax` keys it `isFull`. */
  constructor(keysMax = idempotencyKeysMax) {
    this.#keysMax = keysMax;
  }

  get isFull(): boolean {
    return this.#generations.all.reduce((sum, { table }) => sum + table.size, 0) >= this.#keysMax;
  }

  find(tenant: string, key: string): StoredIdempotency | undefined {
    const name = nameOf(tenant, key);
    for (const { table } of this.#generations.all) {
      const found = table.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Forgets what is older than the window at a log time, for the sake of room. */
  expire(logMs: number): void {
    this.#generations.expire(logMs);
  }

  insert(record: StoredIdempotency): void {
    const table = this.#generations.at(record.logMs);
    const name = nameOf(record.tenant, record.key);
    // One that takes the place of another comes last in the log.
    table.delete(name);
    table.set(name, record);
  }

  snapshot(through: number): StoredIdempotency[] {
    const oldestFirst = this.#generations.all.toReversed();
    return oldestFirst.flatMap(({ table }) =>
      [...table.values()].filter(({ position }) => position <= through),
    );
  }
}

/**
 * Whether another body under the key of a record is a request of its own: the record is known for as long as somebody may repeat it, but
 * nobody else has to wait for longer than the window. `nowMs`: wall clock.
 */
export function isOver({ logMs }: StoredIdempotency, nowMs: number): boolean {
  return nowMs - logMs > dedupeWindowMs;
}

function nameOf(tenant: string, key: string): string {
  return JSON.stringify([tenant, key]);
}

/** The shard that keeps a request's `Idempotency-Key`. */
export function homeShardOf(tenant: string, key: string, shardCount: number): number {
  return hash("sha256", JSON.stringify([tenant, key]), "buffer").readUInt32LE(0) % shardCount;
}
