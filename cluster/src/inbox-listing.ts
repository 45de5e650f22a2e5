import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { childPath } from "../../coordinator/src/client/paths.ts";
import { inboxBodyOf } from "./inbox-body.ts";
import type { InboxRecord } from "./inbox-sink.ts";
import { inboxBatchBytesMax, inboxBatchRecordsMax, inboxStatsInFlight } from "./limits.ts";

/** A record that waits, before its data is read. */
export interface Waiting {
  readonly name: string;
  readonly czxid: bigint;
  readonly bytes: number;
}

export interface InboxListing {
  /** By czxid and then by name. */
  readonly waiting: readonly Waiting[];
  /** Names of znodes that their sender closed to us: not even their czxid can be seen. */
  readonly closed: readonly string[];
}

/**
 * Everything that waits in an inbox. The list is complete up to its last czxid: whatever is seen later
 * was created later and has a higher one.
 */
export async function listInbox(
  client: ZooKeeperClient,
  path: string,
  signal: AbortSignal,
  watch: () => void,
): Promise<InboxListing> {
  const { children } = await client.getChildren(path, { signal, watch });
  const waiting: Waiting[] = [];
  const closed: string[] = [];
  const look = async (name: string): Promise<void> => {
    try {
      const stat = await client.exists(childPath(path, name));
      // An ephemeral may have gone with its session.
      if (stat !== null) waiting.push({ name, czxid: stat.czxid, bytes: stat.dataLength });
    } catch (thrown) {
      if (!isZooKeeperError(thrown, "NOAUTH")) throw thrown;
      closed.push(name);
    }
  };
  for (let at = 0; at < children.length; at += inboxStatsInFlight) {
    signal.throwIfAborted();
    await Promise.all(children.slice(at, at + inboxStatsInFlight).map(look));
  }
  return { waiting: waiting.sort(compare), closed };
}

function compare(a: Waiting, b: Waiting): number {
  if (a.czxid !== b.czxid) return a.czxid < b.czxid ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** The number of records at `from` that make the next batch; those of one czxid stay together. */
export function batchLength(waiting: readonly Waiting[], from: number): number {
  let bytes = 0;
  let end = from;
  while (end < waiting.length) {
    const next = waiting[end] as Waiting;
    const isTogether = end > from && next.czxid === (waiting[end - 1] as Waiting).czxid;
    const isFull = end - from >= inboxBatchRecordsMax || bytes + next.bytes > inboxBatchBytesMax;
    if (end > from && isFull && !isTogether) break;
    bytes += next.bytes;
    end++;
  }
  return end - from;
}

/** Reads the records of a batch, without what has gone meanwhile. */
export async function readBatch(
  client: ZooKeeperClient,
  path: string,
  batch: readonly Waiting[],
): Promise<readonly InboxRecord[]> {
  const records = await Promise.all(
    batch.map(async ({ name, czxid }): Promise<InboxRecord | undefined> => {
      try {
        const { data, stat } = await client.getData(childPath(path, name));
        return { name, czxid, createdMs: Number(stat.ctime), body: inboxBodyOf(data) };
      } catch (thrown) {
        // One whose ACL was changed since it was listed is met again in the next list.
        if (isZooKeeperError(thrown, "NONODE", "NOAUTH")) return undefined;
        throw thrown;
      }
    }),
  );
  return records.filter((record) => record !== undefined);
}
