import type { FetchedMessage, FetchedPartition } from "./kafkajs-cluster.ts";

/** The key of what ends a transaction that is aborted; the other one ends one that is committed. */
const abortKey = Buffer.from([0, 0, 0, 0]);

/**
 * The messages at an offset or later, without those of aborted transactions and what ends transactions. Unlike
 * kafkajs' own filter it knows several transactions that began before the offset, and takes no message for an end
 * whose key looks like one.
 */
export function committedOf(
  { messages, abortedTransactions }: FetchedPartition,
  offset: number,
): readonly FetchedMessage[] {
  const begun = (abortedTransactions ?? [])
    .map(({ producerId, firstOffset }) => ({ producerId, from: Number(firstOffset) }))
    .sort((a, b) => b.from - a.from);
  const aborted = new Set<string>();
  return messages.filter((message) => {
    const at = Number(message.offset);
    while ((begun.at(-1)?.from ?? Number.POSITIVE_INFINITY) <= at) {
      aborted.add(begun.pop()?.producerId ?? "");
    }
    const { key, batchContext, isControlRecord } = message;
    const { producerId = "", inTransaction = false } = batchContext ?? {};
    if (isControlRecord === true) {
      if (key?.equals(abortKey) === true) aborted.delete(producerId);
      return false;
    }
    return at >= offset && !(inTransaction && aborted.has(producerId));
  });
}
