import type { Proposal } from "../core/proposals.ts";
import type { TxnBytes } from "../wire/txn-bytes.ts";
import type { QuorumMessage } from "./ports.ts";

type Open =
  | { readonly kind: "proposal" | "inform"; readonly proposals: Proposal<TxnBytes>[] }
  | { readonly kind: "commit" | "ack"; zxid: number }
  | QuorumMessage;

/** Of this kind, and no change of the ensemble: after that nothing is as before. */
function isPlain<K extends Open["kind"]>(
  message: Open | undefined,
  kind: K,
): message is Open & { readonly kind: K } {
  return message?.kind === kind && !("leader" in message);
}

/**
 * The messages of one read, in order, neighbours of a kind made one: Apache sends a packet a txn. A proposal that
 * follows a commit joins the proposals before it, since what is committed later is no harm.
 */
export class MessageBatch {
  #messages: Open[] = [];

  proposal(kind: "proposal" | "inform", proposal: Proposal<TxnBytes>): void {
    const last = this.#messages.at(-1);
    const before = isPlain(last, "commit") ? this.#messages.at(-2) : last;
    if (isPlain(before, kind)) (before.proposals as Proposal<TxnBytes>[]).push(proposal);
    else this.#messages.push({ kind, proposals: [proposal] });
  }

  /** All through this zxid. */
  through(kind: "commit" | "ack", zxid: number): void {
    const last = this.#messages.at(-1);
    if (isPlain(last, kind)) (last as { zxid: number }).zxid = zxid;
    else this.#messages.push({ kind, zxid });
  }

  add(message: QuorumMessage): void {
    this.#messages.push(message);
  }

  take(): readonly QuorumMessage[] {
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }
}
