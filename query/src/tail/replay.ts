import { randomUUID } from "node:crypto";
import { Deadline } from "../engine/deadline.ts";
import type { FragmentPool } from "../engine/pool.ts";
import { createReplay } from "../engine/sink.ts";
import { WorkInFlight } from "../engine/work.ts";
import { memoryBytesDefault, tailReplayRows, timeoutMsDefault } from "../limits.ts";
import type { PlanMessage, Sink } from "../plan/plan.ts";
import type { Part, Source, TimeRange } from "../source.ts";
import type { View } from "../table/view.ts";
import type { TailGap, TailSubscription } from "./subscription.ts";
import { deliveryOf } from "./tail-matcher.ts";
import type { TailPlan } from "./tail-plan.ts";

/** What a replay asks of storage beside a cut. */
export interface TailSource extends Source {
  /** The shard that a part's records are of. */
  shardOf(part: Part): number;
  /** No record of the part has a higher position. */
  positionThroughOf(part: Part): number;
}

/** How a replay reads. */
export interface GapReading {
  readonly source: TailSource;
  readonly pool: FragmentPool;
  /** All of time: records that arrived late are replayed too. */
  readonly range: TimeRange;
  readonly signal: AbortSignal;
  /** Told what could not be replayed: shards without an owner, damaged blocks. */
  readonly onMissing: (missing: readonly string[]) => void;
}

export interface ReplayOptions extends GapReading {
  /** Resolves when the subscription has room again; asked between turns. */
  readonly room: () => Promise<void>;
}

/**
 * Brings a subscription from its resume id to where live records take over, then lets it go live. The cut is opened after the
 * subscription was made, so it holds every position to be replayed. Throws a `ServiceError` when it cannot be
 * read; the subscription is of no use then.
 */
export async function replayTail(
  subscription: TailSubscription,
  options: ReplayOptions,
): Promise<void> {
  if (subscription.gaps.length > 0) {
    const cut = await options.source.open(subscription.tenant, options.range);
    if (cut.missing.length > 0) options.onMissing(cut.missing);
    try {
      for (const gap of subscription.gaps) {
        const parts = partsOfGap(cut.parts, gap, options.source);
        await replayGap(subscription, gap, parts, options);
      }
    } finally {
      cut.release();
    }
  }
  subscription.goLive();
}

/** The parts of a cut in which there may be records of a gap. */
export function partsOfGap(
  parts: readonly Part[],
  { shard, from }: TailGap,
  source: TailSource,
): Part[] {
  return parts.filter(
    (part) =>
      !part.internal && source.shardOf(part) === shard && source.positionThroughOf(part) >= from,
  );
}

/** Turn by turn: the first records from a position on, then the next. */
async function replayGap(
  subscription: TailSubscription,
  gap: TailGap,
  parts: readonly Part[],
  options: ReplayOptions,
): Promise<void> {
  let { from, skipRows } = gap;
  for (;;) {
    if (!subscription.hasRoom) await options.room();
    const wanted = tailReplayRows + skipRows;
    const sink: Sink = { kind: "replay", from, upTo: gap.upTo, wanted };
    const view = await oldestRows(subscription, parts, sink, options);
    const chunk = deliveryOf(view, Math.min(skipRows, view.rowCount));
    const isLast = view.rowCount < wanted;
    const lastPosition = chunk.positions.at(-1);
    if (isLast || lastPosition === undefined) {
      subscription.replay(gap, chunk, { position: from, skipped: skipRows, through: gap.upTo });
      return;
    }
    subscription.replay(gap, chunk, {
      position: from,
      skipped: skipRows,
      through: lastPosition - 1,
    });
    const ofLast = chunk.positions.reduce((n, each) => n + (each === lastPosition ? 1 : 0), 0);
    skipRows = lastPosition === from ? skipRows + ofLast : ofLast;
    from = lastPosition;
  }
}

async function oldestRows(
  { plan }: TailSubscription,
  parts: readonly Part[],
  sink: Extract<Sink, { readonly kind: "replay" }>,
  options: ReplayOptions,
): Promise<View> {
  const gather = createReplay(sink.wanted);
  await gatherParts({ plan, parts, sink, timeoutMs: timeoutMsDefault }, gather, options);
  return gather.finish().view;
}

/** What all parts of a gap are asked. */
export interface GapQuestion {
  readonly plan: TailPlan;
  readonly parts: readonly Part[];
  readonly sink: Sink;
  readonly timeoutMs: number;
}

/** Asks the parts and merges what they answer. Throws a `ServiceError`. */
export async function gatherParts(
  { plan, parts, sink, timeoutMs }: GapQuestion,
  gather: { merge(partial: unknown): void },
  { pool, range, signal, onMissing }: GapReading,
): Promise<void> {
  const deadline = new Deadline(timeoutMs, signal);
  const message: PlanMessage = {
    id: randomUUID(),
    filter: plan.filter,
    pipes: plan.pipes,
    range,
    sink,
    memoryBytesMax: memoryBytesDefault,
    cancelled: deadline.cancelled,
  };
  const work = new WorkInFlight(pool, message, deadline);
  try {
    let next = 0;
    while (next < parts.length || work.count > 0) {
      while (work.hasRoom && next < parts.length) {
        work.start({ part: parts[next++] as Part, after: undefined, floorMs: undefined });
      }
      const { answer, damaged } = (await work.next()).message;
      if (damaged.length > 0) onMissing(damaged);
      if (answer.kind === "gather") gather.merge(answer.partial);
    }
  } finally {
    deadline.close();
    await work.settled();
  }
}
