import { randomBytes } from "node:crypto";
import { assert } from "../../../kit/src/assert.ts";
import type { AppendPart, AppendResult } from "../../../storage/src/shard/append.ts";
import { batchPartKey } from "../../../storage/src/shard/dedupe-key.ts";
import type { IdempotencyRecord } from "../../../storage/src/shard/idempotency-table.ts";
import type { Writes } from "./writes.ts";

/** A request's `Idempotency-Key`, and the digest of its body. */
export type KeyedRequest = Pick<IdempotencyRecord, "tenant" | "key" | "digest">;

/** Versions that a request with a key is processed with: there are no pipelines or split streams yet. */
const versions = { pipelineVersion: 0, splitVersion: 0 } as const;

/** By which a batch is told from others of its key: as many as a UUID has. */
const batchBytes = 16;

/**
 * Stores the parts of a request with an `Idempotency-Key`, each once however often the request is sent. Rejects with
 * `ingest.idempotency-mismatch` when its key was used with another body within the window; after it, this body is a batch of its own, of which
 * no part passes for one of the batch before, however long its shard remembers that. Else as `Writes.append`.
 */
export async function appendKeyed(
  writes: Pick<Writes, "append" | "commitIdempotency">,
  request: KeyedRequest,
  parts: readonly AppendPart[],
  isWanted?: () => boolean,
): Promise<AppendResult[]> {
  const drawn = randomBytes(batchBytes).toString("base64url");
  const record: IdempotencyRecord = { ...request, ...versions, batch: drawn };
  // None: a node of a release before has the key, or had it first.
  const { batch } = await writes.commitIdempotency(record, isWanted);
  return writes.append(
    batch === undefined ? parts : parts.map((part) => of(part, batch)),
    isWanted,
  );
}

function of(part: AppendPart, batch: string): AppendPart {
  const { dedupeKey } = part;
  assert(dedupeKey !== undefined, "a part of a request with a key has one, too");
  return { ...part, dedupeKey: batchPartKey(dedupeKey, batch) };
}
