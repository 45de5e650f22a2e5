/** Offsets that a broker has of a partition: the earliest, and the one after the latest. */
export interface OffsetRange {
  readonly low: number;
  readonly high: number;
}

/** What is known of a partition before it is read. Offsets are of the next message to read or store. */
export interface PartitionKnown {
  /** Up to here every message is stored; undefined: the partition was never read. */
  readonly resume: number | undefined;
  /** Up to here some shard has stored messages; 0 when none has. */
  readonly held: number;
  /** Whether a partition that was never read begins at its earliest message, or at those to come. */
  readonly from: "earliest" | "latest";
}

/** `read`: from `at` on, `lost` messages were deleted before they were read. `stop`: it cannot be read on. */
export type Start =
  | { readonly kind: "read"; readonly at: number; readonly lost: number }
  | { readonly kind: "stop"; readonly reason: string };

/**
 * Where to read on. A partition that ends before what was stored of it is another one of the same name, or has lost
 * messages: nothing tells which of its messages are stored, so it is not read.
 */
export function startOf(known: PartitionKnown, range: OffsetRange): Start {
  const { resume, held, from } = known;
  const stored = Math.max(resume ?? 0, held);
  if (stored > range.high) return { kind: "stop", reason: shrunk(stored, range.high) };
  if (resume !== undefined) return continueAt(resume, range);
  // What shards hold of it was read from somewhere: those messages are skipped where they are stored.
  const isNew = held === 0;
  return { kind: "read", at: isNew && from === "latest" ? range.high : range.low, lost: 0 };
}

/** Where to read on when the broker has nothing at `next`. */
export function continueAt(next: number, { low, high }: OffsetRange): Start {
  if (next > high) return { kind: "stop", reason: shrunk(next, high) };
  return { kind: "read", at: Math.max(next, low), lost: Math.max(0, low - next) };
}

function shrunk(stored: number, high: number): string {
  return (
    `messages up to offset ${stored - 1} are stored, but the partition ends before ${high}: ` +
    "its topic was made anew, or it has lost messages"
  );
}

/** Of one record of a fetch, what the next offset is derived from. */
export interface OffsetOfRecord {
  readonly offset: string;
  readonly batchContext?: { readonly firstOffset: string; readonly lastOffsetDelta: number };
}

/** The offset to fetch after these records, which were fetched at `next`; `next` itself when there are none. */
export function offsetAfter(next: number, records: readonly OffsetOfRecord[]): number {
  const last = records.at(-1);
  if (last === undefined) return next;
  const { offset, batchContext } = last;
  // Compaction leaves batches whose last records are gone: the batch says where the next one begins.
  const batchEnd =
    batchContext === undefined
      ? 0
      : Number(batchContext.firstOffset) + batchContext.lastOffsetDelta + 1;
  return Math.max(next, Number(offset) + 1, batchEnd);
}
