import type { SealedPart } from "../../../storage/src/shard/sealed-parts.ts";

/** Where a part of a cut of several nodes lies: at another node, in the cut that was opened there. */
export class RemoteRef {
  readonly node: number;
  readonly cut: string;
  readonly part: number;
  readonly shard: number;
  /** What other nodes may have a copy of; undefined for what is in the node's memory. */
  readonly sealed: SealedPart | undefined;
  /** Ids of plans that the node is known to have. */
  readonly plans: Set<string>;

  constructor(at: Pick<RemoteRef, "node" | "cut" | "part" | "shard" | "sealed" | "plans">) {
    this.node = at.node;
    this.cut = at.cut;
    this.part = at.part;
    this.shard = at.shard;
    this.sealed = at.sealed;
    this.plans = at.plans;
  }
}
