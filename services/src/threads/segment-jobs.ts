import { ServiceError } from "../../../kit/src/errors.ts";
import { Deletions } from "../../../query/src/engine/deletions.ts";
import { RowSet } from "../../../query/src/filter/row-set.ts";
import { mergeSegments } from "../../../storage/src/segment/merge.ts";
import { checkSegment } from "../../../storage/src/segment/reader.ts";
import { rewriteSegment } from "../../../storage/src/segment/rewrite.ts";
import { sealSegment } from "../../../storage/src/segment/writer.ts";
import type { ArenaBuffers } from "../../../storage/src/shard/arena.ts";
import type {
  MergeJob,
  RewriteJob,
  Rewritten,
  SealJob,
  SegmentFile,
  VerifyJob,
} from "../../../storage/src/shard/segment-work.ts";

/** Writes the segment of a seal, reads it back, and says what it is. */
export function sealFile(job: SealJob, arena: ArenaBuffers): SegmentFile {
  const batches = job.batches.map(({ offset, length, position }) => ({
    bytes: new Uint8Array(arena.bytes, offset, length),
    position,
  }));
  const { bytes, rows } = sealSegment({ ...job, batches });
  checkSegment(job.path);
  return { bytes, rows };
}

/** Writes the segment that replaces several, reads it back, and says what it is. */
export function mergeFiles(job: MergeJob): SegmentFile {
  const { bytes, rows } = mergeSegments(job);
  checkSegment(job.path);
  return { bytes, rows };
}

/** Checks a copy of another node's segment. */
export function verifyFile({ path, uuid }: VerifyJob): void {
  const footer = checkSegment(path);
  if (footer.uuid === uuid) return;
  const message = "a file is not the segment that it should be";
  throw new ServiceError("storage.damaged", message, { file: path, uuid });
}

/** Writes a segment anew without what tombstones delete, reads it back, and says what it is. */
export function rewriteFile(job: RewriteJob): Rewritten {
  const deletions = new Deletions();
  const rowsRemoved = job.tombstones.map(() => 0);
  const result = rewriteSegment({
    ...job,
    keep(partition, block) {
      if (partition.internal) return undefined;
      const stay = new RowSet(block.rowCount);
      for (const [i, tombstone] of job.tombstones.entries()) {
        if (tombstone.tenant !== partition.tenant) continue;
        const found = stay.clone();
        deletions.narrow(block, found, tombstone);
        stay.subtract(found);
        rowsRemoved[i] = (rowsRemoved[i] ?? 0) + found.count;
      }
      const { count } = stay;
      return count === block.rowCount ? undefined : stay.rows();
    },
  });
  if (result.kind !== "written") return { rowsRemoved, file: undefined };
  checkSegment(job.path);
  const { bytes, rows, partitions } = result.file;
  return { rowsRemoved, file: { bytes, rows, partitions } };
}
