import type { CommitLog } from "./commit-log.ts";
import { entryBytesOf } from "./entry.ts";
import { rewriteShareMax } from "./limits.ts";

/**
 * Frees the oldest file of a log whose last entries nobody seals: writes them again at the log's end, unchanged in epoch and
 * position, and lets go of the file when they are on disk there. False: nothing was to be gained, or there is no room.
 */
export async function rewriteOldest(log: CommitLog): Promise<boolean> {
  const { oldest } = log;
  if (oldest === undefined) return false;
  const entries = [];
  let bytes = 0;
  for (const [shard, positions] of oldest.unsealed) {
    for (const position of positions) {
      const entry = log.read(shard, position);
      if (entry === undefined) return false;
      bytes += entryBytesOf(entry.header);
      if (bytes > oldest.bytes * rewriteShareMax) return false;
      entries.push(entry);
    }
  }
  const written: Promise<void>[] = [];
  for (const entry of entries) {
    const { shard, epoch, position } = entry.header;
    if (!log.fits(entry.header)) break;
    // All in one step: what is truncated meanwhile comes after them.
    if (log.epochAt(shard, position) === epoch) written.push(log.append(entry));
  }
  await Promise.all(written);
  if (written.length < entries.length) return false;
  log.rewritten(oldest.sequence);
  return true;
}
