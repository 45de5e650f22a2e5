import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { ServiceError } from "../../../kit/src/errors.ts";
import type { EpochFile } from "../core/peer.ts";
import { epochMax, zxidEpoch } from "../core/zxid.ts";
import { fileReplace } from "./files.ts";

/** The epoch in a file of the directory, as decimal text; undefined when there is none yet. */
export function epochRead(directory: string, file: EpochFile): number | undefined {
  const path = join(directory, file);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8").trim();
  const epoch = Number(text);
  if (!/^\d{1,7}$/.test(text) || epoch > epochMax) {
    throw new ServiceError("storage.damaged", "an epoch file does not hold an epoch", { path });
  }
  return epoch;
}

/** Durable when it returns. */
export function epochWrite(directory: string, file: EpochFile, epoch: number): void {
  fileReplace(directory, file, Buffer.from(String(epoch)));
}

/**
 * Both epochs, with the files set right where they lag behind the history on disk; durable when it returns.
 *
 * `currentEpoch` is the epoch of the leader whose history this peer last had whole: a candidate's first claim. A learner
 * writes txns, then this file, then acknowledges NEWLEADER, so a crash can leave txns of an epoch, or a snapshot
 * that bears one, without it. They imply it: a leader proposes in its epoch only after a quorum had the history it
 * was elected with, and sends that before any of its own, so whoever holds one txn of an epoch holds all that
 * was committed before it. What must never happen (ZOOKEEPER-4643) is the other way round, an epoch claimed before its
 * history is on disk, and nothing here claims one that is not in the log. The file is written now, not
 * only reckoned with, because the log may be cut again, and then would no longer tell.
 *
 * `acceptedEpoch` below `currentEpoch` (ZOOKEEPER-2307, and servers that ran alone and keep neither) is raised to it: the higher
 * promise is the stricter one. It is written first, so that no crash leaves it below. A temporary file of
 * either is never looked at: what it would say, the log says.
 */
export function epochsSettle(
  directory: string,
  zxidLast: number,
): Readonly<Record<EpochFile, number>> {
  const accepted = epochRead(directory, "acceptedEpoch") ?? 0;
  const current = epochRead(directory, "currentEpoch") ?? 0;
  const currentEpoch = Math.max(current, zxidEpoch(zxidLast));
  const acceptedEpoch = Math.max(accepted, currentEpoch);
  if (acceptedEpoch > accepted) epochWrite(directory, "acceptedEpoch", acceptedEpoch);
  if (currentEpoch > current) epochWrite(directory, "currentEpoch", currentEpoch);
  return { acceptedEpoch, currentEpoch };
}
