import type { Peers } from "../../cluster/src/peers/peers.ts";
import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";

/** Links are made anew in less, so that nobody is said to be silent who only just came. */
const quietMs = 2_000;

/**
 * Since when this node has not heard others: sessions say who is there only while the coordinator has a leader, and until they expire.
 */
export class Hearing implements Closable {
  readonly #self: number;
  readonly #nowMs: () => number;
  readonly #stops: readonly (() => void)[];
  readonly #linked = new Set<number>();
  /** By node, since when there has been no link to it. */
  readonly #silent = new Map<number, number>();
  /** Since when the coordinator has not answered. */
  #suspended: number | undefined;

  constructor(
    peers: Pick<Peers, "onLink" | "self">,
    client: Pick<ZooKeeperClient, "onSession" | "isConnected">,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#self = peers.self.nodeId;
    this.#nowMs = nowMs;
    if (!client.isConnected) this.#suspended = nowMs();
    this.#stops = [
      peers.onLink((node, link) => {
        if (link === undefined) {
          this.#linked.delete(node);
          this.#silent.set(node, nowMs());
        } else {
          this.#linked.add(node);
          this.#silent.delete(node);
        }
      }),
      client.onSession(({ kind }) => {
        if (kind === "connected") this.#suspended = undefined;
        else if (kind === "suspended") this.#suspended ??= nowMs();
      }),
    ];
  }

  /** For how long the node has not been heard, in milliseconds; undefined while it is. */
  silentMs(node: number): number | undefined {
    if (node === this.#self || this.#linked.has(node)) return undefined;
    const now = this.#nowMs();
    const since = this.#silent.get(node);
    // One that was never heard is counted from when it was first asked about.
    if (since === undefined) this.#silent.set(node, now);
    const ms = now - (since ?? now);
    return ms < quietMs ? undefined : ms;
  }

  /** For how long the coordinator has not answered, in milliseconds: so old is what is known of nodes and shards. Undefined while it does. */
  get unansweredMs(): number | undefined {
    return this.#suspended === undefined ? undefined : this.#nowMs() - this.#suspended;
  }

  /** Nodes of `nodes` of which neither they nor the coordinator say that they are there. */
  away(nodes: Iterable<number>): ReadonlySet<number> {
    if (this.#suspended === undefined) return new Set();
    return new Set([...nodes].filter((node) => this.silentMs(node) !== undefined));
  }

  close(): Promise<void> {
    for (const stop of this.#stops) stop();
    return Promise.resolve();
  }
}
