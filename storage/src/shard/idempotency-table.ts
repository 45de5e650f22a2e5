import { hash } from "node:crypto";
import { dedupeWindowMs, idempotencyKeysMax } from "./limits.ts";

/** What a request with an `Idempotency-Key` committed first: a repeat is processed with the same. */
export interface IdempotencyRecord {
  readonly tenant: string;
  readonly key: string;
  /** Of the body as it was sent, in hex. */
  readonly digest: string;
  readonly pipelineVersion: number;
  readonly splitVersion: number;
}

/** A record with where and when it was stored. */
export interface StoredIdempotency extends IdempotencyRecord {
  readonly position: number;
  readonly logMs: number;
}

/** The `Idempotency-Key`s at their home shard, for ten minutes of log time. */
export class IdempotencyTable {
  /** In the order of the log, so the oldest come first. */
  readonly #records = new Map<string, StoredIdempotency>();

  get isFull(): boolean {
    return this.#records.size >= idempotencyKeysMax;
  }

  find(tenant: string, key: string): StoredIdempotency | undefined {
    return this.#records.get(JSON.stringify([tenant, key]));
  }

  /** Forgets what is older than the window at a log time. */
  expire(nowMs: number): void {
    for (const [name, { logMs }] of this.#records) {
      if (logMs >= nowMs - dedupeWindowMs) break;
      this.#records.delete(name);
    }
  }

  insert(record: StoredIdempotency): void {
    this.expire(record.logMs);
    this.#records.set(JSON.stringify([record.tenant, record.key]), record);
  }

  snapshot(through: number): StoredIdempotency[] {
    return [...this.#records.values()].filter(({ position }) => position <= through);
  }
}

/** The shard that keeps a request's `Idempotency-Key`. */
export function homeShardOf(tenant: string, key: string, shardCount: number): number {
  return hash("sha256", JSON.stringify([tenant, key]), "buffer").readUInt32LE(0) % shardCount;
}
