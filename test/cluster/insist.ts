import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "../service.ts";

/**
 * What an attempt gives. One that throws is made again for two minutes: on a starved machine sessions and leases run out, so that a
 * request is refused, or an answer partial, until others have taken over.
 */
export async function insist<T>(attempt: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + 120_000;
  for (;;) {
    try {
      return await attempt();
    } catch (thrown) {
      if (performance.now() > endMs) throw thrown;
      await sleep(200);
    }
  }
}

/** Ships records, again if need be, under one key: they are there once. */
export async function shipOnce(service: Service, records: readonly object[]): Promise<void> {
  const headers = { "Idempotency-Key": randomUUID() };
  const { accepted } = await insist(() => service.ship(records, { headers }));
  assert.equal(accepted, records.length);
}
