import type { Tree } from "../tree/tree.ts";
import { expiriesPerStepMax, expiringLooksPerStep } from "./limits.ts";

export interface ExpirySettings {
  /** Between two looks at a container or TTL znode, ms. */
  readonly containerCheckMs: number;
  /** Deletions in a minute. */
  readonly containersPerMinute: number;
  /** A container that never had a child goes after this long, ms; 0: never. */
  readonly containerUnusedMs: number;
}

/**
 * Finds containers that lost their last child and TTL znodes that nobody changed for their time. A
 * round over all of them begins each `containerCheckMs` and is spread over steps, so that no turn is long.
 */
export class ExpiringZnodes<W extends object> {
  readonly #tree: Tree<W>;
  readonly #settings: ExpirySettings;
  #round: Iterator<{ readonly id: number; readonly ttlMs: number | undefined }> | undefined;
  #roundFromMs: number;
  /** Deletions that the rate allows now; a fraction is carried on. */
  #allowed = 0;
  #lastMs: number;

  constructor(tree: Tree<W>, settings: ExpirySettings, nowMs: number) {
    this.#tree = tree;
    this.#settings = settings;
    this.#roundFromMs = nowMs;
    this.#lastMs = nowMs;
  }

  /** Paths to delete now. Who asks proposes it; the preparer looks again at what is under way. */
  due(nowMs: number): readonly string[] {
    this.#allowMore(nowMs);
    if (this.#round === undefined) {
      if (nowMs - this.#roundFromMs < this.#settings.containerCheckMs) return [];
      this.#roundFromMs = nowMs;
      this.#round = this.#tree.znodes.expiring()[Symbol.iterator]();
    }
    const paths: string[] = [];
    for (let looks = 0; looks < expiringLooksPerStep && this.#allowed >= 1; looks++) {
      const next = this.#round.next();
      if (next.done === true) {
        this.#round = undefined;
        break;
      }
      const { id, ttlMs } = next.value;
      if (!this.#isDue(id, ttlMs, nowMs)) continue;
      paths.push(this.#tree.znodes.path(id));
      this.#allowed--;
    }
    return paths;
  }

  #allowMore(nowMs: number): void {
    // A clock that was set back gives nothing; one that was set ahead no more than one step may do.
    const passed = Math.max(0, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    const more = (passed * this.#settings.containersPerMinute) / 60_000;
    this.#allowed = Math.min(expiriesPerStepMax, this.#allowed + more);
  }

  #isDue(id: number, ttlMs: number | undefined, nowMs: number): boolean {
    const { znodes } = this.#tree;
    if (znodes.childCount(id) > 0) return false;
    const age = nowMs - znodes.mtime(id);
    if (ttlMs !== undefined) return ttlMs > 0 && age > ttlMs;
    // A new container waits for its first child.
    if (znodes.creates(id) > 0) return true;
    const { containerUnusedMs } = this.#settings;
    return containerUnusedMs > 0 && age > containerUnusedMs;
  }
}
