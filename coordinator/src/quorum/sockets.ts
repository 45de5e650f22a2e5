import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";
import {
  type SecureContextOptions,
  connect as tlsConnect,
  createServer as tlsCreateServer,
} from "node:tls";

import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { KeyMaterial } from "../server/key-stores.ts";
import { keyClientOptions, keyServerOptions, type TlsKey } from "../wire/tls-key.ts";
import {
  closeWithinMs,
  connectWithinMs,
  linksMax,
  linksPerAddressMax,
  redialMs,
  unnamedMax,
} from "./limits.ts";

/** Members know each other by certificates or by a key that all of them have, on both ports and both ways. */
export type QuorumTls = QuorumCertificates | TlsKey;

/** `sslQuorum`. */
export interface QuorumCertificates {
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
  addressesLimit(server);
  return server;
}

/** One address alone does not take all connections that there are. */
function addressesLimit(server: Server): void {
  const counts = new Map<string, number>();
  const taken = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const count = (counts.get(address) ?? 0) + 1;
    if (count > linksPerAddressMax) {
      socket.destroy();
      return;
    }
    counts.set(address, count);
    socket.once("close", () => {
      const left = (counts.get(address) ?? 1) - 1;
      if (left === 0) counts.delete(address);
      else counts.set(address, left);
    });
    for (const listener of taken) listener.call(server, socket);
  });
}

function tlsServer(tls: QuorumTls, onSocket: (socket: Socket) => void): Server {
  if ("psk" in tls) {
    return tlsCreateServer(
      { ...keyServerOptions(tls), handshakeTimeout: connectWithinMs },
      onSocket,
    );
  }
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

function contextOf({ material, trust }: QuorumCertificates): SecureContextOptions {
  return { ...material, ...(trust === undefined ? {} : { ca: trust }), minVersion: "TLSv1.2" };
}

/** Whether a handshake of TLS failed because the other end closed the connection, which says nothing about its TLS. */
export function isHangUp({ code }: NodeJS.ErrnoException): boolean {
  return code === "ECONNRESET" || code === "EPIPE";
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

/**
 * Tries one place after the other, and again those that do not answer: who waits for the system to repeat a packet that was
 * lost waits longer each time. Returns how to give the attempt up: nothing is called then.
 */
export function membersConnect(
  places: readonly Place[],
  tls: QuorumTls | undefined,
  events: ConnectEvents,
): () => void {
  const dials = new Set<Socket>();
  let count = 0;
  let again: NodeJS.Timeout | undefined;
  const giveUp = (): void => {
    clearTimeout(again);
    clearTimeout(late);
    for (const socket of dials) leave(socket);
    dials.clear();
  };
  const fail = (error: Error): void => {
    giveUp();
    events.failed(error);
  };
  const late = setTimeout(() => fail(new Error("no answer in time")), connectWithinMs);
  const dial = (): void => {
    clearTimeout(again);
    const place = places[count++ % places.length] as Place;
    const socket = tls === undefined ? tcpConnect(place) : tlsDial(place, tls);
    dials.add(socket);
    again = setTimeout(() => {
      // One that was let in and is not through its TLS yet has nothing to gain by another.
      if ([...dials].every(({ connecting }) => connecting)) dial();
    }, redialMs);
    const failed = (error: Error): void => {
      dials.delete(socket);
      leave(socket);
      if (count < places.length) dial();
      else if (dials.size === 0) fail(error);
    };
    socket.once("error", failed);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      dials.delete(socket);
      giveUp();
      socket.off("error", failed);
      events.connected(socket);
    });
  };
  dial();
  return giveUp;
}

function leave(socket: Socket): void {
  socket.removeAllListeners();
  socket.on("error", () => undefined);
  socket.destroy();
}

function tlsDial({ host, port }: Place, tls: QuorumTls): Socket {
  if ("psk" in tls) return tlsConnect({ host, port, ...keyClientOptions(tls) });
  const isNamed = tls.hostnameVerification !== false;
  return tlsConnect({
    host,
    port,
    ...contextOf(tls),
    ...(isNamed ? {} : { checkServerIdentity: () => undefined }),
  });
}
