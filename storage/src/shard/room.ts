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

/** Waits until batches of so many bytes can be put into the arena, and has room made. Rejects with `ingest.busy` and `storage.full`. */
export async function whenRoom(
  { arena, clock, diskLimit }: StoreContext,
  maintenance: Maintenance,
  wanted: { readonly bytes: number; readonly timeoutMs: number },
): Promise<void> {
  if (diskLimit.refusal !== undefined) throw diskLimit.refusal;
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

export function busy(arenaUsedBytes: number): ServiceError {
  const message = "memory for records in flight is full";
  return new ServiceError("ingest.busy", message, { arenaUsedBytes });
}
