import { assert } from "../../../kit/src/assert.ts";

const counters = 2 ** 32;

/** The last txn of an epoch: the next would be the first of another. */
export const zxidCounterMax = 2 ** 32 - 2;

/** Exact integers end at 2^53, so an epoch ends at 2^21: two million elections. */
export const epochMax = 2 ** 21 - 1;

/** A transaction id as a number: the epoch in the high 32 bits, the counter in the low 32. */
export function zxidOf(epoch: number, counter: number): number {
  assert(epoch >= 0 && epoch <= epochMax, "an epoch is out of range");
  return epoch * counters + counter;
}

export function zxidEpoch(zxid: number): number {
  return Math.floor(zxid / counters);
}

export function zxidCounter(zxid: number): number {
  return zxid % counters;
}

/** As logs and answers show it. */
export function zxidText(zxid: number): string {
  return `0x${zxid.toString(16)}`;
}
