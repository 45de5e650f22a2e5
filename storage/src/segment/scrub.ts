import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { BlockCache } from "./block-cache.ts";
import { openSegment } from "./reader.ts";

/** What is read of a segment file in one turn. */
export interface ScrubJob {
  readonly path: string;
  readonly uuid: string;
  /** Ordinal of the first block. */
  readonly from: number;
  /** Blocks are read until they have so many bytes; at least one is. */
  readonly bytesMax: number;
}

export interface Scrubbed {
  readonly bytes: number;
  /** Ordinal of the next block; undefined: there is none. */
  readonly next: number | undefined;
  readonly damaged: readonly {
    /** Ordinal; undefined: the file as such. */
    readonly block: number | undefined;
    readonly reason: string;
  }[];
}

/** Headers of blocks are all that is kept, of one at a time. */
const cacheBytes = 1024 * 1024;

/**
 * Reads blocks of a segment as they lie in the file and compares their checksums; decodes nothing. Damage is what it gives, other
 * failures are thrown.
 */
export function scrubSegment({ path, uuid, from, bytesMax }: ScrubJob): Scrubbed {
  let bytes = 0;
  let next: number | undefined;
  const damaged: Scrubbed["damaged"][number][] = [];
  const whole = damageIn(undefined, () => {
    const segment = openSegment(path, new BlockCache(cacheBytes));
    try {
      if (segment.footer.uuid !== uuid) {
        throw new ServiceError("storage.damaged", "a file is not the segment that it should be");
      }
      for (const block of segment.blocks()) {
        if (block.ordinal < from) continue;
        if (bytes >= bytesMax) {
          next = block.ordinal;
          break;
        }
        bytes += block.meta.byteLength;
        const found = damageIn(block.ordinal, () => block.check());
        if (found !== undefined) damaged.push(found);
      }
    } finally {
      segment.close();
    }
  });
  return whole === undefined
    ? { bytes, next, damaged }
    : { bytes, next: undefined, damaged: [whole] };
}

function damageIn(
  block: number | undefined,
  read: () => void,
): Scrubbed["damaged"][number] | undefined {
  try {
    read();
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof ServiceError) || thrown.code !== "storage.damaged") throw thrown;
    return { block, reason: messageOf(thrown) };
  }
}
