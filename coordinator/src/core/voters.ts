import { assert } from "../../../kit/src/assert.ts";
import type { PeerId } from "./vote.ts";

/** Who counts: more than half of these decide. */
export class Voters {
  readonly ids: readonly PeerId[];

  constructor(ids: readonly PeerId[]) {
    assert(ids.length > 0, "an ensemble has at least one voter");
    assert(new Set(ids).size === ids.length, "a voter is listed twice");
    this.ids = [...ids].sort((a, b) => a - b);
  }

  has(id: PeerId): boolean {
    return this.ids.includes(id);
  }

  /** Whether those for whom the claim holds are more than half. */
  isQuorum(holds: (id: PeerId) => boolean): boolean {
    let count = 0;
    for (const id of this.ids) if (holds(id)) count++;
    return count * 2 > this.ids.length;
  }

  isEveryone(holds: (id: PeerId) => boolean): boolean {
    return this.ids.every(holds);
  }
}
