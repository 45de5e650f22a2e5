import type { ShardFacts } from "./types.ts";

/** Whether a reading shows that this process does not own what it believes to own. */
export function isDeposed(
  facts: ShardFacts,
  own: { readonly epoch: number; readonly version: number; readonly self: string },
): boolean {
  if (facts.epoch !== own.epoch) return facts.epoch > own.epoch;
  return facts.version > own.version && facts.owner !== own.self;
}
