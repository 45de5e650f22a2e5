import { ServiceError } from "../../../kit/src/errors.ts";
import type { LogEntry } from "../log/commit-log.ts";
import type { EntryHeader } from "../log/entry.ts";
import type { EntryMeaning, HeaderFields } from "../shard/shard.ts";
import type { RefuseReason } from "./core/types.ts";

/** Why the core did not take an append. */
export interface Refusal {
  readonly reason: RefuseReason;
  /** The highest epoch known, and who is owner, if that is known. */
  readonly epoch: number;
  readonly owner: string | undefined;
}

/**
 * What this owner appends: the body that the core hands back with the entry's place. It has a header from then on; its bytes stay
 * in the arena only as long as the shard has them in memory.
 */
export class OwnEntry {
  readonly fields: HeaderFields;
  readonly body: Uint8Array;
  readonly meaning: EntryMeaning;
  header: EntryHeader | undefined;
  committed: Promise<void> | undefined;
  refusal: Refusal | undefined;

  constructor(fields: HeaderFields, body: Uint8Array, meaning: EntryMeaning) {
    this.fields = fields;
    this.body = body;
    this.meaning = meaning;
  }
}

/** What the body of an entry holds: own, or written or read as it came. */
export function loggedOf(body: unknown): LogEntry {
  if (!(body instanceof OwnEntry)) return body as LogEntry;
  if (body.header === undefined) throw new Error("an own entry is appended before it is sent");
  return { header: body.header, body: body.body };
}

/** What is wrong with a set that is too small, and what makes it enough. */
export const tooFewInSync =
  "fewer replicas are in sync than there have to be: start the nodes that are away, or send one that never comes back " +
  "away with `logkeep shard drain N`";

/** Whether it is worth to ask again soon. */
export function mayPass({ reason }: Refusal): boolean {
  return reason === "waiting" || reason === "window";
}

export function refusalError(shard: number, { reason, epoch, owner }: Refusal): ServiceError {
  const messages: Readonly<Record<RefuseReason, string>> = {
    moved: "the shard is owned by another replica",
    waiting: "the shard is being taken over",
    window: "too much of the shard is not committed yet",
    "below-min-in-sync": tooFewInSync,
    stopped: "the shard is stopped",
  };
  const fields = { shard, reason, epoch, ...(owner !== undefined && { owner }) };
  return new ServiceError("ingest.unavailable", messages[reason], fields);
}
