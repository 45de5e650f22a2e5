import { type Moment, momentCompare } from "../../../kit/src/time.ts";
import type { SegmentEntry, SegmentPartition } from "./manifest.ts";
import { chooseDrops, expiryOf, type RetentionLimits } from "./retention.ts";
import type { Shard } from "./shard.ts";

/** Files that go next. */
export interface NextDrop {
  /** Milliseconds since the epoch; in the past: at the next look. */
  readonly atMs: number;
  /** `age`: their time is up then. `bytes`: there is no room for them. */
  readonly reason: "age" | "bytes";
  /** Of this tenant and class in them. */
  readonly rows: number;
  readonly bytes: number;
}

/** What a tenant has of one retention class. */
export interface ClassHolding {
  readonly tenant: string;
  readonly retentionClass: string;
  readonly internal: boolean;
  readonly retentionMs: number;
  /** In segments and in memory. */
  readonly rows: number;
  /** Of segments; of a file with others, its share by records. */
  readonly bytes: number;
  readonly oldest: Moment;
  /** Undefined while everything is in memory. */
  readonly nextDrop: NextDrop | undefined;
}

export interface RetentionView {
  /** By tenant and class. */
  readonly holdings: readonly ClassHolding[];
  /** Of all live segments, and beyond what the oldest go. */
  readonly segmentBytes: number;
  readonly bytesMax: number;
}

/** What the shards that are served here hold, and when which of it goes. */
export function retentionView(
  shards: readonly Shard[],
  limits: RetentionLimits,
  nowMs: number,
): RetentionView {
  const serving = shards.filter(({ state }) => state.kind === "serving");
  const segments = serving.flatMap(({ id, segments: { all } }) =>
    all.map(({ entry }) => ({ shard: id, entry })),
  );
  const drops = new Set(chooseDrops(segments, limits, nowMs).map(({ entry }) => entry));
  const parts = new Map<string, Part[]>();
  const note = (part: Part): void => {
    const { tenant, class: name, internal } = part;
    const key = JSON.stringify([tenant, name, internal]);
    const same = parts.get(key);
    if (same === undefined) parts.set(key, [part]);
    else same.push(part);
  };
  for (const { entry } of segments) for (const part of entry.partitions) note({ ...part, entry });
  for (const { memtable } of serving) for (const batch of memtable.batches) note(batch);
  return {
    holdings: [...parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, of]) => holding(of)),
    segmentBytes: segments.reduce((sum, { entry }) => sum + entry.bytes, 0),
    bytesMax: limits.bytesMax,
  };

  function holding(of: readonly Part[]): ClassHolding {
    const { tenant, class: retentionClass, internal, timeMin } = of[0] as Part;
    return {
      ...{ tenant, retentionClass, internal },
      retentionMs: limits.retentionMs(retentionClass),
      rows: of.reduce((sum, { rows }) => sum + rows, 0),
      bytes: of.reduce((sum, part) => sum + bytesOf(part), 0),
      oldest: of.reduce((a, b) => (momentCompare(b.timeMin, a) < 0 ? b.timeMin : a), timeMin),
      nextDrop: nextDrop(of, drops, limits, nowMs),
    };
  }
}

/** What a segment or a batch in memory has of a tenant and class. */
interface Part
  extends Pick<SegmentPartition, "tenant" | "class" | "internal" | "rows" | "timeMin"> {
  readonly entry?: SegmentEntry;
}

function bytesOf({ rows, entry }: Part): number {
  return entry === undefined ? 0 : Math.ceil((entry.bytes * rows) / entry.rows);
}

/** Files whose time is up within this of the first go with it: retention looks once a minute. */
const togetherMs = 60_000;

function nextDrop(
  parts: readonly Part[],
  drops: ReadonlySet<SegmentEntry>,
  limits: RetentionLimits,
  nowMs: number,
): NextDrop | undefined {
  const dated = parts.flatMap((part) => {
    const { entry } = part;
    if (entry === undefined) return [];
    const expiryMs = expiryOf(entry, limits);
    const isForRoom = drops.has(entry) && expiryMs > nowMs;
    return [{ part, isForRoom, atMs: isForRoom ? nowMs : expiryMs }];
  });
  const first = dated.reduce<(typeof dated)[number] | undefined>((a, b) => {
    return a === undefined || b.atMs < a.atMs ? b : a;
  }, undefined);
  if (first === undefined) return undefined;
  const going = dated.filter(({ atMs }) => atMs < Math.max(first.atMs, nowMs) + togetherMs);
  return {
    atMs: first.atMs,
    reason: first.isForRoom ? "bytes" : "age",
    rows: going.reduce((sum, { part }) => sum + part.rows, 0),
    bytes: going.reduce((sum, { part }) => sum + bytesOf(part), 0),
  };
}
