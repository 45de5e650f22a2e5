import type { ReplicaLinks } from "../../../storage/src/replication/links.ts";
import type { PeerIdentity, Peers } from "./peers.ts";

const channel = "replica";

/** Links between replicas over the connections between nodes: a node that came back with another disk is another replica. */
export class PeerReplicaLinks implements ReplicaLinks {
  readonly #peers: Peers;

  constructor(peers: Peers) {
    this.#peers = peers;
  }

  send(
    replica: string,
    message: object,
    bytes: readonly Uint8Array[],
    sent?: (() => void) | undefined,
  ): boolean {
    const node = Number(replica.slice(0, replica.indexOf("/")));
    const link = this.#peers.link(node);
    if (link === undefined || replicaAt(link.identity) !== replica) return false;
    return this.#peers.send(node, channel, { head: message, bytes }, sent);
  }

  onMessage(listener: Parameters<ReplicaLinks["onMessage"]>[0]): () => void {
    return this.#peers.onMessage(channel, (from, link, { head, bytes }, keep) => {
      // What it says is the replication's to check; that it says something is checked here.
      if (typeof head !== "object" || head === null) return;
      listener(replicaAt(from), link, head, joined(bytes), keep);
    });
  }

  onLink(listener: (replica: string, link: number | undefined) => void): () => void {
    const replicas = new Map<number, string>();
    return this.#peers.onLink((node, link) => {
      if (link !== undefined) replicas.set(node, replicaAt(link.identity));
      const replica = replicas.get(node);
      if (replica !== undefined) listener(replica, link?.id);
    });
  }

  onRoom(listener: (replica: string) => void): () => void {
    return this.#peers.onRoom((node) => {
      const link = this.#peers.link(node);
      if (link !== undefined) listener(replicaAt(link.identity));
    });
  }
}

function replicaAt({ nodeId, diskId }: PeerIdentity): string {
  return `${nodeId}/${diskId}`;
}

/** The arrays of a received message, which lie one behind the other, as one. */
function joined(bytes: readonly Uint8Array[]): Buffer {
  const [first] = bytes;
  if (first === undefined) return Buffer.alloc(0);
  const length = bytes.reduce((sum, each) => sum + each.length, 0);
  return Buffer.from(first.buffer as ArrayBuffer, first.byteOffset, length);
}
