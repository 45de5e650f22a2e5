import type { Proposal } from "../../src/core/proposals.ts";

/** What a simulated txn is: who asked for it, and the how-many-th of that session it is. */
export interface Body {
  readonly id: number;
  readonly session: number;
  readonly sequence: number;
}

export type Txn = Proposal<Body>;

/** A member's tree, as far as consensus goes: what was applied, in order. */
export class State {
  readonly txns: Txn[];
  /** The zxid it is labelled with: of its last txn, or of an epoch's start. */
  zxid: number;

  constructor(txns: readonly Txn[] = [], zxid: number = txns.at(-1)?.zxid ?? 0) {
    this.txns = [...txns];
    this.zxid = zxid;
  }

  apply(txn: Txn): void {
    if (txn.zxid <= this.zxid) throw new Violation(`txn ${txn.zxid} is applied after ${this.zxid}`);
    this.txns.push(txn);
    this.zxid = txn.zxid;
  }
}

/** The simulated world saw what must not be. */
export class Violation extends Error {
  override readonly name = "Violation";
}
