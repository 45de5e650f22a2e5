import type { Socket } from "node:net";

import type { Logger } from "../../../kit/src/logger.ts";
import type { PeerId } from "../core/vote.ts";
import { initialRead, initialWrite } from "../wire/election.ts";
import { WireError } from "../wire/errors.ts";
import { JuteWriter } from "../wire/writer.ts";
import { ElectionConnection } from "./election-connection.ts";
import { electionSilenceMs, reconnectMsMax, reconnectMsMin, strangersMax } from "./limits.ts";
import { type Member, placesParse } from "./members.ts";
import { Newcomers } from "./newcomers.ts";
import { leaveInTime, membersConnect, type Place, type QuorumTls } from "./sockets.ts";

export interface ElectionConnectionsOptions {
  readonly self: PeerId;
  readonly members: () => readonly Member[];
  readonly tls: QuorumTls | undefined;
  /** A connection says who it is within this time. */
  readonly nameWithinMs: number;
  /** Beside a connection that answers nothing for so long while it is spoken to another is opened, and takes its place. */
  readonly silenceMs?: number;
  readonly logger: Logger;
  /** A message of this peer; a view that is valid during the call. Throws a `WireError` when it is none. */
  readonly heard: (from: PeerId, message: Buffer) => void;
}

/** Another peer, as far as elections go. */
interface Other {
  connection: ElectionConnection | undefined;
  /** How to give up the attempt that is under way. */
  attempt: (() => void) | undefined;
  /** The newest message for it; told again on a new connection, since the old one may have lost it. */
  newest: Buffer | undefined;
  isTold: boolean;
  waitMs: number;
  /** The log says that it is not reached, and will say when it is. */
  isMissed: boolean;
  retry: NodeJS.Timeout | undefined;
}

/**
 * The connections of an election: one between any two peers, and the peer with the higher id opens it. A
 * connection that comes from a lower id is closed and answered by one of our own (ZooKeeper's QuorumCnxManager).
 */
export class ElectionConnections {
  readonly #options: ElectionConnectionsOptions;
  readonly #newcomers: Newcomers;
  readonly #others = new Map<PeerId, Other>();
  #anonymousLast = 0;
  #isOver = false;

  constructor(options: ElectionConnectionsOptions) {
    this.#options = options;
    this.#newcomers = new Newcomers(options.nameWithinMs);
  }

  /** Only the newest message is kept until there is a connection. */
  notify(to: PeerId, message: Buffer): void {
    if (this.#isOver) return;
    const other = this.#other(to);
    other.newest = message;
    other.isTold = false;
    if (other.connection !== undefined) tell(other);
    // The silent one stays until there is another.
    if (this.#isWanting(other)) this.#reach(to, other);
  }

  accept(socket: Socket): void {
    if (this.#isOver) {
      socket.destroy();
      return;
    }
    this.#newcomers.add(socket);
    let gathered: Buffer = Buffer.alloc(0);
    socket.on("error", (error) => this.#debug(error, "coordinator election connection failed"));
    const gather = (chunk: Buffer): void => {
      gathered = Buffer.concat([gathered, chunk]);
      try {
        const initial = initialRead(gathered);
        if (initial === undefined) return;
        socket.off("data", gather);
        this.#newcomers.named(socket);
        const { sender = --this.#anonymousLast, addresses } = initial.message;
        this.#named(sender, addresses, socket, gathered.subarray(initial.length));
      } catch (thrown) {
        if (!(thrown instanceof WireError)) throw thrown;
        this.#debug(thrown, "coordinator election connection is not understood");
        socket.destroy();
      }
    };
    socket.on("data", gather);
  }

  end(): void {
    this.#isOver = true;
    this.#newcomers.end();
    for (const { connection, attempt, retry } of this.#others.values()) {
      clearTimeout(retry);
      connection?.close();
      attempt?.();
    }
    this.#others.clear();
  }

  #other(id: PeerId): Other {
    let other = this.#others.get(id);
    if (other === undefined) {
      other = {
        connection: undefined,
        attempt: undefined,
        newest: undefined,
        isTold: true,
        waitMs: reconnectMsMin,
        isMissed: false,
        retry: undefined,
      };
      this.#others.set(id, other);
    }
    return other;
  }

  #named(sender: PeerId, addresses: string | undefined, socket: Socket, rest: Buffer): void {
    const { self } = this.#options;
    if (this.#isOver || sender === self || !this.#hasRoom(sender)) {
      socket.destroy();
      return;
    }
    const other = this.#other(sender);
    other.connection?.close();
    other.connection = undefined;
    // It is there: no more waiting.
    clearTimeout(other.retry);
    other.retry = undefined;
    other.waitMs = reconnectMsMin;
    // An observer without an id has none to be reached by.
    if (sender > self || sender < 0) {
      this.#connected(sender, other, socket, rest);
      return;
    }
    socket.destroy();
    this.#reach(sender, other, addresses);
  }

  /** Members always have a place; who is none may be about to join. */
  #hasRoom(id: PeerId): boolean {
    if (this.#others.has(id) || this.#isMember(id)) return true;
    const strangers = [...this.#others.keys()].filter((each) => !this.#isMember(each));
    return strangers.length < strangersMax;
  }

  #isMember(id: PeerId): boolean {
    return this.#options.members().some((member) => member.id === id);
  }

  /** One that is no member, and to whom nothing leads or will, is not remembered. */
  #forget(id: PeerId, other: Other): void {
    const { connection, attempt, retry } = other;
    const isLeft = connection === undefined && attempt === undefined && retry === undefined;
    const isNewest = this.#others.get(id) === other;
    if (isLeft && isNewest && !this.#isMember(id)) this.#others.delete(id);
  }

  /** There is no connection, or one that seems to lead nowhere. */
  #isWanting({ connection }: Other): boolean {
    const { silenceMs = electionSilenceMs } = this.#options;
    return connection === undefined || connection.silentMs(performance.now()) > silenceMs;
  }

  #reach(to: PeerId, other: Other, addresses?: string): void {
    if (other.attempt !== undefined || other.retry !== undefined) return;
    const places = this.#placesOf(to, addresses);
    if (places.length === 0) {
      other.connection?.close();
      this.#others.delete(to);
      return;
    }
    other.attempt = membersConnect(places, this.#options.tls, {
      connected: (socket) => {
        other.attempt = undefined;
        other.waitMs = reconnectMsMin;
        this.#opened(to, other, socket);
      },
      failed: (error) => {
        other.attempt = undefined;
        this.#missed(to, other, error);
        this.#retryLater(to, other);
      },
    });
  }

  #placesOf(to: PeerId, addresses: string | undefined): readonly Place[] {
    const member = this.#options.members().find(({ id }) => id === to);
    if (member === undefined) return addresses === undefined ? [] : placesParse(addresses);
    return member.addresses.map(({ host, electionPort }) => ({ host, port: electionPort }));
  }

  /** Once for each time that it goes: not for one that is merely started last. */
  #missed(peer: PeerId, other: Other, error: Error): void {
    if (other.isMissed || other.waitMs < reconnectMsMax) return;
    other.isMissed = true;
    const reason = error.message;
    this.#options.logger.warn({ peer, reason }, "coordinator member is not reached");
  }

  #retryLater(to: PeerId, other: Other): void {
    other.retry = setTimeout(() => {
      other.retry = undefined;
      const isDue = !other.isTold || other.connection !== undefined;
      if (isDue && this.#isWanting(other) && !this.#isOver) this.#reach(to, other);
      else this.#forget(to, other);
    }, other.waitMs);
    other.waitMs = Math.min(other.waitMs * 2, reconnectMsMax);
  }

  #opened(to: PeerId, other: Other, socket: Socket): void {
    const { self, members } = this.#options;
    const own = members().find(({ id }) => id === self)?.addresses ?? [];
    const addresses = own.map(({ host, electionPort }) => placeText(host, electionPort));
    const writer = new JuteWriter();
    initialWrite(writer, self, addresses);
    socket.write(writer.copy());
    if (to < self) {
      this.#connected(to, other, socket);
      return;
    }
    // It will open one of its own.
    leaveInTime(socket);
    this.#retryLater(to, other);
  }

  #connected(id: PeerId, other: Other, socket: Socket, rest?: Buffer): void {
    other.connection?.close();
    other.attempt?.();
    other.attempt = undefined;
    const connection = new ElectionConnection(
      socket,
      {
        heard: (message) => this.#options.heard(id, message),
        closed: (reason) => {
          if (other.connection === connection) other.connection = undefined;
          this.#forget(id, other);
          if (reason !== undefined) {
            this.#debug(reason, "coordinator election connection is given up");
          }
        },
      },
      rest,
    );
    other.connection = connection;
    if (other.isMissed) this.#options.logger.info({ peer: id }, "coordinator member is reached");
    other.isMissed = false;
    tell(other);
  }

  #debug(error: Error, event: string): void {
    this.#options.logger.debug({ err: error }, event);
  }
}

function tell(other: Other): void {
  if (other.newest === undefined) return;
  other.connection?.send(other.newest);
  other.isTold = true;
}

function placeText(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
