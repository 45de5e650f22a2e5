import type { PlacementNode } from "./loads.ts";

/** A node that may hold shards and is there. */
export type CandidateNode = Omit<PlacementNode, "isAway">;

interface Remembered {
  readonly node: CandidateNode;
  /** When it was missed first, by a monotonic clock in milliseconds; undefined while it is there. */
  readonly goneMs: number | undefined;
}

/**
 * Who counts in a placement: those that are there, and for the grace period those that were, so that a restart moves nothing.
 * Who was drained counts at once no more. Pure: the clock comes in.
 */
export class Candidates {
  readonly #graceMs: () => number;
  readonly #known = new Map<number, Remembered>();

  /** `graceMs`: asked at each look. */
  constructor(graceMs: () => number) {
    this.#graceMs = graceMs;
  }

  /**
   * `holders`: nodes that copies are on. One of them that is not there and was never seen counts as gone since now: what was before
   * this process looked is not known.
   */
  look(
    now: {
      readonly live: readonly CandidateNode[];
      readonly drained: ReadonlySet<number>;
      readonly holders: Iterable<number>;
    },
    nowMs: number,
  ): readonly PlacementNode[] {
    const isLive = new Map(now.live.map((node) => [node.id, node]));
    for (const id of now.holders) {
      const stranger = { id, zone: "", capacityBytes: 0 };
      if (!this.#known.has(id)) this.#known.set(id, { node: stranger, goneMs: nowMs });
    }
    for (const [id, { node, goneMs }] of this.#known) {
      if (isLive.has(id)) continue;
      if (goneMs === undefined) this.#known.set(id, { node, goneMs: nowMs });
    }
    for (const [id, node] of isLive) this.#known.set(id, { node, goneMs: undefined });
    const counted: PlacementNode[] = [];
    for (const [id, { node, goneMs }] of this.#known) {
      const isOver = goneMs !== undefined && nowMs - goneMs >= this.#graceMs();
      if (isOver || now.drained.has(id)) continue;
      counted.push(goneMs === undefined ? node : { ...node, isAway: true });
    }
    return counted;
  }

  /** When somebody's grace is over next; undefined when nobody is away. */
  nextMs(nowMs: number): number | undefined {
    let next: number | undefined;
    for (const { goneMs } of this.#known.values()) {
      if (goneMs === undefined || nowMs - goneMs >= this.#graceMs()) continue;
      next = Math.min(next ?? Number.POSITIVE_INFINITY, goneMs + this.#graceMs());
    }
    return next;
  }
}
