import { assert } from "../../../kit/src/assert.ts";
import type { Ensemble } from "./ensemble.ts";
import type { PeerId } from "./vote.ts";
import type { Quorums } from "./voters.ts";

/** A txn on its way: the core looks at its zxid only, the body is the host's. */
export interface Proposal<B> {
  readonly zxid: number;
  readonly body: B;
  /** What the ensemble is from this txn on; its version is this zxid. */
  readonly ensemble?: Ensemble;
}

/**
 * How far a leader has proposed and committed, and how far each log is on disk. A txn commits once it and
 * all before it are on the disks of a quorum.
 */
export class Proposals {
  readonly #durable = new Map<PeerId, number>();
  #quorums: Quorums;
  #last: number;
  #committed: number;
  /** The zxid that is asked about; a field, so that a question makes no function. */
  #asked = 0;
  readonly #isDurable = (id: PeerId) => (this.#durable.get(id) ?? 0) >= this.#asked;

  /** `last`: the zxid before the first proposal. */
  constructor(quorums: Quorums, last: number) {
    this.#quorums = quorums;
    this.#last = last;
    this.#committed = last;
  }

  get last(): number {
    return this.#last;
  }

  get committed(): number {
    return this.#committed;
  }

  /** Proposals that are not committed. */
  get size(): number {
    return this.#last - this.#committed;
  }

  /** The next zxid is proposed. */
  add(zxid: number): void {
    assert(zxid === this.#last + 1, "a proposal skips a zxid");
    this.#last = zxid;
  }

  /** A log is on disk through this zxid. Returns whether more is committed by it. */
  ack(from: PeerId, zxid: number): boolean {
    assert(zxid <= this.#last, "an ack for what was not proposed");
    if (zxid <= (this.#durable.get(from) ?? 0)) return false;
    this.#durable.set(from, zxid);
    return this.#advance();
  }

  /** Others decide from now on. Returns whether more is committed by it. */
  decideBy(quorums: Quorums): boolean {
    this.#quorums = quorums;
    return this.#advance();
  }

  /** Who of them has most on disk. */
  furthest(ids: readonly PeerId[]): PeerId | undefined {
    const has = (id: PeerId) => this.#durable.get(id) ?? 0;
    return [...ids].sort((a, b) => has(b) - has(a) || b - a)[0];
  }

  /** The log of who does not count is not remembered. */
  forget(id: PeerId): void {
    if (!this.#quorums.has(id)) this.#durable.delete(id);
  }

  /** Nothing is known of this log any more. What it had made commit is committed. */
  reset(id: PeerId): void {
    this.#durable.delete(id);
  }

  #advance(): boolean {
    const before = this.#committed;
    for (const mark of this.#durable.values()) {
      if (mark <= this.#committed) continue;
      this.#asked = mark;
      if (this.#quorums.isQuorum(this.#isDurable)) this.#committed = mark;
    }
    return this.#committed > before;
  }
}
