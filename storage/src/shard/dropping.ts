import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { StoreContext } from "./context.ts";
import { chooseDrops, type RetentionLimits } from "./retention.ts";
import { unlinkIfThere } from "./sealing.ts";
import type { LiveSegment } from "./segment-set.ts";
import type { Shard } from "./shard.ts";

/**
 * Drops the segment files whose time is up or for which there is no room, each shard in one commit. While the time is not
 * certain, only those for which there is no room. Rejects when the manifest is closed.
 */
export async function dropExpired(context: StoreContext, limits: RetentionLimits): Promise<void> {
  const serving = context.shards.filter(({ state }) => state.kind === "serving");
  const segments = serving.flatMap((shard) =>
    shard.segments.all.map(({ entry }) => ({ shard: shard.id, entry })),
  );
  const nowMs = context.retentionClock.nowMs() ?? 0;
  const drops = Map.groupBy(chooseDrops(segments, limits, nowMs), ({ shard }) => shard);
  for (const [id, dropped] of drops) {
    const uuids = dropped.map(({ entry }) => entry.uuid);
    const shard = context.shards[id]!;
    await shard.exclusive(() => drop(context, shard, uuids));
  }
}

async function drop(context: StoreContext, shard: Shard, uuids: readonly string[]): Promise<void> {
  // A merge may have replaced some since: its output is judged the next time.
  const live = uuids.filter((uuid) => shard.segments.find(uuid) !== undefined);
  if (live.length === 0 || shard.state.kind !== "serving") return;
  const { epoch, id } = shard;
  const outcome = await context.manifest.commitDrop({ shard: id, epoch, uuids: live });
  if (outcome.kind === "deposed") {
    return;
  }
  const segments = live.map((uuid) => shard.segments.find(uuid)!.entry);
  shard.segments.replace(new Set(live), [], context.retireDropped);
  shard.generation = outcome.generation;
  const bytes = segments.reduce((sum, entry) => sum + entry.bytes, 0);
  const rows = segments.reduce((sum, entry) => sum + entry.rows, 0);
  context.counts.drops += live.length;
  context.counts.droppedBytes += bytes;
  context.counts.droppedRows += rows;
  void context.damage.forget(new Set(live)).catch(() => undefined);
  const facts = { shard: id, segments: live.length, rows, bytes };
  context.logger.info(facts, "segments dropped by retention");
  context.onSegments({ kind: "dropped", shard: id, segments });
}

/** Puts the file of a dropped segment aside; its name tells since when. */
export function moveToTrash(trash: string, segment: LiveSegment, nowMs: number): void {
  if (segment.isLost) return;
  mkdirSync(trash, { recursive: true });
  renameSync(segment.path, join(trash, `${Math.floor(nowMs)}-${segment.entry.file}`));
}

/** Deletes what has rested in the trash for long enough. */
export function emptyTrash(trash: string, keepMs: number, nowMs: number): void {
  for (const name of readdirSync(trash)) {
    const sinceMs = Number(name.split("-", 1)[0]);
    if (!(nowMs - sinceMs < keepMs)) unlinkIfThere(join(trash, name));
  }
}
