import type { Core } from "./core.ts";
import { fetchRetryMs } from "./limits.ts";
import { logStart } from "./lineage.ts";
import type { FollowerMessage, OwnerMessage } from "./messages.ts";
import type { LogPoint, SegmentRef } from "./types.ts";

type Hold = Extract<OwnerMessage, { readonly kind: "hold" }>;

/**
 * "Sealing": a replica holds verified copies of what its owner names, and lets go of its log only up to what it holds
 * so. Revisions are of one owner and epoch.
 */
export class FollowedSegments {
  readonly #core: Core;
  readonly #answer: (message: FollowerMessage) => void;
  /** What was asked for last, all of it together: what is asked of the host again. */
  #asked: { from: string; epoch: number; revision: number; isWhole: boolean } | undefined;
  #add: SegmentRef[] = [];
  #remove: string[] = [];
  #held = 0;
  #freed: LogPoint = logStart;
  #retryAtMs: number | undefined;

  constructor(core: Core, answer: (message: FollowerMessage) => void) {
    this.#core = core;
    this.#answer = answer;
  }

  /** Copies that could not be had are to be asked for again. */
  get isWaiting(): boolean {
    return this.#retryAtMs !== undefined;
  }

  leave(): void {
    this.#asked = undefined;
    this.#add = [];
    this.#remove = [];
    this.#held = 0;
    this.#retryAtMs = undefined;
  }

  hold(from: string, { epoch, revision, isWhole, add, remove, sentMs }: Hold): void {
    const known = this.#asked?.revision ?? 0;
    // A revision was lost on the way: the owner tells all again when it misses the answer.
    if (!isWhole && revision !== known + 1) return;
    if (revision <= this.#held) {
      this.#answer({ kind: "held", epoch, revision: this.#held, sentMs });
      return;
    }
    if (isWhole) {
      this.#add = [];
      this.#remove = [];
    }
    const isAllUnheld = isWhole || (this.#asked?.isWhole === true && this.#held < known);
    this.#asked = { from, epoch, revision, isWhole: isAllUnheld };
    const removed = new Set(remove);
    this.#add = [...this.#add.filter(({ uuid }) => !removed.has(uuid)), ...add];
    this.#remove.push(...remove);
    this.#ask();
  }

  held(revision: number): void {
    const asked = this.#asked;
    if (asked === undefined || revision > asked.revision || revision <= this.#held) return;
    this.#held = revision;
    if (revision === asked.revision) {
      this.#add = [];
      this.#remove = [];
      asked.isWhole = false;
    }
    const { epoch } = asked;
    this.#answer({ kind: "held", epoch, revision, sentMs: Number.NEGATIVE_INFINITY });
  }

  failed(revision: number): void {
    if (revision === this.#asked?.revision) this.#retryAtMs = this.#core.nowMs + fetchRetryMs;
  }

  tick(): void {
    if (this.#retryAtMs !== undefined && this.#core.nowMs >= this.#retryAtMs) this.#ask();
  }

  /** The manifest has sealed up to a point, in segments of a revision. */
  sealed(through: LogPoint, revision: number): void {
    const { log } = this.#core;
    if (through.position <= this.#freed.position || revision > this.#held) return;
    // What outlives the entries has to be on disk before they go.
    if (!log.isNoted || log.durable < through.position) return;
    this.#freed = through;
    this.#core.emit({ kind: "free", through });
  }

  #ask(): void {
    const asked = this.#asked;
    if (asked === undefined) return;
    this.#retryAtMs = undefined;
    const { from, revision, isWhole } = asked;
    const [add, remove] = [[...this.#add], [...this.#remove]];
    this.#core.emit({ kind: "hold-segments", from, revision, isWhole, add, remove });
  }
}
