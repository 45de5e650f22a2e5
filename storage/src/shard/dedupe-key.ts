import { hash } from "node:crypto";
import { assert } from "../../../kit/src/assert.ts";

/** Bytes of a dedupe key in entries and tables. */
export const dedupeKeyBytes = 16;

/** The key of what a router sends: its incarnation (8 random bytes) and its own running number. */
export function routerKey(incarnation: Uint8Array, sequence: number): Uint8Array {
  assert(incarnation.length === 8, "an incarnation is 8 bytes");
  assert(Number.isSafeInteger(sequence) && sequence >= 0, "a sequence is a whole number");
  const key = Buffer.alloc(dedupeKeyBytes);
  key.set(incarnation);
  key.writeBigUInt64LE(BigInt(sequence), 8);
  return key;
}

/**
 * The key of part `part` (of a fixed order) of a request that carried an `Idempotency-Key`: 128 bits
 * of SHA-256, so that two requests share one by no accident or ill will.
 */
export function idempotencyPartKey(tenant: string, key: string, part: number): Uint8Array {
  const text = JSON.stringify([tenant, key, part]);
  return hash("sha256", text, "buffer").subarray(0, dedupeKeyBytes);
}

/** The key of a part as its shard knows it, of what `idempotencyPartKey` says and the request that the key counts for. */
export function batchPartKey(partKey: Uint8Array, batch: string): Uint8Array {
  const text = Buffer.concat([partKey, Buffer.from(batch)]);
  return hash("sha256", text, "buffer").subarray(0, dedupeKeyBytes);
}
