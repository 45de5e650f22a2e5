import { type ErrorNumber, errorNumbers } from "../wire/constants.ts";
import type { Sessions } from "./sessions.ts";

/** Where a session's client is connected: at the leader itself, or at the member behind this link. */
export type SessionOwner = "self" | number;

/**
 * What a leader knows of sessions beyond the tree, for as long as it leads: those whose creation or end is proposed, and
 * who speaks for each. A client that has moved to another member may have left requests under way at the one
 * before; they come too late, and even its farewell must not end what goes on elsewhere.
 */
export class LeaderSessions {
  readonly #sessions: Sessions;
  readonly #isLocal: (sessionId: bigint) => boolean;
  readonly #opening = new Set<bigint>();
  readonly #closing = new Set<bigint>();
  readonly #owners = new Map<bigint, SessionOwner>();

  /** `isLocal`: whether a session that the tree does not know may write all the same (`localSessionsEnabled`). */
  constructor(sessions: Sessions, isLocal: (sessionId: bigint) => boolean = () => false) {
    this.#sessions = sessions;
    this.#isLocal = isLocal;
  }

  /** Whether it is part of the replicated state, or will be, and is not about to end. */
  isOpen(sessionId: bigint): boolean {
    if (this.#closing.has(sessionId)) return false;
    return this.#sessions.has(sessionId) || this.#opening.has(sessionId);
  }

  /** A client has come back with its session here: from now on this owner alone speaks for it. False when it is not open. */
  revalidate(sessionId: bigint, owner: SessionOwner): boolean {
    if (!this.isOpen(sessionId)) return false;
    this.#owners.set(sessionId, owner);
    return true;
  }

  /**
   * Why a request of this session is refused; undefined when it is not. Who speaks first for a session owns it, until its
   * client comes to another with `revalidate`: also when that one's link is gone, as another before it may still bring
   * what is too late. Without an owner the server itself asks, as it does to end a session that is silent.
   */
  refusal(sessionId: bigint, owner: SessionOwner | undefined): ErrorNumber | undefined {
    if (!this.isOpen(sessionId)) {
      const isEnding = this.#closing.has(sessionId);
      return !isEnding && this.#isLocal(sessionId) ? undefined : errorNumbers.SESSIONEXPIRED;
    }
    if (owner === undefined) return undefined;
    const known = this.#owners.get(sessionId);
    if (known === undefined) this.#owners.set(sessionId, owner);
    return known === undefined || known === owner ? undefined : errorNumbers.SESSIONMOVED;
  }

  /** Its creation is proposed. */
  opening(sessionId: bigint, owner: SessionOwner | undefined): void {
    this.#opening.add(sessionId);
    if (owner !== undefined) this.#owners.set(sessionId, owner);
  }

  /** Its end is proposed. */
  closing(sessionId: bigint): void {
    this.#closing.add(sessionId);
  }

  /** Its creation is applied. */
  opened(sessionId: bigint): void {
    this.#opening.delete(sessionId);
  }

  /** Its end is applied. */
  closed(sessionId: bigint): void {
    this.#opening.delete(sessionId);
    this.#closing.delete(sessionId);
    this.#owners.delete(sessionId);
  }
}
