import { statSync } from "node:fs";
import { join } from "node:path";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { LogPoint } from "../log/entry.ts";
import type { LostPlace } from "../log/epoch-file.ts";
import { damageError, type LogDamage, lostAt } from "../log/recovered-entries.ts";
import type { StoreContext } from "../shard/context.ts";
import type { Manifest, ShardManifest } from "../shard/manifest.ts";
import type { ReplicaState } from "./core/types.ts";
import { isOfDisk } from "./reopening.ts";

/** A shard as this disk has it. */
export interface FoundState {
  readonly state: ReplicaState;
  /** What is wrong with it at or before the committed position. */
  readonly damage: ServiceError | undefined;
}

const nothing: LogPoint = { epoch: 0, position: 0 };

/**
 * Notes which shards may have lost their last entries: the file that shows it holds nothing of theirs, and goes when others have sealed what it
 * has. Rejects with what the file system says, but that it is full: the next start sees it again, or a later note has it.
 */
export async function noteLost({ epochs, logDamage, shards }: StoreContext): Promise<void> {
  const places = new Map<number, LostPlace>();
  for (const { id } of shards) {
    const found = logDamage.get(id)?.find(({ position }) => position === Number.POSITIVE_INFINITY);
    if (found !== undefined) places.set(id, { file: found.file, offset: found.offset });
  }
  if (places.size === 0) return;
  try {
    await epochs.lose(places);
  } catch (thrown) {
    if (isOfDisk(thrown)) throw thrown;
  }
}

/**
 * What the disk has of a shard when its replica starts. A log that let go of all its entries, since they are sealed, ends where the
 * segments do that are here; rejects when the manifest has to be asked for that and cannot be.
 */
export async function replicaStateOf(
  context: StoreContext,
  manifest: Manifest,
  shard: number,
): Promise<FoundState> {
  const { epochs, log, loggedCommitted, logDamage } = context;
  const { committed, lineage, lost, promised, sealed } = epochs.of(shard);
  const range = log.range(shard);
  const entryCommitted = loggedCommitted.get(shard) ?? 0;
  const known = Math.max(committed, entryCommitted);
  let base = range?.base ?? sealed ?? nothing;
  let end = range?.end ?? base;
  let entryEpochs = range?.epochSteps() ?? [];
  if (end.position < known) {
    const { sealedThrough } = await heldOf(context, manifest, shard);
    if (sealedThrough.position > end.position) {
      base = sealedThrough;
      end = sealedThrough;
      entryEpochs = [];
    }
  }
  const damages = [...(logDamage.get(shard) ?? []), ...(lost === undefined ? [] : [lostAt(lost)])];
  const damageBehind = (through: number): LogDamage | undefined =>
    damages.find(({ isLost, position }) => {
      return position > through && (position <= known || isLost === true);
    });
  let found = damageBehind(sealed?.position ?? 0);
  // More may be sealed than was noted.
  if (found !== undefined && Number.isFinite(found.position)) {
    found = damageBehind((await heldOf(context, manifest, shard)).sealedThrough.position);
  }
  const state = {
    ...{ promised, lineage, committed, base, end, entryEpochs, entryCommitted },
    isDamaged: found !== undefined,
  };
  if (found !== undefined) return { state, damage: damageError(found, shard) };
  if (end.position >= known) return { state, damage: undefined };
  const facts = { shard, end: end.position, committed: known };
  const message = "commit log ends below what was committed";
  return { state, damage: new ServiceError("storage.damaged", message, facts) };
}

/** The same of a log that has been in use since, while nothing of the shard is on its way to it. */
export function replicaStateNow(
  context: StoreContext,
  manifest: Manifest,
  shard: number,
): Promise<FoundState> {
  const { log } = context;
  const end = log.range(shard)?.end;
  const last = end && log.read(shard, end.position);
  const loggedCommitted = new Map([[shard, last?.header.committed ?? 0]]);
  return replicaStateOf({ ...context, loggedCommitted }, manifest, shard);
}

/** The sealed state, if copies of all of it are here. */
async function heldOf(
  { paths }: StoreContext,
  manifest: Manifest,
  shard: number,
): Promise<Pick<ShardManifest, "sealedThrough">> {
  const { checkpoint, sealedThrough, segments } = await manifest.load(shard);
  const sizeOf = (file: string): number | undefined =>
    statSync(join(paths.shard(shard), file), { throwIfNoEntry: false })?.size;
  const isHeld =
    segments.every(({ file, bytes }) => sizeOf(file) === bytes) &&
    (checkpoint === undefined || sizeOf(checkpoint) !== undefined);
  return isHeld ? { sealedThrough } : { sealedThrough: nothing };
}
