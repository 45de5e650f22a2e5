import { z } from "zod";
import {
  type ErrorCode,
  type ErrorFields,
  errorCodes,
  ServiceError,
} from "../../../kit/src/errors.ts";
import type { AppendPart, AppendResult } from "../../../storage/src/shard/append.ts";
import { dedupeKeyBytes } from "../../../storage/src/shard/dedupe-key.ts";
import { slabBytes } from "../../../storage/src/shard/limits.ts";

/** What routers ask of the owners of shards. */
export const methods = {
  append: "ingest.append",
  idempotency: "ingest.idempotency",
  tombstone: "ingest.tombstone",
  ends: "ingest.ends",
} as const;

const count = z.int().nonnegative();
const name = z.string().max(255);
const moment = z.object({ ms: z.number(), ns: z.int().min(0).max(999_999) });
const position = z.bigint().nonnegative();
const key = z.custom<Uint8Array>(
  (value) => value instanceof Uint8Array && value.length === dedupeKeyBytes,
);

const sourceRange = z.object({
  source: name,
  previous: position,
  from: position,
  through: position,
});

/** All of a part but where it lies: its bytes go beside it. */
const partSchema = z.object({
  shard: count,
  length: z.int().min(1).max(slabBytes),
  bodyCrc: count,
  rows: count,
  timeMin: moment,
  timeMax: moment,
  tenant: name,
  class: name,
  internal: z.boolean(),
  dedupeKey: key,
  sourceRange: sourceRange.optional(),
});
export type RoutedPart = Omit<AppendPart, "offset" | "dedupeKey" | "sourceRange"> & {
  readonly dedupeKey: Uint8Array;
  readonly sourceRange?: AppendPart["sourceRange"] | undefined;
};

export const appendSchema = z.object({ parts: z.array(partSchema).min(1).max(4_096) });

export const idempotencySchema = z.object({
  tenant: name,
  key: z.string().max(1_024),
  digest: z.string().max(256),
  pipelineVersion: count,
  splitVersion: count,
  /** A release before says none, and strips it from what it keeps. */
  batch: z.string().max(64).optional(),
});

export const tombstoneSchema = z.object({
  shard: count,
  tombstone: z.object({
    id: name,
    tenant: name,
    filter: z.string(),
    from: moment,
    to: moment,
    createdMs: z.number(),
    author: z.string(),
    rowsHidden: z.number(),
  }),
});

export const endsSchema = z.object({ source: name, shard: count });

/** What became of one part at its owner; an error in its parts, since a class does not go over the wire. */
export type Outcome =
  | { readonly kind: "done"; readonly result: AppendResult }
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly message: string;
      readonly fields: ErrorFields;
    };

export interface AppendAnswer {
  /** One for each part, in their order. */
  readonly outcomes: readonly Outcome[];
}

export function failedOutcome({ code, message, fields }: ServiceError): Outcome {
  return { kind: "failed", code, message, fields };
}

/** A code that this version does not know is `internal`. */
export function errorOfOutcome(outcome: Extract<Outcome, { kind: "failed" }>): ServiceError {
  const { code, message, fields } = outcome;
  const isKnown = Object.hasOwn(errorCodes, code);
  return new ServiceError(isKnown ? (code as ErrorCode) : "internal", message, fields);
}
