import { mergeSegments } from "../../../storage/src/segment/merge.ts";
import { verifySegment } from "../../../storage/src/segment/reader.ts";
import { sealSegment } from "../../../storage/src/segment/writer.ts";
import type { ArenaBuffers } from "../../../storage/src/shard/arena.ts";
import type { MergeJob, SealJob, SegmentFile } from "../../../storage/src/shard/segment-work.ts";

/** Writes the segment of a seal, reads it back, and says what it is. */
export function sealFile(job: SealJob, arena: ArenaBuffers): SegmentFile {
  const batches = job.batches.map(({ offset, length, position }) => ({
    bytes: new Uint8Array(arena.bytes, offset, length),
    position,
  }));
  const { bytes, rows } = sealSegment({ ...job, batches });
  verifySegment(job.path);
  return { bytes, rows };
}

/** Writes the segment that replaces several, reads it back, and says what it is. */
export function mergeFiles(job: MergeJob): SegmentFile {
  const { bytes, rows } = mergeSegments(job);
  verifySegment(job.path);
  return { bytes, rows };
}
