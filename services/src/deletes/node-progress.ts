import type { KeptCopies } from "../../../storage/src/replication/kept-copies.ts";
import type { TombstoneStatus } from "../../../storage/src/shard/tombstone-progress.ts";
import { copiesLateMs } from "./limits.ts";

/** What some node has to say: the shards that it serves, and what is known of deletes there. */
export interface NodeProgress {
  readonly shards: readonly number[];
  readonly statuses: readonly TombstoneStatus[];
  /** Of shards that others serve. Nodes of an earlier release do not say. */
  readonly copies?: readonly KeptCopies[];
}

/** A tombstone is not done while a file that other nodes keep may be one that held a match when its owner had it. */
export function withCopies(
  status: TombstoneStatus,
  nodes: readonly NodeProgress[],
): TombstoneStatus {
  const { shard, settledForMs } = status;
  if (settledForMs === undefined) return status;
  const others = nodes.filter(({ shards }) => !shards.includes(shard));
  const copies = others.flatMap((node) => node.copies ?? []);
  const kept = copies
    .filter((each) => each.shard === undefined || each.shard === shard)
    .flatMap(({ agesMs }) => agesMs)
    .filter((ageMs) => ageMs >= settledForMs - copiesLateMs).length;
  if (kept === 0) return status;
  return { ...status, filesKept: status.filesKept + kept, isDone: false, isEnded: false };
}
