import type { Socket } from "node:net";
import { parseAddress, printAddress } from "../../../config/src/address.ts";
import { assert } from "../../../kit/src/assert.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { NodeIdentity } from "../node.ts";
import { Seldom } from "../seldom.ts";
import type { Handler } from "./answering.ts";
import { unavailable } from "./asking.ts";
import { Dialler } from "./dialler.ts";
import { type Greeted, greetAsDialler, greetAsListener } from "./greet.ts";
import { type Greeting, refused, type VersionRange, versionsSpoken } from "./handshake.ts";
import { guestMs, guestsMax, secretBytesMin } from "./limits.ts";
import { Link, type LinkEvents } from "./link.ts";
import { Links } from "./links.ts";
import type { NamedMessage } from "./message.ts";
import type {
  CallHandler,
  HandleOptions,
  Keep,
  PeerAddress,
  PeerDirectory,
  PeerIdentity,
  PeerLink,
  PeerMessage,
  Peers,
  StreamHandler,
} from "./peers.ts";
import { ReceiveMemory } from "./receive-memory.ts";
import { dial, type Listener, listen, type Wire } from "./transport.ts";
import type { CertificateSource } from "./wire-tls.ts";

export interface PeersOptions {
  readonly self: NodeIdentity;
  readonly clusterId: string;
  /** Known to all nodes of the cluster and to nobody else; at least `secretBytesMin` bytes. */
  readonly secret: Uint8Array;
  /** For TLS with other machines, instead of keys drawn from the secret. */
  readonly certificates?: CertificateSource | undefined;
  /** `host:port`; port 0 asks for a free one. */
  readonly listen: string;
  readonly directory: PeerDirectory;
  readonly logger: Logger;
  /** Of the protocol; what this release speaks unless told. */
  readonly versions?: VersionRange;
  /** Treats nodes on this machine as if they were on others: with TLS, and large frames packed. Not so by default. */
  readonly remoteAlways?: boolean;
}

type MessageListener = Parameters<Peers["onMessage"]>[1];
type LinkListener = Parameters<Peers["onLink"]>[0];

/**
 * Listens for the other nodes of the cluster and dials them. Rejects with `config.invalid` when the address cannot be bound, or the secret
 * protects nothing.
 */
export async function openPeers(options: PeersOptions): Promise<Peers> {
  if (options.secret.length < secretBytesMin) {
    const facts = { bytesMin: secretBytesMin };
    throw new ServiceError("config.invalid", "the cluster's secret is too short", facts);
  }
  const peers = new OpenPeers(options);
  await peers.listen();
  return peers;
}

class OpenPeers implements Peers, LinkEvents {
  readonly self: NodeIdentity;
  readonly #options: PeersOptions;
  readonly #greeting: Greeting;
  readonly #links: Links;
  readonly #guests = new Map<Link, NodeJS.Timeout>();
  readonly #dialler: Dialler;
  readonly #handlers = new Map<string, Handler>();
  readonly #listeners = new Map<string, Set<MessageListener>>();
  readonly #linkListeners = new Set<LinkListener>();
  readonly #roomListeners = new Set<(node: number) => void>();
  readonly #seldom = new Seldom();
  readonly #memory = new ReceiveMemory();
  readonly #greeted = new Set<Socket>();
  readonly #stopListening: () => void;
  #listener: Listener | undefined;
  #lastLink = 0;
  readonly #closing = new AbortController();

  constructor(options: PeersOptions) {
    const { self, clusterId, secret, directory, logger, versions = versionsSpoken } = options;
    this.self = self;
    this.#options = options;
    this.#greeting = { self, cluster: clusterId, versions, secret };
    this.#links = new Links(self, directory);
    this.#stopListening = directory.onChange(() => this.#dropReplaced());
    this.#dialler = new Dialler({
      self,
      directory,
      isLinked: (node) => this.#links.get(node) !== undefined,
      connect: (to) => this.#connect(to),
      onFailed: ({ nodeId, peer }, thrown, isNew) => {
        const facts = { peer: nodeId, address: peer, reason: reasonOf(thrown) };
        // Both dialled, and the other's connection was the one to keep.
        const isInVain = (thrown as Partial<ServiceError>).fields?.["why"] === "duplicate";
        logger[isNew && !isInVain ? "warn" : "debug"](facts, "no connection to a peer");
      },
    });
  }

  async listen(): Promise<void> {
    const { listen: at, logger } = this.#options;
    this.#listener = await listen(parseAddress(at), this.#options, {
      onWire: (wire) => void this.#accept(wire),
      onDropped: (reason, remote) => {
        logger.warn({ remote, reason }, "a connection to the port for peers was dropped");
      },
    });
    this.#dialler.look();
  }

  get address(): string {
    assert(this.#listener !== undefined, "peers listen once they are open");
    return printAddress(this.#listener.address);
  }

  handle(method: string, handler: CallHandler, { guests = false }: HandleOptions = {}): void {
    assert(!this.#handlers.has(method), "a method has one handler");
    this.#handlers.set(method, { kind: "call", handler, guests });
  }

  handleStream(
    method: string,
    handler: StreamHandler,
    { guests = false }: HandleOptions = {},
  ): void {
    assert(!this.#handlers.has(method), "a method has one handler");
    this.#handlers.set(method, { kind: "stream", handler, guests });
  }

  async call(...[node, ...args]: Parameters<Peers["call"]>): Promise<PeerMessage> {
    const link = this.#links.get(node);
    if (link !== undefined) return link.call(...args);
    const [, , { sent }] = args;
    sent?.();
    throw unavailable("there is no connection to the node", false);
  }

  async *stream(...[node, ...args]: Parameters<Peers["stream"]>): AsyncGenerator<PeerMessage> {
    const link = this.#links.get(node);
    if (link === undefined) throw unavailable("there is no connection to the node", false);
    yield* link.stream(...args);
  }

  send(node: number, channel: string, message: PeerMessage, sent?: () => void): boolean {
    return this.#links.get(node)?.send(channel, message, sent) ?? false;
  }

  onRoom(listener: (node: number) => void): () => void {
    this.#roomListeners.add(listener);
    return () => this.#roomListeners.delete(listener);
  }

  room({ identity }: Link): void {
    for (const listener of this.#roomListeners) listener(identity.nodeId);
  }

  onMessage(channel: string, listener: MessageListener): () => void {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  onLink(listener: LinkListener): () => void {
    this.#linkListeners.add(listener);
    for (const link of this.#links.all()) listener(link.identity.nodeId, link);
    return () => this.#linkListeners.delete(listener);
  }

  link(node: number): PeerLink | undefined {
    return this.#links.get(node);
  }

  links(): readonly PeerLink[] {
    return this.#links.all();
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#stopListening();
    const closing = Promise.all([
      this.#dialler.close(),
      this.#listener?.close() ?? Promise.resolve(),
    ]);
    for (const socket of this.#greeted) socket.destroy();
    const reason = new ServiceError("peer.unavailable", "this node is stopping");
    for (const link of [...this.#links.all(), ...this.#guests.keys()]) link.end(reason);
    await closing;
  }

  handlerOf(method: string): Handler | undefined {
    return this.#handlers.get(method);
  }

  message(link: PeerLink, message: NamedMessage, keep: Keep): void {
    // A guest is nobody's replica.
    if (link.identity.cluster === undefined) return;
    for (const listener of this.#listeners.get(message.name) ?? []) {
      listener(link.identity, link.id, message, keep);
    }
  }

  ended(link: Link, reason: ServiceError): void {
    clearTimeout(this.#guests.get(link));
    this.#guests.delete(link);
    if (!this.#links.delete(link)) return;
    const { nodeId } = link.identity;
    const facts = { peer: nodeId, link: link.id, reason: reason.message, ...reason.fields };
    this.#options.logger.info(facts, "link to a peer has ended");
    this.#tellLink(nodeId, undefined);
    this.#dialler.look();
  }

  #tellLink(node: number, link: PeerLink | undefined): void {
    for (const listener of this.#linkListeners) listener(node, link);
  }

  async #connect(to: PeerAddress): Promise<void> {
    const { remoteAlways = false } = this.#options;
    const wire = await dial(to.peer, this.#options, { stop: this.#closing.signal, remoteAlways });
    const greeted = await this.#greet(wire, () => greetAsDialler(wire.socket, this.#greeting));
    const { identity } = greeted;
    try {
      if (identity.nodeId !== to.nodeId || identity.cluster === undefined) {
        throw refused("node", "another node answers there", { node: identity.nodeId });
      }
      this.#begin(wire, greeted, true);
    } catch (thrown) {
      wire.socket.destroy();
      throw thrown;
    }
  }

  async #accept(wire: Wire): Promise<void> {
    const { logger } = this.#options;
    const { remoteAddress: remote } = wire.socket;
    if (this.#closing.signal.aborted) {
      wire.socket.on("error", () => undefined);
      wire.socket.destroy();
      return;
    }
    try {
      const greeted = await this.#greet(wire, () =>
        greetAsListener(wire.socket, this.#greeting, (identity) => this.#admit(identity)),
      );
      this.#listener?.proved(wire.socket);
      this.#begin(wire, greeted, false);
    } catch (thrown) {
      wire.socket.destroy();
      const { why, node } = thrown instanceof ServiceError ? thrown.fields : {};
      const reason = reasonOf(thrown);
      const left =
        why === "duplicate" ? undefined : this.#seldom.say(`${remote} ${reason} ${node}`);
      const facts = { remote, peer: node, reason, ...(left ? { alsoBefore: left } : {}) };
      logger[left === undefined ? "debug" : "warn"](facts, "a peer was turned away");
    }
  }

  async #greet({ socket }: Wire, greet: () => Promise<Greeted>): Promise<Greeted> {
    this.#greeted.add(socket);
    try {
      return await greet();
    } finally {
      this.#greeted.delete(socket);
    }
  }

  #admit(identity: PeerIdentity): void {
    if (identity.cluster !== undefined) this.#links.admit({ identity, isDialled: false });
    else if (this.#guests.size >= guestsMax) throw refused("busy", "too many are joining");
  }

  /** Throws `peer.refused` when another link came to be meanwhile that is to be kept. */
  #begin({ socket, isLocal }: Wire, { identity, rest }: Greeted, isDialled: boolean): void {
    if (this.#closing.signal.aborted) throw unavailable("this node is stopping", false);
    const isGuest = identity.cluster === undefined;
    const replaced = isGuest ? undefined : this.#links.admit({ identity, isDialled });
    const { logger } = this.#options;
    const id = ++this.#lastLink;
    const link = new Link({
      ...{
        id,
        socket,
        identity,
        isDialled,
        pack: !isLocal,
        rest,
        memory: this.#memory,
        events: this,
      },
    });
    if (isGuest) {
      const late = new ServiceError("peer.unavailable", "a guest's time is over");
      this.#guests.set(
        link,
        setTimeout(() => link.end(late), guestMs),
      );
    } else {
      // Before the other ends: its end would otherwise be a reason to dial.
      this.#links.set(link);
      replaced?.end(new ServiceError("peer.unavailable", "another connection took over"));
      const { nodeId: peer, incarnation, protocol } = identity;
      logger.info({ peer, link: id, incarnation, protocol, isDialled }, "link to a peer");
      if (replaced !== undefined) this.#tellLink(peer, undefined);
      this.#tellLink(peer, link);
    }
    link.begin();
  }

  /** A link to a process whose node is another process by now leads nowhere. */
  #dropReplaced(): void {
    const live = this.#options.directory.current();
    for (const link of this.#links.all()) {
      const { nodeId, incarnation } = link.identity;
      const named = live.filter((each) => each.nodeId === nodeId);
      if (named.length === 0 || named.some((each) => each.incarnation === incarnation)) continue;
      link.end(new ServiceError("peer.unavailable", "the node is another process now"));
    }
  }
}

function reasonOf(thrown: unknown): string {
  const { fields = {} } = thrown as Partial<ServiceError>;
  const reason = fields["reason"];
  return reason === undefined ? messageOf(thrown) : `${messageOf(thrown)}: ${String(reason)}`;
}
