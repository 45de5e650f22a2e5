import { Matches } from "../engine/matches.ts";
import type { Sink } from "../plan/plan.ts";
import type { Counted, MatchSubscription } from "./match-subscription.ts";
import { type GapReading, gatherParts, partsOfGap } from "./replay.ts";
import { deliveryOf } from "./tail-matcher.ts";

/** How matches that were missed are read; `onMissing` throws where to go on would leave records out for good. */
export interface MatchReading extends GapReading {
  /** Deadline of one shard. */
  readonly timeoutMs: number;
  /** Lines of each shard. */
  readonly keep: number;
}

/**
 * Counts what a subscription has missed, in one pass over what is stored, then lets it go live. Throws a `ServiceError`
 * when it cannot be read, and what `onMissing` throws.
 */
export async function replayMatches(
  subscription: MatchSubscription,
  reading: MatchReading,
): Promise<void> {
  const { gaps, plan, tenant } = subscription;
  if (gaps.length === 0) return;
  const { source, range, timeoutMs, keep } = reading;
  const cut = await source.open(tenant, range);
  const found: Counted[] = [];
  try {
    if (cut.missing.length > 0) reading.onMissing(cut.missing);
    for (const gap of gaps) {
      const parts = partsOfGap(cut.parts, gap, source);
      if (parts.length === 0) continue;
      const sink: Sink = { kind: "matches", from: gap.from, upTo: gap.upTo, keep };
      const matches = new Matches(keep);
      await gatherParts({ plan, parts, sink, timeoutMs }, matches, reading);
      if (matches.count > 0) found.push({ ...linesOf(matches, keep), count: matches.count });
    }
  } finally {
    cut.release();
  }
  subscription.close(found);
}

function linesOf(matches: Matches, keep: number): Omit<Counted, "count"> {
  if (keep === 0) return { bytes: new Uint8Array(0), offsets: new Uint32Array(1) };
  return deliveryOf(matches.newest());
}
