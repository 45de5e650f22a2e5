import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";
import {
  type SecureContextOptions,
  connect as tlsConnect,
  createServer as tlsCreateServer,
} from "node:tls";

import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { KeyMaterial } from "../server/key-stores.ts";
import { closeWithinMs, connectWithinMs, linksMax, unnamedMax } from "./limits.ts";

/** `sslQuorum`: members know each other by certificates, on both ports and both ways. */
export interface QuorumTls {
  readonly material: KeyMaterial;
  /** PEM certificates of who may sign a member's; undefined: whom the system trusts. */
  readonly trust: string | undefined;
  /** Whether a member that is connected to must be named by its certificate. Default true. */
  readonly hostnameVerification?: boolean | undefined;
  /** Whether a member that connects must have a certificate, may have one, or is not asked. Default `need`. */
  readonly clientAuth?: "need" | "want" | "none" | undefined;
}

/** Listens for members. Throws `config.invalid` when key and certificates do not fit each other. */
export function membersServer(
  tls: QuorumTls | undefined,
  onSocket: (socket: Socket) => void,
): Server {
  const server = tls === undefined ? createServer(onSocket) : tlsServer(tls, onSocket);
  server.maxConnections = linksMax + unnamedMax;
  return server;
}

function tlsServer(tls: QuorumTls, onSocket: (socket: Socket) => void): Server {
  const { clientAuth = "need" } = tls;
  try {
    return tlsCreateServer(
      {
        ...contextOf(tls),
        requestCert: clientAuth !== "none",
        rejectUnauthorized: clientAuth === "need",
        handshakeTimeout: connectWithinMs,
      },
      onSocket,
    );
  } catch (thrown) {
    const message = `the members' key and certificates cannot be used: ${messageOf(thrown)}`;
    throw new ServiceError("config.invalid", message, {}, { cause: thrown });
  }
}

function contextOf({ material, trust }: QuorumTls): SecureContextOptions {
  return { ...material, ...(trust === undefined ? {} : { ca: trust }), minVersion: "TLSv1.2" };
}

/** Ends a connection once what was written is on its way; who does not take that in time loses it. */
export function leaveInTime(socket: Socket): void {
  socket.on("error", () => undefined);
  socket.resume();
  socket.end();
  const timer = setTimeout(() => socket.destroy(), closeWithinMs);
  socket.once("close", () => clearTimeout(timer));
}

/** A place to connect to. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** What comes of an attempt; one of the two, once, in a later turn. */
export interface ConnectEvents {
  connected(socket: Socket): void;
  failed(error: Error): void;
}

/** Tries one place after the other. Returns how to give the attempt up: nothing is called then. */
export function membersConnect(
  places: readonly Place[],
  tls: QuorumTls | undefined,
  events: ConnectEvents,
): () => void {
  const [place, ...others] = places as readonly [Place, ...Place[]];
  const socket = tls === undefined ? tcpConnect(place) : tlsDial(place, tls);
  let giveUp = (): void => leave(socket, timer);
  const fail = (error: Error): void => {
    leave(socket, timer);
    if (others.length === 0) events.failed(error);
    else giveUp = membersConnect(others, tls, events);
  };
  const timer = setTimeout(
    () => fail(new Error("no answer in time")),
    connectWithinMs / places.length,
  );
  socket.once("error", fail);
  socket.once(tls === undefined ? "connect" : "secureConnect", () => {
    clearTimeout(timer);
    socket.off("error", fail);
    events.connected(socket);
  });
  return () => giveUp();
}

function leave(socket: Socket, timer: NodeJS.Timeout): void {
  clearTimeout(timer);
  socket.removeAllListeners();
  socket.on("error", () => undefined);
  socket.destroy();
}

function tlsDial({ host, port }: Place, tls: QuorumTls): Socket {
  const isNamed = tls.hostnameVerification !== false;
  return tlsConnect({
    host,
    port,
    ...contextOf(tls),
    ...(isNamed ? {} : { checkServerIdentity: () => undefined }),
  });
}
