import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { ServiceError } from "../../../kit/src/errors.ts";
import type {
  DropCommit,
  Manifest,
  ManifestOutcome,
  MergeCommit,
  SealCommit,
  SegmentEntry,
  ShardManifest,
} from "../shard/manifest.ts";
import type { ManifestCommit, SegmentRef } from "./core/types.ts";
import type { SealedFile } from "./held-segments.ts";

/** A change of the manifest on its way through the core. */
export type CommitDetail =
  | { readonly kind: "seal"; readonly commit: SealCommit }
  | { readonly kind: "merge"; readonly commit: MergeCommit }
  | { readonly kind: "drop"; readonly commit: DropCommit };

/** What it needs of the host of a shard's replica. */
export interface CommitHost {
  /** Name of the checkpoint as of `sealedThrough`. */
  readonly checkpoint: string | undefined;
  /** Where the shard's files lie. */
  pathOf(file: string): string;
  /** Resolves when the commit is settled; `generation` when it happened. */
  commit(commit: ManifestCommit): Promise<CommitSettled>;
}

export type CommitSettled =
  | { readonly kind: "committed"; readonly generation: number }
  | { readonly kind: "refused"; readonly epoch: number }
  | { readonly kind: "unknown" };

/** The manifest as seals, merges and drops see it: every change goes by way of the shard's core, which has all members hold the files first. */
export class ReplicatedManifest implements Manifest {
  readonly #manifest: Manifest;
  readonly #hosts: (shard: number) => CommitHost;

  constructor(manifest: Manifest, hosts: (shard: number) => CommitHost) {
    this.#manifest = manifest;
    this.#hosts = hosts;
  }

  load(shard: number): Promise<ShardManifest> {
    return this.#manifest.load(shard);
  }

  commitSeal(commit: SealCommit): Promise<ManifestOutcome> {
    const host = this.#hosts(commit.shard);
    const { checkpoint: before } = host;
    const files = [...commit.segments.map(segmentRef), checkpointRef(host, commit.checkpoint)];
    return this.#commit(host, {
      kind: "seal",
      sealedThrough: commit.sealedThrough,
      add: files,
      remove: before === undefined ? [] : [before],
      detail: { kind: "seal", commit } satisfies CommitDetail,
    });
  }

  commitMerge(commit: MergeCommit): Promise<ManifestOutcome> {
    return this.#commit(this.#hosts(commit.shard), {
      kind: "merge",
      sealedThrough: undefined,
      add: [segmentRef(commit.output)],
      remove: commit.inputs,
      detail: { kind: "merge", commit } satisfies CommitDetail,
    });
  }

  commitDrop(commit: DropCommit): Promise<ManifestOutcome> {
    return this.#commit(this.#hosts(commit.shard), {
      kind: "drop",
      sealedThrough: undefined,
      add: [],
      remove: commit.uuids,
      detail: { kind: "drop", commit } satisfies CommitDetail,
    });
  }

  async #commit(host: CommitHost, commit: Omit<ManifestCommit, "id">): Promise<ManifestOutcome> {
    const settled = await host.commit({ id: randomUUID(), ...commit });
    switch (settled.kind) {
      case "committed":
        return settled;
      case "refused":
        return { kind: "deposed", epoch: settled.epoch };
      case "unknown":
        throw new ServiceError("coordinator.unavailable", "outcome of a commit is unknown");
    }
  }
}

export function segmentRef({ uuid, file, bytes }: SegmentEntry): SegmentRef {
  return { uuid, detail: { kind: "segment", file, bytes } satisfies SealedFile };
}

/** A checkpoint is called by its name. */
export function checkpointRef(host: Pick<CommitHost, "pathOf">, file: string): SegmentRef {
  const bytes = statSync(host.pathOf(file), { throwIfNoEntry: false })?.size ?? 0;
  return { uuid: file, detail: { kind: "checkpoint", file, bytes } satisfies SealedFile };
}
