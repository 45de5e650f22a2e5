import type { LogDamage } from "../log/recovered-entries.ts";
import type { StoreContext } from "../shard/context.ts";
import type { ReplicaState } from "./core/types.ts";

/** What the disk has of a shard when its replica starts. */
export function replicaStateOf(
  { epochs, log, loggedCommitted, logDamage }: StoreContext,
  shard: number,
): ReplicaState {
  const { committed, lineage, promised, sealed } = epochs.of(shard);
  const range = log.range(shard);
  // A log whose entries are all sealed may have let go of them and of where it ended.
  const base = range?.base ?? sealed ?? { epoch: 0, position: 0 };
  const entryCommitted = loggedCommitted.get(shard) ?? 0;
  const known = Math.max(committed, entryCommitted);
  const counts = ({ position }: LogDamage): boolean =>
    position > (sealed?.position ?? 0) && position <= known;
  return {
    ...{ promised, lineage, committed, base, entryCommitted },
    end: range?.end ?? base,
    entryEpochs: range?.epochSteps() ?? [],
    isDamaged: (logDamage.get(shard) ?? []).some(counts),
  };
}
