import type { ReplicaLinks } from "./links.ts";
import type { WireMessage } from "./wire.ts";

interface Waiting {
  readonly message: WireMessage;
  readonly bytes: readonly Uint8Array[];
  readonly sent: () => void;
}

/**
 * Messages to other replicas, in order: those that a link does not take yet wait here. How many there are is bounded by the
 * windows of the shards' cores; they go with their link.
 */
export class Outbox {
  readonly #links: ReplicaLinks;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #current = new Map<string, number>();
  readonly #stops: readonly (() => void)[];

  constructor(links: ReplicaLinks) {
    this.#links = links;
    this.#stops = [
      links.onLink((replica, link) => {
        this.#drop(replica);
        if (link === undefined) this.#current.delete(replica);
        else this.#current.set(replica, link);
      }),
      links.onRoom((replica) => this.#flush(replica)),
    ];
  }

  /** `sent`: the bytes are needed no more, whatever became of them. */
  send(
    to: { readonly replica: string; readonly link: number },
    message: WireMessage,
    bytes: readonly Uint8Array[],
    sent: () => void,
  ): void {
    const { replica, link } = to;
    if (this.#current.get(replica) !== link) {
      sent();
      return;
    }
    const waiting = this.#waiting.get(replica) ?? [];
    this.#waiting.set(replica, waiting);
    waiting.push({ message, bytes, sent });
    if (waiting.length === 1) this.#flush(replica);
  }

  close(): void {
    for (const stop of this.#stops) stop();
    for (const replica of this.#waiting.keys()) this.#drop(replica);
  }

  #flush(replica: string): void {
    const waiting = this.#waiting.get(replica) ?? [];
    let taken = 0;
    try {
      for (const { message, bytes, sent } of waiting) {
        if (!this.#links.send(replica, message, bytes, sent)) break;
        taken++;
      }
    } catch (thrown) {
      // A message that cannot be sent counts as lost: others do not wait behind it.
      waiting[taken]?.sent();
      taken++;
      throw thrown;
    } finally {
      waiting.splice(0, taken);
    }
  }

  #drop(replica: string): void {
    for (const { sent } of this.#waiting.get(replica)?.splice(0) ?? []) sent();
  }
}
