import type { LinkId } from "../../src/core/messages.ts";
import { LiveSessions } from "../../src/server/sessions-live.ts";
import type { SessionOwner } from "../../src/tree/leader-sessions.ts";
import { Preparer, type WriteRequest } from "../../src/tree/prepare.ts";
import { errorNumbers } from "../../src/wire/constants.ts";
import type { Txn as TreeTxn } from "../../src/wire/txns.ts";
import { type Body, type State, type Txn, Violation } from "./state.ts";
import { type Timeline, tickMs } from "./timeline.ts";

/** What a client asks for, on its way to the leader. */
export interface Request {
  readonly id: number;
  readonly session: number;
  readonly sequence: number | undefined;
  readonly op: WriteRequest;
}

/** Requests of the leader's own clients come over no link. */
export const ownLink: LinkId = 0;

/**
 * What a host keeps while it leads: what is proposed and not applied, who was heard of when, and at which
 * member each session is.
 */
export class Leadership {
  readonly #timeline: Timeline;
  /** How long a tick of this host is, against what it should be. */
  readonly #tickRate: number;
  readonly #preparer: Preparer<object>;
  readonly #live: LiveSessions;
  readonly #timeouts = new Map<number, number>();
  readonly #heardAt = new Map<number, number>();

  /** Every session has its whole timeout from now. */
  constructor(timeline: Timeline, state: State, tickRate: number) {
    this.#timeline = timeline;
    this.#tickRate = tickRate;
    this.#preparer = new Preparer<object>(state.tree);
    this.#live = new LiveSessions(tickMs);
    for (const [id, timeoutMs] of state.tree.sessions.entries()) this.#track(Number(id), timeoutMs);
  }

  /** `link`: whom the request came through. */
  prepare(request: Request, link: LinkId | undefined, zxid: number): Body {
    const { id, session, sequence, op } = request;
    const timeMs = this.#timeline.now;
    const isOwned = sequence !== undefined && link !== undefined;
    const owner = isOwned ? ownerOf(link) : undefined;
    const caller = { sessionId: BigInt(session), ids: [], owner };
    const { txn, digest } = this.#preparer.prepare(op, caller, { zxid, timeMs });
    // What came too late has no place in the order any more.
    const place = isRefused(txn) ? undefined : sequence;
    return { id, session, sequence: place, timeMs, txn, digest };
  }

  /** A request that changes nothing in the tree. */
  nothing(id: number): Body {
    const txn = { type: "error", error: errorNumbers.UNIMPLEMENTED } as const;
    const timeMs = this.#timeline.now;
    return { id, session: 0, sequence: undefined, timeMs, txn, digest: undefined };
  }

  applied({ zxid, body: { session, txn } }: Txn): void {
    this.#preparer.applied(zxid, txn, BigInt(session));
    if (txn.type === "createSession") this.#track(session, txn.timeoutMs);
    if (txn.type !== "closeSession") return;
    this.#live.remove(BigInt(session));
  }

  hear(session: number): void {
    this.#live.hear(BigInt(session));
    this.#heardAt.set(session, this.#timeline.now);
  }

  /** A client comes back with its session, to the member at the other end of the link. */
  revalidate(session: number, link: LinkId): boolean {
    if (!this.#preparer.sessions.revalidate(BigInt(session), ownerOf(link))) return false;
    this.hear(session);
    return true;
  }

  /** A tick on: the sessions that are to be closed. */
  advance(): readonly number[] {
    return this.#live.advance().map((id) => {
      const session = Number(id);
      const silentMs = this.#timeline.now - (this.#heardAt.get(session) ?? 0);
      const timeoutMs = (this.#timeouts.get(session) ?? 0) * this.#tickRate;
      if (silentMs < timeoutMs) {
        throw new Violation(`session ${session} is expired after ${silentMs} of ${timeoutMs} ms`);
      }
      return session;
    });
  }

  #track(session: number, timeoutMs: number): void {
    this.#live.track(BigInt(session), timeoutMs);
    this.#timeouts.set(session, timeoutMs);
    this.#heardAt.set(session, this.#timeline.now);
  }
}

function ownerOf(link: LinkId): SessionOwner {
  return link === ownLink ? "self" : link;
}

function isRefused(txn: TreeTxn): boolean {
  const [first] = txn.type === "multi" ? txn.txns : [txn];
  const { SESSIONMOVED, SESSIONEXPIRED } = errorNumbers;
  return first?.type === "error" && [SESSIONMOVED, SESSIONEXPIRED].includes(first.error as never);
}
