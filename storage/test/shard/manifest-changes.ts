import type {
  DropCommit,
  MergeCommit,
  SealCommit,
  SegmentEntry,
  ShardManifest,
} from "../../src/shard/manifest.ts";

export const emptyManifest: ShardManifest = {
  generation: 0,
  sealedThrough: { epoch: 0, position: 0 },
  checkpoint: undefined,
  segments: [],
};

export function afterSeal(
  old: ShardManifest,
  { sealedThrough, checkpoint, segments }: SealCommit,
): ShardManifest {
  return after(old, { sealedThrough, checkpoint, segments: [...old.segments, ...segments] });
}

export function afterMerge(old: ShardManifest, { inputs, output }: MergeCommit): ShardManifest {
  return after(old, { segments: [...without(old.segments, inputs), output] });
}

export function afterDrop(old: ShardManifest, { uuids }: DropCommit): ShardManifest {
  return after(old, { segments: without(old.segments, uuids) });
}

function after(old: ShardManifest, changed: Partial<ShardManifest>): ShardManifest {
  return { ...old, ...changed, generation: old.generation + 1 };
}

function without(segments: readonly SegmentEntry[], uuids: readonly string[]): SegmentEntry[] {
  const left = segments.filter(({ uuid }) => !uuids.includes(uuid));
  if (left.length + uuids.length !== segments.length) throw new Error("a segment is not live");
  return left;
}
