import type { Txn as TreeTxn } from "../../src/wire/txns.ts";
import { type Body, type State, Violation } from "./state.ts";

/**
 * What sessions and their ephemerals must be, from what was committed alone: a session ends once, and its
 * ephemerals with it; an ephemeral goes with its session or because someone deletes it.
 */
export class SessionChecker {
  readonly #live = new Set<number>();
  readonly #ended = new Set<number>();
  /** Who owns which ephemeral. */
  readonly #owners = new Map<string, number>();

  get live(): ReadonlySet<number> {
    return this.#live;
  }

  get endedCount(): number {
    return this.#ended.size;
  }

  commits({ session, txn }: Body): void {
    switch (txn.type) {
      case "createSession":
        if (this.#live.has(session) || this.#ended.has(session)) {
          throw new Violation(`session ${session} begins twice`);
        }
        this.#live.add(session);
        return;
      case "closeSession":
        this.#close(session, txn.paths ?? []);
        return;
      case "multi":
        if (txn.txns.some(({ type }) => type === "error")) return;
        for (const part of txn.txns) this.#change(session, part);
        return;
      default:
        this.#change(session, txn);
    }
  }

  /** The tree holds exactly the sessions and ephemerals that must be there. */
  matches({ tree }: State): void {
    const sessions = [...tree.sessions.entries()].map(([id]) => Number(id));
    if (!sameSet(sessions, this.#live)) throw new Violation("the tree has other sessions");
    const owned = [...tree.sessions.owners()].flatMap(([id, paths]) =>
      [...paths].map((path) => `${path} ${id}`),
    );
    const expected = new Set([...this.#owners].map(([path, session]) => `${path} ${session}`));
    if (!sameSet(owned, expected)) throw new Violation("the tree has other ephemerals");
  }

  #close(session: number, paths: readonly string[]): void {
    if (!this.#live.delete(session)) throw new Violation(`session ${session} ends twice`);
    this.#ended.add(session);
    const owned = [...this.#owners].filter(([, owner]) => owner === session);
    const expected = new Set(owned.map(([path]) => path));
    if (!sameSet(paths, expected)) {
      throw new Violation(`session ${session} ends with ${paths}, and owns ${[...expected]}`);
    }
    for (const path of expected) this.#owners.delete(path);
  }

  #change(session: number, txn: TreeTxn): void {
    if (txn.type === "error") return;
    if (!this.#live.has(session)) throw new Violation(`a write of session ${session} that is not`);
    if (txn.type === "delete") this.#owners.delete(txn.path);
    if ((txn.type === "create" || txn.type === "create2") && txn.ephemeral) {
      this.#owners.set(txn.path, session);
    }
  }
}

function sameSet<T>(one: readonly T[], other: ReadonlySet<T>): boolean {
  return one.length === other.size && one.every((each) => other.has(each));
}
