import { assert } from "../../../kit/src/assert.ts";
import type { PeerId } from "./vote.ts";
import type { Quorums } from "./voters.ts";

/** A txn on its way: the core looks at its zxid only, the body is the host's. */
export interface Proposal<B> {
  readonly zxid: number;
  readonly body: B;
}

/**
 * What the leader has proposed and not committed, and how far each voter's log is on disk. A txn commits once it and
 * all before it are on the disks of a quorum.
 */
export class Proposals<B> {
  readonly #voters: Quorums;
  readonly #durable = new Map<PeerId, number>();
  #queue: Proposal<B>[] = [];
  #head = 0;
  #last: number;

  /** `last`: the zxid before the first proposal. */
  constructor(voters: Quorums, last: number) {
    this.#voters = voters;
    this.#last = last;
  }

  get last(): number {
    return this.#last;
  }

  get size(): number {
    return this.#queue.length - this.#head;
  }

  add(proposal: Proposal<B>): void {
    assert(proposal.zxid === this.#last + 1, "a proposal skips a zxid");
    this.#last = proposal.zxid;
    this.#queue.push(proposal);
  }

  /** A voter's log is on disk through this zxid. Returns what commits by it, in order. */
  ack(from: PeerId, zxid: number): readonly Proposal<B>[] {
    assert(zxid <= this.#last, "an ack for what was not proposed");
    if (!this.#voters.has(from) || zxid <= (this.#durable.get(from) ?? 0)) return none;
    this.#durable.set(from, zxid);
    const committed = this.#committed();
    const from0 = this.#head;
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.zxid <= committed) {
      this.#head++;
    }
    const commits = this.#queue.slice(from0, this.#head);
    if (this.#head === this.#queue.length || this.#head > 4096) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return commits;
  }

  /** The highest zxid that a quorum has on disk. */
  #committed(): number {
    const marks = [...this.#durable.values()].sort((a, b) => b - a);
    const isCommitted = (zxid: number) =>
      this.#voters.isQuorum((id) => (this.#durable.get(id) ?? 0) >= zxid);
    return marks.find(isCommitted) ?? 0;
  }
}

const none: readonly never[] = [];
