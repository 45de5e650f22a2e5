import { assert } from "../../../kit/src/assert.ts";
import type { PeerId } from "./vote.ts";

/** Who decides: which sets of peers are a quorum. Any two quorums share a peer. */
export interface Quorums {
  /** All voters, ascending. */
  readonly ids: readonly PeerId[];
  has(id: PeerId): boolean;
  /** Whether its word counts for something: nobody else is a candidate. */
  canLead(id: PeerId): boolean;
  /** Whether the voters for whom the claim holds are a quorum. */
  isQuorum(holds: (id: PeerId) => boolean): boolean;
  isEveryone(holds: (id: PeerId) => boolean): boolean;
}

/** More than half of the voters decide. */
export class Voters implements Quorums {
  readonly ids: readonly PeerId[];

  constructor(ids: readonly PeerId[]) {
    assert(ids.length > 0, "an ensemble has at least one voter");
    assert(new Set(ids).size === ids.length, "a voter is listed twice");
    this.ids = [...ids].sort((a, b) => a - b);
  }

  has(id: PeerId): boolean {
    return this.ids.includes(id);
  }

  canLead(id: PeerId): boolean {
    return this.has(id);
  }

  isQuorum(holds: (id: PeerId) => boolean): boolean {
    let count = 0;
    for (const id of this.ids) if (holds(id)) count++;
    return count * 2 > this.ids.length;
  }

  isEveryone(holds: (id: PeerId) => boolean): boolean {
    return this.ids.every(holds);
  }
}

/** A quorum of each of two. */
export class BothQuorums implements Quorums {
  readonly ids: readonly PeerId[];
  readonly #one: Quorums;
  readonly #other: Quorums;

  constructor(one: Quorums, other: Quorums) {
    this.ids = [...new Set([...one.ids, ...other.ids])].sort((a, b) => a - b);
    this.#one = one;
    this.#other = other;
  }

  has(id: PeerId): boolean {
    return this.#one.has(id) || this.#other.has(id);
  }

  canLead(id: PeerId): boolean {
    return this.#one.canLead(id) || this.#other.canLead(id);
  }

  isQuorum(holds: (id: PeerId) => boolean): boolean {
    return this.#one.isQuorum(holds) && this.#other.isQuorum(holds);
  }

  isEveryone(holds: (id: PeerId) => boolean): boolean {
    return this.ids.every(holds);
  }
}
