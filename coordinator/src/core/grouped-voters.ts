import { assert } from "../../../kit/src/assert.ts";
import type { PeerId } from "./vote.ts";
import type { Quorums } from "./voters.ts";

interface Group {
  readonly ids: readonly PeerId[];
  readonly weight: number;
}

/**
 * ZooKeeper's hierarchical quorums: more than half of the weight in each of more than half of the groups. A
 * group without weight is no group. Two quorums share a group, and in it more than half of its weight each.
 */
export class GroupedVoters implements Quorums {
  readonly ids: readonly PeerId[];
  readonly #weights: ReadonlyMap<PeerId, number>;
  readonly #groups: readonly Group[];

  /** Every voter is in one group; who has no entry in `weights` weighs 1. */
  constructor(groups: readonly (readonly PeerId[])[], weights: ReadonlyMap<PeerId, number>) {
    const ids = groups.flat();
    assert(new Set(ids).size === ids.length, "a voter is in one group");
    this.ids = ids.sort((a, b) => a - b);
    this.#weights = new Map(ids.map((id) => [id, weights.get(id) ?? 1]));
    const isWhole = (weight: number) => Number.isSafeInteger(weight) && weight >= 0;
    assert([...this.#weights.values()].every(isWhole), "a weight is a whole number");
    this.#groups = groups
      .map((members) => ({ ids: members, weight: this.#weigh(members, () => true) }))
      .filter(({ weight }) => weight > 0);
    assert(this.#groups.length > 0, "somebody has weight");
  }

  has(id: PeerId): boolean {
    return this.#weights.has(id);
  }

  canLead(id: PeerId): boolean {
    return (this.#weights.get(id) ?? 0) > 0;
  }

  isQuorum(holds: (id: PeerId) => boolean): boolean {
    let count = 0;
    for (const { ids, weight } of this.#groups) {
      if (this.#weigh(ids, holds) * 2 > weight) count++;
    }
    return count * 2 > this.#groups.length;
  }

  isEveryone(holds: (id: PeerId) => boolean): boolean {
    return this.ids.every(holds);
  }

  #weigh(ids: readonly PeerId[], holds: (id: PeerId) => boolean): number {
    let sum = 0;
    for (const id of ids) if (holds(id)) sum += this.#weights.get(id) as number;
    return sum;
  }
}
