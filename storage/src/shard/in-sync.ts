import { assert } from "../../../kit/src/assert.ts";

/** What changes the committed position of a shard. Members are `nodeId/diskId`. */
export type InSyncInput =
  /** A member has everything up to the position on disk. */
  | { readonly kind: "durable"; readonly member: string; readonly position: number }
  /** A change of the set was asked for; until it is settled either set may be the one. */
  | { readonly kind: "change-asked"; readonly members: readonly string[] }
  | { readonly kind: "change-settled"; readonly members: readonly string[] };

/**
 * The in-sync set and what it has committed: the highest position that every member has on disk, and
 * while a change is unresolved every member of the union. Pure; never goes back.
 */
export class InSync {
  #members: readonly string[];
  #asked: readonly string[] | undefined;
  readonly #durable = new Map<string, number>();
  #committed: number;

  constructor(members: readonly string[], committed: number) {
    assert(members.length > 0, "a set has a member");
    this.#members = members;
    this.#committed = committed;
  }

  get committed(): number {
    return this.#committed;
  }

  get members(): readonly string[] {
    return this.#members;
  }

  /** The committed position after the input. */
  step(input: InSyncInput): number {
    switch (input.kind) {
      case "durable":
        this.#durable.set(
          input.member,
          Math.max(input.position, this.#durable.get(input.member) ?? 0),
        );
        break;
      case "change-asked":
        assert(this.#asked === undefined, "one change of a set at a time");
        this.#asked = input.members;
        break;
      case "change-settled":
        assert(input.members.length > 0, "a set has a member");
        this.#members = input.members;
        this.#asked = undefined;
        break;
    }
    let least = Number.POSITIVE_INFINITY;
    for (const member of [...this.#members, ...(this.#asked ?? [])]) {
      least = Math.min(least, this.#durable.get(member) ?? 0);
    }
    this.#committed = Math.max(this.#committed, least);
    return this.#committed;
  }
}
