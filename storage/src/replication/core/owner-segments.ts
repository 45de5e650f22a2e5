import { holdRepeatMs } from "./limits.ts";
import type { MultiItem } from "./multi-queue.ts";
import type { Other, OwnerState } from "./owner-state.ts";
import { isDeposed } from "./owner-view.ts";
import type { ManifestCommit, MultiOp, SegmentRef, ShardFacts } from "./types.ts";

/**
 * "Sealing, merging, dropping": before a change of the manifest every member of the set, or of the union, holds
 * verified copies of the files it brings.
 */
export class OwnerSegments {
  readonly #state: OwnerState;
  readonly #commits: PendingCommit[] = [];

  constructor(state: OwnerState) {
    this.#state = state;
  }

  /** Nothing is to be committed, or was. */
  get isIdle(): boolean {
    return this.#commits.length === 0;
  }

  commit(commit: ManifestCommit): void {
    const { core, inSync, isHandingOver, isBegun } = this.#state;
    const through = commit.sealedThrough?.position ?? 0;
    const isCommitted = through <= inSync.committed || core.faults.has("sealed-above-committed");
    if (!isBegun || isHandingOver || !isCommitted) {
      core.emit({ kind: "commit-settled", id: commit.id, outcome: "refused" });
      return;
    }
    const revision = commit.add.length > 0 ? this.#tell(commit.add, []) : this.#state.revision;
    const pending = new PendingCommit(this.#state, commit, revision, (outcome) => {
      this.#settled(pending, outcome);
    });
    this.#commits.push(pending);
    this.evaluate();
  }

  /** A replica has an equal log from now on: it is told of all there is. */
  streaming(other: Other): void {
    this.#tellAll(other);
  }

  held(other: Other, revision: number): void {
    const { core } = this.#state;
    other.heldRevision = Math.max(other.heldRevision, revision);
    other.unheldSinceMs = other.heldRevision < other.toldRevision ? core.nowMs : undefined;
    this.evaluate();
  }

  evaluate(): void {
    for (const pending of this.#commits) pending.evaluate();
  }

  tick(): void {
    const { core, others, revision } = this.#state;
    for (const other of others.values()) {
      if (other.phase !== "streaming" || other.heldRevision >= revision) continue;
      if (core.nowMs >= other.toldMs + holdRepeatMs) this.#tellAll(other);
    }
    this.evaluate();
  }

  /** Deposed: what was not begun never will be; what was is known by its uuids in the manifest. */
  over(): void {
    const { core } = this.#state;
    for (const { commit, isAsked } of this.#commits.splice(0)) {
      const outcome = isAsked ? "unknown" : "refused";
      core.emit({ kind: "commit-settled", id: commit.id, outcome });
    }
  }

  #settled(pending: PendingCommit, outcome: "committed" | "refused" | "unknown"): void {
    const { core, live } = this.#state;
    const { commit, revision } = pending;
    this.#commits.splice(this.#commits.indexOf(pending), 1);
    if (outcome === "committed") {
      for (const segment of commit.add) live.set(segment.uuid, segment);
      for (const uuid of commit.remove) live.delete(uuid);
      this.#state.liveRevision = Math.max(this.#state.liveRevision, revision);
      if (commit.sealedThrough !== undefined) {
        this.#state.sealedThrough = commit.sealedThrough;
        this.#state.sealedRevision = revision;
      }
      if (commit.remove.length > 0) this.#tell([], commit.remove);
    } else if (outcome === "refused" && commit.add.length > 0) {
      this.#tell(
        [],
        commit.add.map(({ uuid }) => uuid),
      );
    }
    core.emit({ kind: "commit-settled", id: commit.id, outcome });
    if (outcome === "committed" && commit.sealedThrough !== undefined) {
      core.emit({ kind: "free", through: commit.sealedThrough });
    }
  }

  /** Tells who knows everything before; the others are told all when they come. */
  #tell(add: readonly SegmentRef[], remove: readonly string[]): number {
    const { core, epoch, others } = this.#state;
    this.#state.revision++;
    const { revision } = this.#state;
    const { nowMs } = core;
    for (const other of others.values()) {
      if (other.phase !== "streaming" || other.toldRevision !== revision - 1) continue;
      core.send(other.replica, {
        ...{ kind: "hold", epoch, revision, isWhole: false, add, remove, sentMs: nowMs },
      });
      this.#told(other);
    }
    return revision;
  }

  #tellAll(other: Other): void {
    const { core, epoch, live, revision } = this.#state;
    const add = [...live.values(), ...this.#commits.flatMap(({ commit }) => commit.add)];
    const sentMs = core.nowMs;
    core.send(other.replica, {
      ...{ kind: "hold", epoch, revision, isWhole: true, add, remove: [], sentMs },
    });
    other.heldRevision = 0;
    this.#told(other);
  }

  #told(other: Other): void {
    const { core, revision } = this.#state;
    other.toldRevision = revision;
    other.toldMs = core.nowMs;
    other.unheldSinceMs ??= core.nowMs;
  }
}

/** A change of the manifest, from its wish to its settlement. */
class PendingCommit implements MultiItem {
  readonly commit: ManifestCommit;
  /** Holding this, a replica holds the files it brings. */
  readonly revision: number;
  readonly #state: OwnerState;
  readonly #settled: (outcome: "committed" | "refused" | "unknown") => void;
  #isQueued = false;
  /** A try of it went out. */
  isAsked = false;

  constructor(
    state: OwnerState,
    commit: ManifestCommit,
    revision: number,
    settled: (outcome: "committed" | "refused" | "unknown") => void,
  ) {
    this.#state = state;
    this.commit = commit;
    this.revision = revision;
    this.#settled = settled;
  }

  get isDead(): boolean {
    return this.#state.isOver;
  }

  evaluate(): void {
    if (this.#isQueued || !this.#isHeld()) return;
    this.#isQueued = true;
    this.#state.core.multis.add(this);
  }

  write(isRepeat: boolean): { readonly op: MultiOp; readonly version: number } | undefined {
    // Who is waited for may have changed while it waited for its turn.
    if (!isRepeat && (!this.#isHeld() || this.#state.isHandingOver)) {
      this.#isQueued = false;
      return undefined;
    }
    this.isAsked = true;
    const { commit } = this;
    return { op: { kind: "manifest", commit, isRepeat }, version: this.#state.version };
  }

  done(version: number): void {
    this.#state.version = version;
    this.#settled("committed");
  }

  settle(facts: ShardFacts, isUnknown: boolean): boolean {
    const { core, epoch, version } = this.#state;
    // The owner that sees it steps down, and says what became of its commits.
    if (isDeposed(facts, { epoch, version, self: core.self })) return true;
    if (isUnknown) return false;
    this.#settled("refused");
    return true;
  }

  #isHeld(): boolean {
    for (const other of this.#state.waitedFor()) {
      if (other.heldRevision < this.revision) return false;
    }
    return true;
  }
}
