/** An inbox: another ensemble starts its zxids anew, and its inboxes have other uuids. */
export interface InboxId {
  readonly uuid: string;
  readonly tenant: string;
}

/** A znode that somebody created in an inbox. */
export interface InboxRecord {
  /** Orders the records of an inbox; those of one multi share it and are never torn apart. */
  readonly czxid: bigint;
  /** Of the znode. */
  readonly name: string;
  /** When the coordinator took it: its receipt, in milliseconds since the epoch. */
  readonly createdMs: number;
  readonly body: InboxBody;
}

/** `object`: the bytes are a JSON object, one record. `text`: they are UTF-8, its `_msg`. `rejected`: they are no record. */
export type InboxBody =
  | { readonly kind: "object" | "text"; readonly bytes: Buffer }
  | { readonly kind: "rejected"; readonly bytes: Buffer | undefined; readonly reason: string };

export interface InboxBatch {
  readonly inbox: InboxId;
  /** What source ranges call this inbox. */
  readonly source: string;
  /** Every record of the inbox with a czxid above that of the batch before and at most `through`, by czxid. */
  readonly records: readonly InboxRecord[];
  readonly through: bigint;
  /** Up to where each shard has stored this inbox; 0n where a shard is not named. */
  readonly ends: ReadonlyMap<number, bigint>;
}

/**
 * Where a drainer puts records: filled in by the services, with ingest and storage. For exactly once, the shard of a record
 * must follow from the record alone.
 */
export interface InboxSink {
  /** Up to where each shard has stored `inboxSource`; rejects when one cannot be asked. */
  lastStored(source: string): Promise<ReadonlyMap<number, bigint>>;
  /**
   * Stores the batch: at each shard that it has records for, one part with the source range (`ends` of the shard,
   * `through`], leaving out records at or below the shard's end. What cannot be stored as a record goes to
   * the tenant's `_rejected` stream, in the same part. Resolves when every part is committed, with the ends
   * that have changed. Rejects when one was refused or its outcome is unknown: the drainer asks `lastStored` and
   * comes again with what is left.
   */
  store(batch: InboxBatch): Promise<ReadonlyMap<number, bigint>>;
  /**
   * Notes in `_rejected` that znodes could not be read for their ACL; their content, czxid and time are
   * unknown. May be asked again about the same ones after a crash.
   */
  reject(inbox: InboxId, names: readonly string[], reason: string): Promise<void>;
}

/** The name of an inbox in source ranges. */
export function inboxSource({ uuid, tenant }: InboxId): string {
  return `inbox/${uuid}/${tenant}`;
}
