import { ServiceError } from "../../../kit/src/errors.ts";
import type { StoreContext } from "./context.ts";
import {
  arenaFreeBytesMin,
  arenaFreeShareMin,
  arenaRequestShareMax,
  maintenanceTickMs,
  slabBytes,
} from "./limits.ts";
import type { Maintenance } from "./maintenance.ts";

/** See `Store.pressure`. */
export function pressureOf(context: StoreContext): ServiceError | undefined {
  const { arena, log } = context;
  const refusal = log.failure ?? diskRefusal(context);
  if (refusal !== undefined) return refusal;
  return arena.freeBytes < arenaFreeBytesMin ? busy(arena.usedBytes) : undefined;
}

/** Why records are refused for want of disk. Where others have all the shards, this disk takes none, however full it is. */
function diskRefusal({ diskLimit, shards }: StoreContext): ServiceError | undefined {
  return shards.every(({ state }) => state.kind === "foreign") ? undefined : diskLimit.refusal;
}

/** Waits until batches of so many bytes can be put into the arena, and has room made. Rejects with `ingest.busy` and `storage.full`. */
export async function whenRoom(
  context: StoreContext,
  maintenance: Maintenance,
  wanted: { readonly bytes: number; readonly timeoutMs: number },
): Promise<void> {
  const { arena, clock } = context;
  const refusal = diskRefusal(context);
  if (refusal !== undefined) throw refusal;
  const { bytes, timeoutMs } = wanted;
  const most = arena.totalBytes * arenaRequestShareMax;
  const least = Math.max(arenaFreeBytesMin, arena.totalBytes * arenaFreeShareMin);
  const needed = Math.min(most, Math.max(least, bytes + 2 * slabBytes));
  const untilMs = clock.monotonicMs() + timeoutMs;
  while (arena.freeBytes < needed) {
    const leftMs = untilMs - clock.monotonicMs();
    if (leftMs <= 0) throw busy(arena.usedBytes);
    maintenance.makeRoom(timeoutMs - leftMs);
    await arena.whenFreed(Math.min(leftMs, maintenanceTickMs));
  }
}

function busy(arenaUsedBytes: number): ServiceError {
  const message = "memory for records in flight is full";
  return new ServiceError("ingest.busy", message, { arenaUsedBytes });
}
