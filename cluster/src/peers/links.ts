import type { NodeIdentity } from "../node.ts";
import { refused } from "./handshake.ts";
import type { Link } from "./link.ts";
import type { PeerDirectory, PeerIdentity } from "./peers.ts";

/** What decides between two connections to one node. */
interface Candidate {
  readonly identity: PeerIdentity;
  readonly isDialled: boolean;
}

/** The links there are, one a node. */
export class Links {
  readonly #self: NodeIdentity;
  readonly #directory: PeerDirectory;
  readonly #byNode = new Map<number, Link>();

  constructor(self: NodeIdentity, directory: PeerDirectory) {
    this.#self = self;
    this.#directory = directory;
  }

  get(node: number): Link | undefined {
    return this.#byNode.get(node);
  }

  all(): readonly Link[] {
    return [...this.#byNode.values()];
  }

  set(link: Link): void {
    this.#byNode.set(link.identity.nodeId, link);
  }

  /** Whether it was there: a link that was replaced is gone already. */
  delete(link: Link): boolean {
    const { nodeId } = link.identity;
    return this.#byNode.get(nodeId) === link && this.#byNode.delete(nodeId);
  }

  /**
   * Returns the link that gives way. Throws `peer.refused` where the candidate does: both nodes may dial at once, and both then keep the
   * connection of the one with the smaller number. Of two by the same node the later is kept, since its dialler has given up the first.
   */
  admit({ identity, isDialled }: Candidate): Link | undefined {
    const other = this.#byNode.get(identity.nodeId);
    if (other === undefined) return undefined;
    if (other.identity.incarnation !== identity.incarnation) {
      // Two processes say that they are this node: the one that the znodes name is.
      const live = new Set(this.#directory.current().map(({ incarnation }) => incarnation));
      if (live.has(other.identity.incarnation) && !live.has(identity.incarnation)) {
        throw refused("node", "another process is this node", { node: identity.nodeId });
      }
      return other;
    }
    const isOurs = (dialled: boolean): boolean => dialled === this.#self.nodeId < identity.nodeId;
    if (isOurs(other.isDialled) && !isOurs(isDialled)) {
      throw refused("duplicate", "there is a connection already", { node: identity.nodeId });
    }
    return other;
  }
}
