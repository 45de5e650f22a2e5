import type { Proposal } from "../../src/core/proposals.ts";
import { TreeImage } from "../../src/tree/image.ts";
import { treeRestore } from "../../src/tree/restore.ts";
import { type Outcome, Tree } from "../../src/tree/tree.ts";
import type { Txn as TreeTxn, TxnDigest } from "../../src/wire/txns.ts";
import type { Seat } from "./seat.ts";

/** What a simulated txn is: who asked for it, and what it does to the tree. */
export interface Body {
  readonly id: number;
  readonly session: number;
  /** The how-many-th of its session's requests; undefined when the leader itself asks. */
  readonly sequence: number | undefined;
  readonly timeMs: number;
  readonly txn: TreeTxn;
  readonly digest: TxnDigest | undefined;
}

export type Txn = Proposal<Body>;

/** A state at rest, on a disk or on its way to a learner. */
export interface Image {
  readonly zxid: number;
  readonly txns: readonly Txn[];
  /** As in a snapshot's file; undefined where the txns are all there is. */
  readonly bytes: Buffer | undefined;
}

export const emptyImage: Image = { zxid: 0, txns: [], bytes: undefined };

/** What a member has applied: the tree, and the txns that made it. */
export class State {
  readonly txns: Txn[];
  readonly tree: Tree<Seat>;
  /** The zxid it is labelled with: of its last txn, or of an epoch's start. */
  zxid: number;

  private constructor(txns: Txn[], tree: Tree<Seat>, zxid: number) {
    this.txns = txns;
    this.tree = tree;
    this.zxid = zxid;
  }

  static of({ txns, zxid, bytes }: Image): State {
    if (bytes !== undefined) return new State([...txns], treeRestore<Seat>(bytes, zxid), zxid);
    const state = new State([], Tree.fresh(), 0);
    for (const txn of txns) state.apply(txn);
    state.zxid = zxid;
    return state;
  }

  /** All of it, as it is now. */
  image(zxid = this.zxid): Image {
    const bytes = new TreeImage(this.tree).next(this.tree.znodes.idEnd);
    return { zxid, txns: [...this.txns], bytes };
  }

  apply(txn: Txn): Outcome {
    const { zxid, body } = txn;
    if (zxid <= this.zxid) throw new Violation(`txn ${zxid} is applied after ${this.zxid}`);
    this.txns.push(txn);
    this.zxid = zxid;
    const context = { sessionId: BigInt(body.session), zxid, timeMs: body.timeMs };
    const outcome = this.tree.apply(context, body.txn, body.digest);
    // The proposer foresaw another tree: its own and this one differ.
    if (this.tree.digests.mismatches > 0) throw new Violation(`the digest differs at ${zxid}`);
    return outcome;
  }
}

/** The simulated world saw what must not be. */
export class Violation extends Error {
  override readonly name = "Violation";
}
