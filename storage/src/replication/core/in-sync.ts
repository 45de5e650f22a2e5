import { assert } from "../../../../kit/src/assert.ts";

/** What changes the committed position of a shard. Members are `nodeId/diskId`. */
export type InSyncInput =
  /** A member, or one to be, has everything up to the position on disk. */
  | { readonly kind: "durable"; readonly member: string; readonly position: number }
  /** A replica's log was emptied: what it had counts no more. It must not be waited for. */
  | { readonly kind: "emptied"; readonly member: string }
  /** From here on this set may be the one, until a change is settled. */
  | { readonly kind: "change-asked"; readonly members: readonly string[] }
  | { readonly kind: "change-settled"; readonly members: readonly string[] };

/**
 * "The in-sync set": who is in it and what it has committed, the highest position that every member has on
 * disk, and while a change is unresolved every member of the union. Pure; never goes back.
 */
export class InSync {
  #members: readonly string[];
  #union: readonly string[];
  #isChanging = false;
  readonly #durable = new Map<string, number>();
  #committed: number;

  constructor(members: readonly string[], committed: number) {
    assert(members.length > 0, "a set has a member");
    this.#members = members;
    this.#union = members;
    this.#committed = committed;
  }

  get committed(): number {
    return this.#committed;
  }

  /** The set that the coordinator was last known to have. */
  get members(): readonly string[] {
    return this.#members;
  }

  /** Members of every set that may be the one. */
  get union(): readonly string[] {
    return this.#union;
  }

  get isChanging(): boolean {
    return this.#isChanging;
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
      case "emptied":
        assert(!this.#union.includes(input.member), "a member's log is never emptied");
        this.#durable.delete(input.member);
        break;
      case "change-asked":
        this.#isChanging = true;
        this.#union = [...new Set([...this.#union, ...input.members])];
        break;
      case "change-settled":
        assert(input.members.length > 0, "a set has a member");
        this.#members = input.members;
        this.#union = input.members;
        this.#isChanging = false;
        break;
    }
    let least = Number.POSITIVE_INFINITY;
    for (const member of this.#union) least = Math.min(least, this.#durable.get(member) ?? 0);
    this.#committed = Math.max(this.#committed, least);
    return this.#committed;
  }
}
