import { setTimeout as sleep } from "node:timers/promises";
import type { EpochFile } from "../log/epoch-file.ts";
import type { ReplicaRecord } from "./core/types.ts";
import { roomRetryMs } from "./limits.ts";

/** Notes promise, lineage and committed position of a shard on disk; waits while that is full. Rejects with what the file system says. */
export async function noteRecord(
  epochs: EpochFile,
  shard: number,
  record: ReplicaRecord,
): Promise<void> {
  for (let write = epochs.replace(shard, record); ; write = epochs.flush()) {
    try {
      await write;
      return;
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code !== "ENOSPC" && code !== "EDQUOT") throw thrown;
      await sleep(roomRetryMs, undefined, { ref: false });
    }
  }
}
