import { setTimeout as sleep } from "node:timers/promises";
import type { ManifestCommit, MultiOutcome } from "./core/types.ts";
import { unknownRetryMs } from "./limits.ts";
import type { CommitDetail, CommitSettled } from "./replicated-manifest.ts";

/** Changes of the manifest between those who asked for them and the core that says when they are made. */
export class CommitDesk {
  readonly #commitManifest: (detail: CommitDetail) => Promise<CommitSettled>;
  readonly #askers = new Map<string, (settled: CommitSettled) => void>();
  /** What the manifest said of those that the core has not settled yet. */
  readonly #made = new Map<string, CommitSettled>();

  constructor(commitManifest: (detail: CommitDetail) => Promise<CommitSettled>) {
    this.#commitManifest = commitManifest;
  }

  ask({ id }: ManifestCommit): Promise<CommitSettled> {
    return new Promise((resolve) => {
      this.#askers.set(id, resolve);
    });
  }

  /** Its turn has come, and all members hold the files. The manifest reads back by itself what a lost connection leaves open. */
  async make({ id, detail }: ManifestCommit, version: number): Promise<MultiOutcome> {
    const settled = await this.#commitManifest(detail as CommitDetail);
    if (settled.kind === "unknown") {
      // The manifest is closed: who asked need not wait for what the core may find out.
      this.settled(id, "unknown", 0);
      await sleep(unknownRetryMs, undefined, { ref: false });
      return settled;
    }
    this.#made.set(id, settled);
    return settled.kind === "committed" ? { kind: "done", version } : { kind: settled.kind };
  }

  settled(id: string, outcome: CommitSettled["kind"], epoch: number): void {
    const made = this.#made.get(id);
    const asker = this.#askers.get(id);
    this.#made.delete(id);
    this.#askers.delete(id);
    // The manifest's word counts, also where the core had to leave it open.
    if (made !== undefined && made.kind !== "unknown") asker?.(made);
    else asker?.(outcome === "refused" ? { kind: "refused", epoch } : { kind: "unknown" });
  }

  /** Nothing more will be known. */
  close(): void {
    for (const asker of this.#askers.values()) asker({ kind: "unknown" });
    this.#askers.clear();
  }
}
