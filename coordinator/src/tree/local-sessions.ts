import { createModes, type ErrorNumber, errorNumbers } from "../wire/constants.ts";
import type { WriteRequest } from "./prepare.ts";

/** What is to be done before a session's request is proposed. */
export type Upgrade =
  /** Nothing: the session is known to all, or need not be. */
  | { readonly kind: "none" }
  /** The session's creation is to be proposed first, with this timeout; requests of it follow right behind. */
  | { readonly kind: "upgrade"; readonly timeoutMs: number }
  | { readonly kind: "refuse"; readonly error: ErrorNumber };

const nothing: Upgrade = { kind: "none" };

/**
 * Sessions that only this member knows (`localSessionsEnabled`): they cost no txn, and watch, read and write like others. An
 * ephemeral must go with its session wherever that ends, so a session that makes one becomes known to all first
 * (`localSessionsUpgradingEnabled`), under the same id and for good. They are this member's memory: gone when it ends.
 */
export class LocalSessions {
  readonly #serverId: number;
  readonly #mayUpgrade: boolean;
  readonly #timeouts = new Map<bigint, number>();
  readonly #upgrading = new Map<bigint, number>();

  constructor({
    serverId,
    mayUpgrade,
  }: { readonly serverId: number; readonly mayUpgrade: boolean }) {
    this.#serverId = serverId;
    this.#mayUpgrade = mayUpgrade;
  }

  get size(): number {
    return this.#timeouts.size;
  }

  /** Ids with their timeouts in ms. */
  entries(): Iterable<[bigint, number]> {
    return this.#timeouts.entries();
  }

  begin(sessionId: bigint, timeoutMs: number): void {
    this.#timeouts.set(sessionId, timeoutMs);
  }

  has(sessionId: bigint): boolean {
    return this.#timeouts.has(sessionId);
  }

  /** Whether its upgrade is proposed and not applied: until then neither this table nor the tree has it. */
  isUpgrading(sessionId: bigint): boolean {
    return this.#upgrading.has(sessionId);
  }

  /** What comes before this request of this session. An upgrade is said once; its session is not local any more. */
  upgradeFor(sessionId: bigint, request: WriteRequest): Upgrade {
    const timeoutMs = this.#timeouts.get(sessionId);
    if (timeoutMs === undefined || !makesEphemeral(request)) return nothing;
    if (!this.#mayUpgrade) {
      return { kind: "refuse", error: errorNumbers.EPHEMERALONLOCALSESSION };
    }
    this.#timeouts.delete(sessionId);
    this.#upgrading.set(sessionId, timeoutMs);
    return { kind: "upgrade", timeoutMs };
  }

  /** The creation of a session that all know is applied. */
  upgraded(sessionId: bigint): void {
    this.#upgrading.delete(sessionId);
    this.#timeouts.delete(sessionId);
  }

  /** The member has lost its leader: what was under way to it may never be. Returns those sessions, which are over. */
  upgradesLost(): readonly bigint[] {
    const lost = [...this.#upgrading.keys()];
    this.#upgrading.clear();
    return lost;
  }

  /** It is closed or expired. */
  remove(sessionId: bigint): void {
    this.#timeouts.delete(sessionId);
    this.#upgrading.delete(sessionId);
  }

  /**
   * Whether the leader lets a session write that the tree does not know: a local one of its own, or one that another member
   * gave out and answers for. One of its own that is in neither table is over.
   */
  mayWrite(sessionId: bigint): boolean {
    return this.has(sessionId) || Number(BigInt.asUintN(8, sessionId >> 56n)) !== this.#serverId;
  }
}

function makesEphemeral(request: WriteRequest): boolean {
  if (request.op === "multi") {
    return request.ops.some((op) => "flags" in op && isEphemeralCreate(op.op, op.flags));
  }
  return "flags" in request && isEphemeralCreate(request.op, request.flags);
}

function isEphemeralCreate(op: string, flags: number): boolean {
  if (op !== "create" && op !== "create2") return false;
  return flags === createModes.ephemeral || flags === createModes.ephemeralSequential;
}
