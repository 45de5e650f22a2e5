import type { Server, Socket } from "node:net";

import { ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { Ensemble } from "../core/ensemble.ts";
import type { LinkId } from "../core/messages.ts";
import { type Notification, noVote, type PeerId } from "../core/vote.ts";
import { electionRead, electionWrite } from "../wire/election.ts";
import { JuteWriter } from "../wire/writer.ts";
import { ElectionConnections } from "./election-connections.ts";
import { ensembleParse, ensembleText } from "./ensembles.ts";
import { LeaderWire } from "./leader-wire.ts";
import { LearnerWire } from "./learner-wire.ts";
import { failureLogMs, linkBytesMaxDefault, linksMax } from "./limits.ts";
import { Link, type LinkEvents } from "./link.ts";
import { type Membership, membershipText } from "./members.ts";
import { Newcomers } from "./newcomers.ts";
import type { ImageSource, QuorumEvents, QuorumMessage, QuorumNetwork } from "./ports.ts";
import { isHangUp, membersConnect, membersServer, type QuorumTls } from "./sockets.ts";

export interface TcpQuorumNetworkOptions {
  readonly self: PeerId;
  /** The ensemble as it is now; this peer is one of it. */
  readonly members: () => Membership;
  /** Where to listen; undefined: everywhere (`quorumListenOnAllIPs`). */
  readonly host?: string | undefined;
  /** Undefined: no `sslQuorum`. */
  readonly tls?: QuorumTls | undefined;
  /** Who connects must have said who it is by then. */
  readonly initLimitMs: number;
  /** The ensemble may change: what others say of it is looked at. Default false. */
  readonly reconfigEnabled?: boolean | undefined;
  /** Bytes that may wait on one link. */
  readonly linkBytesMax?: number;
  readonly logger: Logger;
}

/** The members' network in ZooKeeper's own protocol (3.5 and later), on a member's two ports. */
export class TcpQuorumNetwork implements QuorumNetwork {
  readonly #options: TcpQuorumNetworkOptions;
  readonly #events: QuorumEvents;
  readonly #elections: ElectionConnections;
  readonly #newcomers: Newcomers;
  readonly #servers: Server[] = [];
  readonly #links = new Map<LinkId, Link>();
  readonly #unflushed = new Set<Link>();
  readonly #linkEvents: LinkEvents;
  readonly #ensembleParse: ((text: string) => Ensemble) | undefined;
  #linkLast = 0;
  #tlsFailedSaidMs = -failureLogMs;
  #attempt: (() => void) | undefined;
  #isOver = false;

  constructor(options: TcpQuorumNetworkOptions, events: QuorumEvents) {
    this.#options = options;
    this.#events = events;
    const { self, members, tls, initLimitMs, logger } = options;
    this.#ensembleParse = options.reconfigEnabled === true ? ensembleParse : undefined;
    this.#newcomers = new Newcomers(initLimitMs);
    this.#elections = new ElectionConnections({
      self,
      members: () => members().members,
      tls,
      nameWithinMs: initLimitMs,
      logger,
      heard: (from, message) => events.notified(from, this.#notificationRead(message)),
    });
    this.#linkEvents = {
      named: (link) => events.linkUp(link.id, false),
      messages: (link, messages) => events.messages(link.id, messages),
      imageBegin: (link, zxid) => events.imageBegin(link.id, zxid),
      down: (link, reason) => this.#down(link, reason),
    };
  }

  async listen(): Promise<void> {
    const { self, members } = this.#options;
    const own = members().members.find(({ id }) => id === self);
    if (own === undefined) {
      throw new ServiceError("config.invalid", `there is no server.${self} for this server's id`);
    }
    const electionPorts = new Set(own.addresses.map(({ electionPort }) => electionPort));
    const quorumPorts = new Set(own.addresses.map(({ quorumPort }) => quorumPort));
    for (const port of electionPorts) {
      await this.#listen(port, (socket) => this.#elections.accept(socket));
    }
    for (const port of quorumPorts) await this.#listen(port, (socket) => this.#accept(socket));
  }

  notify(to: PeerId, notification: Notification): void {
    const { ensemble } = notification;
    // One that never changes has no text in the core.
    const isTold = ensemble !== undefined && ensemble.text !== "";
    const config = isTold ? ensembleText(ensemble) : membershipText(this.#options.members());
    this.#elections.notify(to, notificationBytes(notification, config));
  }

  connect(to: PeerId): void {
    this.#attempt?.();
    const { members, tls, logger } = this.#options;
    const member = members().members.find(({ id }) => id === to);
    if (member === undefined) {
      const refused = setImmediate(() => this.#events.linkRefused());
      this.#attempt = () => clearImmediate(refused);
      return;
    }
    const places = member.addresses.map(({ host, quorumPort }) => ({ host, port: quorumPort }));
    this.#attempt = membersConnect(places, tls, {
      connected: (socket) => {
        this.#attempt = undefined;
        const link = this.#link(socket, new LearnerWire(this.#ensembleParse));
        this.#events.linkUp(link.id, true);
      },
      failed: (error) => {
        this.#attempt = undefined;
        logger.debug({ peer: to, err: error }, "coordinator leader is not reached");
        this.#events.linkRefused();
      },
    });
  }

  send(to: LinkId, message: QuorumMessage): void {
    const link = this.#links.get(to);
    if (link === undefined) return;
    link.send(message);
    this.#unflushed.add(link);
  }

  sendImage(to: LinkId, zxid: number, image: ImageSource): void {
    const link = this.#links.get(to);
    if (link === undefined) image.abandon();
    else link.sendImage(zxid, image);
  }

  close(id: LinkId): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    this.#forget(link);
    link.close();
  }

  flush(): void {
    for (const link of this.#unflushed) link.flush();
    this.#unflushed.clear();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#attempt?.();
    this.#elections.end();
    this.#newcomers.end();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    const closings = this.#servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    await Promise.all(closings);
  }

  async #listen(port: number, onSocket: (socket: Socket) => void): Promise<void> {
    const { host, tls } = this.#options;
    const server = membersServer(tls, onSocket);
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    server.on("error", (error) => this.#events.failed(error));
    server.on("tlsClientError", (error: Error, socket: Socket) => this.#tlsFailed(error, socket));
  }

  #tlsFailed(error: Error, { remoteAddress }: Socket): void {
    const { logger } = this.#options;
    const fields = { from: remoteAddress, reason: error.message };
    if (isHangUp(error)) {
      // Members do so at every start: they dial again what does not answer, and keep the first that does.
      logger.debug(fields, "connection of a coordinator member closed during its TLS handshake");
      return;
    }
    // Once in a while: whoever reaches the port can bring it about.
    const now = performance.now();
    if (now < this.#tlsFailedSaidMs + failureLogMs) return;
    this.#tlsFailedSaidMs = now;
    logger.warn(fields, "coordinator member is refused: its TLS handshake failed");
  }

  #accept(socket: Socket): void {
    if (this.#isOver || this.#links.size >= linksMax) {
      socket.destroy();
      return;
    }
    const { members } = this.#options;
    const wire = new LeaderWire(() => membershipText(members()));
    const link = this.#link(socket, wire, ({ socket: own }) => this.#newcomers.named(own));
    this.#newcomers.add(link.socket);
  }

  #link(socket: Socket, wire: LeaderWire | LearnerWire, onNamed?: (link: Link) => void): Link {
    const named = (link: Link): void => {
      onNamed?.(link);
      this.#links.set(link.id, link);
      this.#linkEvents.named(link);
    };
    const { linkBytesMax = linkBytesMaxDefault } = this.#options;
    const events = { ...this.#linkEvents, named };
    const link = new Link(++this.#linkLast, socket, { wire, bytesMax: linkBytesMax }, events);
    if (!link.isLeading) this.#links.set(link.id, link);
    return link;
  }

  /** An ensemble that cannot be read is no reason not to count the vote. */
  #notificationRead(bytes: Buffer): Notification {
    const { state, vote, electionEpoch, config } = electionRead(bytes);
    const { leader, zxid, peerEpoch } = vote ?? { ...noVote, peerEpoch: noVote.epoch };
    const said = { round: electionEpoch, vote: { leader, zxid, epoch: peerEpoch }, state };
    if (this.#ensembleParse === undefined || config === undefined) return said;
    try {
      return { ...said, ensemble: this.#ensembleParse(config) };
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      this.#options.logger.debug({ err: thrown }, "coordinator ensemble is not understood");
      return said;
    }
  }

  #down(link: Link, reason: Error | undefined): void {
    const isKnown = this.#links.get(link.id) === link;
    this.#forget(link);
    if (reason !== undefined) {
      this.#options.logger.info({ link: link.id, err: reason }, "coordinator link is given up");
    }
    if (isKnown && !this.#isOver) this.#events.linkDown(link.id);
  }

  #forget(link: Link): void {
    this.#links.delete(link.id);
    this.#unflushed.delete(link);
  }
}

function notificationBytes({ round, vote, state }: Notification, config: string): Buffer {
  const writer = new JuteWriter(128 + config.length);
  const { leader, zxid, epoch } = vote;
  const wired = leader === noVote.leader ? undefined : { leader, zxid, peerEpoch: epoch };
  electionWrite(writer, { state, vote: wired, electionEpoch: round, config });
  return writer.copy();
}
