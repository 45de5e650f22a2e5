import { randomUUID } from "node:crypto";
import { Lifecycle } from "../../kit/src/lifecycle.ts";
import { type Logger, silentLogger } from "../../kit/src/logger.ts";
import { openPeers, type PeersOptions } from "../src/peers/open-peers.ts";
import type { PeerAddress, PeerDirectory, Peers } from "../src/peers/peers.ts";
import { until } from "./given.ts";

export const secret = Buffer.from("a secret that all nodes know");

/** The znodes of live nodes, as a list. */
export class ListDirectory implements PeerDirectory {
  #nodes: readonly PeerAddress[] = [];
  readonly #listeners = new Set<() => void>();

  current(): readonly PeerAddress[] {
    return this.#nodes;
  }

  set(nodes: readonly PeerAddress[]): void {
    this.#nodes = nodes;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Nodes on loopback that find each other through one directory. */
export class PeersRig {
  readonly directory = new ListDirectory();
  readonly #lifecycle = new Lifecycle();
  readonly warnings: object[] = [];
  readonly logger: Logger = { ...silentLogger, warn: (fields) => void this.warnings.push(fields) };

  /** A node that listens; others learn of it by `announce`. */
  async open(node: number, more: Partial<PeersOptions> = {}): Promise<Peers> {
    const self = { nodeId: node, diskId: `disk-${node}`, incarnation: randomUUID() };
    const peers = await openPeers({
      ...{ self, clusterId: "cluster-1", secret, listen: "127.0.0.1:0" },
      ...{ directory: this.directory, logger: this.logger },
      ...more,
    });
    this.#lifecycle.add(`node ${node}`, () => peers.close());
    return peers;
  }

  announce(...nodes: readonly Peers[]): void {
    this.directory.set(nodes.map(({ self, address }) => ({ ...self, peer: address })));
  }

  /** Two nodes with a link between them. */
  async pair(more: Partial<PeersOptions> = {}): Promise<[Peers, Peers]> {
    const one = await this.open(1, more);
    const two = await this.open(2, more);
    this.announce(one, two);
    await linked(one, two);
    return [one, two];
  }

  /** Of whatever else a test opens. */
  onClose(name: string, close: () => void | Promise<void>): void {
    this.#lifecycle.add(name, close);
  }

  close(): Promise<void> {
    return this.#lifecycle.close();
  }
}

export async function linked(one: Peers, two: Peers): Promise<void> {
  await until(
    () => one.link(two.self.nodeId) !== undefined && two.link(one.self.nodeId) !== undefined,
  );
}
