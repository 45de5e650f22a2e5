import type { Moment } from "../../../kit/src/time.ts";

/**
 * What an inbox or a queue partition stores through this part: everything of the source in
 * (`previous`, `through`] that belongs to this shard. Refused unless `previous` is what the shard
 * holds as the source's end. Numbers are czxids or offsets as unsigned 64-bit values.
 */
export interface SourceRange {
  /** The inbox's uuid and tenant, or cluster, topic and partition: any text up to 255 bytes. */
  readonly source: string;
  /** The end that this shard holds, or 0n before the first. */
  readonly previous: bigint;
  readonly from: bigint;
  readonly through: bigint;
}

/** A batch to store: it lies in the arena, and the store retains it there. */
export interface AppendPart {
  readonly shard: number;
  /** Where its bytes lie in the arena. */
  readonly offset: number;
  readonly length: number;
  /** CRC-32 (zlib) of the bytes, computed where they were made. */
  readonly bodyCrc: number;
  readonly rows: number;
  readonly timeMin: Moment;
  readonly timeMax: Moment;
  readonly tenant: string;
  /** Retention class; up to 255 bytes, as the tenant. */
  readonly class: string;
  readonly internal: boolean;
  /** 16 bytes, made by `routerKey` or `idempotencyPartKey`; a part with a known key is not stored again. */
  readonly dedupeKey?: Uint8Array;
  readonly sourceRange?: SourceRange;
}

/**
 * `committed`: on disk and searchable. `repeat`: a part with this key was committed before, at that
 * position, and nothing was stored now.
 */
export type AppendResult =
  | { readonly kind: "committed"; readonly position: number }
  | { readonly kind: "repeat"; readonly position: number }
  | { readonly kind: "source-refused"; readonly held: bigint };
