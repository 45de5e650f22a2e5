import { readLeaseMs } from "./limits.ts";

/**
 * "Reading": an owner opens cuts only while every other member has confirmed its epoch in answer to a message sent
 * less than `readLease` ago. `confirmedMs`: when the latest message that a replica confirmed was sent.
 */
export function hasLease(
  others: Iterable<string>,
  confirmedMs: (replica: string) => number,
  nowMs: number,
): boolean {
  for (const replica of others) {
    if (confirmedMs(replica) <= nowMs - readLeaseMs) return false;
  }
  return true;
}
