import { messageOf } from "../../../kit/src/errors.ts";
import type { StoreContext } from "./context.ts";
import type { Shard } from "./shard.ts";

/** Spares the next start a question; without it, as on a full disk, it knows of an earlier position. False: not done. */
export async function noteCommitted(
  { epochs, logger }: StoreContext,
  shards: readonly Shard[],
): Promise<boolean> {
  const committed = shards.map((shard) => [shard.id, shard.committed.position] as const);
  try {
    await epochs.commit(new Map(committed));
    return true;
  } catch (thrown) {
    logger.warn({ reason: messageOf(thrown) }, "committed positions could not be noted");
    return false;
  }
}
