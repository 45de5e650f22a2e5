import { ServiceError } from "../../../kit/src/errors.ts";
import type { HeaderFields, Shard } from "../shard/shard.ts";
import type { Effect } from "./core/types.ts";
import { OwnEntry, tooFewInSync } from "./own-entry.ts";

const noBody = Buffer.alloc(0);
const noTime = { ms: 0, ns: 0 };

/** What a cut came to. */
export type CutAnswer = Extract<Effect, { readonly kind: "cut-opened" | "cut-refused" }>;

const epochStartFields: HeaderFields = {
  ...{ kind: "epoch-start", bodyLength: 0, bodyCrc: 0, rows: 0 },
  ...{ timeMin: noTime, timeMax: noTime, tenant: "", class: "", internal: false },
};

/** The entry that begins an epoch. */
export function epochStart(): OwnEntry {
  return new OwnEntry(epochStartFields, noBody, {});
}

export function refusedCut(request: number): CutAnswer {
  return { kind: "cut-refused", request, reason: "not-owner", owner: undefined };
}

/** Of appends that may yet be committed by another owner. */
export function unknownOutcome({ id: shard }: Shard): ServiceError {
  const message = "the shard has another owner, the outcome is unknown";
  return new ServiceError("ingest.unavailable", message, { shard, reason: "unknown" });
}

export function belowMinInSync({ id: shard }: Shard): ServiceError {
  const message = `${tooFewInSync}; the outcome is unknown`;
  return new ServiceError("ingest.unavailable", message, { shard, reason: "below-min-in-sync" });
}
