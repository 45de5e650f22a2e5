import { Preparer, type WriteRequest } from "../src/tree/prepare.ts";
import { type Outcome, Tree } from "../src/tree/tree.ts";
import { errorNameOf, perms } from "../src/wire/constants.ts";
import type { Acl, Id } from "../src/wire/records.ts";
import type { Txn, TxnDigest } from "../src/wire/txns.ts";

export const open: readonly Acl[] = [{ perms: perms.all, id: { scheme: "world", id: "anyone" } }];

/** A txn as a log holds it. */
export interface Logged {
  readonly sessionId: bigint;
  readonly zxid: number;
  readonly timeMs: number;
  readonly txn: Txn;
  readonly digest: TxnDigest | undefined;
}

/** A tree with its preparer, as a server of one has it, with the delay between proposal and apply in the test's hand. */
export class TreeHarness {
  readonly tree = Tree.fresh<object>();
  readonly preparer = new Preparer(this.tree);
  readonly log: Logged[] = [];
  #applied = 0;
  #zxid = 2 ** 32;

  constructor(...sessions: readonly bigint[]) {
    for (const sessionId of sessions) {
      this.propose({ op: "createSession", timeoutMs: 4000 }, sessionId);
    }
    this.applyAll();
  }

  propose(request: WriteRequest, sessionId = 1n, ids: readonly Id[] = []): Txn {
    const zxid = ++this.#zxid;
    const timeMs = 1_000_000 + this.log.length;
    const { txn, digest } = this.preparer.prepare(request, { sessionId, ids }, { zxid, timeMs });
    this.log.push({ sessionId, zxid, timeMs, txn, digest });
    return txn;
  }

  applyNext(): Outcome | undefined {
    const next = this.log[this.#applied];
    if (next === undefined) return undefined;
    this.#applied++;
    const outcome = this.tree.apply(next, next.txn, next.digest);
    this.preparer.applied(next.zxid, next.txn, next.sessionId);
    return outcome;
  }

  applyAll(): void {
    while (this.applyNext() !== undefined);
  }

  /** Proposes and applies; the error's name, or OK. */
  run(request: WriteRequest, sessionId = 1n, ids: readonly Id[] = []): string {
    this.applyAll();
    this.propose(request, sessionId, ids);
    return errorNameOf(this.applyNext()!.error) ?? "?";
  }

  create(path: string, flags = 0, sessionId = 1n): string {
    return this.run({ op: "create", path, data: Buffer.from("x"), acl: open, flags }, sessionId);
  }
}
