import { ServiceError } from "../../../kit/src/errors.ts";
import type { LogPoint } from "../log/entry.ts";
import type { StoreContext } from "../shard/context.ts";
import { restoreShard } from "../shard/restore.ts";
import type { Shard } from "../shard/shard.ts";
import type { SealedState } from "./core/types.ts";
import { checkpointRef, segmentRef } from "./replicated-manifest.ts";

/**
 * Brings a shard that was just acquired to what is sealed and logged up to `end`. What this process still has of it from an
 * earlier epoch stays if nobody else has sealed or written since. Throws `storage.damaged` and `storage.full`.
 */
export async function loadShard(
  context: StoreContext,
  shard: Shard,
  end: LogPoint,
): Promise<SealedState> {
  const manifest = await context.manifest.load(shard.id);
  const isKept =
    shard.epoch > 0 &&
    shard.generation === manifest.generation &&
    shard.end.position === end.position &&
    shard.end.epoch === end.epoch;
  if (!isKept) {
    const message = "the shard is taken over anew, the outcome is unknown";
    shard.forget(new ServiceError("ingest.unavailable", message, { shard: shard.id }));
    await restoreShard(context, shard, manifest);
  }
  const { checkpoint, segments, sealedThrough } = shard;
  const pathOf = (file: string): string => `${context.paths.shard(shard.id)}/${file}`;
  const files = segments.all.map(({ entry }) => segmentRef(entry));
  return {
    sealedThrough,
    segments: checkpoint === undefined ? files : [...files, checkpointRef({ pathOf }, checkpoint)],
    isHeld: segments.all.every(({ isLost }) => !isLost),
  };
}

/** A full disk or an absent coordinator pass; damage and failure do not. */
export function isPassing({ code }: ServiceError): boolean {
  return passing.has(code);
}

const passing: ReadonlySet<string> = new Set<ServiceError["code"]>([
  "storage.full",
  "coordinator.unavailable",
  "coordinator.no-quorum",
]);
