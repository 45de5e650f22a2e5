/** What this process acquired of a shard. */
export interface Acquisition {
  readonly epoch: number;
  /** Of `/logkeep/shards/<id>`, as last known: every change of the manifest checks it. */
  readonly version: number;
}

/** The shards that this process owns as far as it knows: written by the ownership, read by the manifest. */
export class Acquisitions {
  readonly #held = new Map<number, Acquisition>();

  get(shard: number): Acquisition | undefined {
    return this.#held.get(shard);
  }

  set(shard: number, acquisition: Acquisition): void {
    this.#held.set(shard, acquisition);
  }

  /** Says whether it was held. */
  drop(shard: number): boolean {
    return this.#held.delete(shard);
  }

  shards(): number[] {
    return [...this.#held.keys()];
  }
}
