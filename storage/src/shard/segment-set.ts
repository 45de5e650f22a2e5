import type { SegmentEntry } from "./manifest.ts";

/** A segment file that is or was live; whoever reads it holds a pin. */
export interface LiveSegment {
  readonly entry: SegmentEntry;
  readonly path: string;
  /** Ordinals of blocks that were found damaged. */
  readonly damagedBlocks: Set<number>;
  /** The file is not there or not whole: nothing of it is read. */
  isLost: boolean;
  /** No record of it matches a tombstone of the shard at or below this position. */
  deletedThrough: number;
  pins: number;
  /** What is done with the file once nothing pins it any more; undefined while it is live. */
  retire: (() => void) | undefined;
}

/** The live segments of one shard. */
export class SegmentSet {
  #segments: readonly LiveSegment[] = [];

  /** Never changed in place: a cut may hold on to it. */
  get all(): readonly LiveSegment[] {
    return this.#segments;
  }

  /** Of all live segments. */
  get bytes(): number {
    return this.#segments.reduce((sum, { entry }) => sum + entry.bytes, 0);
  }

  find(uuid: string): LiveSegment | undefined {
    return this.#segments.find(({ entry }) => entry.uuid === uuid);
  }

  /** In one step: takes some away, each to be retired once unpinned, and adds others. */
  replace(
    gone: ReadonlySet<string>,
    added: readonly LiveSegment[],
    retire: (segment: LiveSegment) => void,
  ): void {
    const leaving = this.#segments.filter(({ entry }) => gone.has(entry.uuid));
    this.#segments = [
      ...this.#segments.filter(({ entry }) => !gone.has(entry.uuid)),
      ...added,
    ].sort((a, b) => a.entry.positionFrom - b.entry.positionFrom);
    for (const segment of leaving) {
      segment.retire = () => retire(segment);
      if (segment.pins === 0) segment.retire();
    }
  }
}

export function liveSegment(entry: SegmentEntry, path: string): LiveSegment {
  return {
    entry,
    path,
    damagedBlocks: new Set(),
    isLost: false,
    deletedThrough: entry.deletedThrough ?? 0,
    pins: 0,
    retire: undefined,
  };
}

export function pin(segment: LiveSegment): void {
  segment.pins++;
}

export function unpin(segment: LiveSegment): void {
  segment.pins--;
  if (segment.pins === 0) segment.retire?.();
}
