import type { Socket } from "node:net";
import { createServer, type Server } from "node:tls";

import { messageOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { keyServerOptions, type TlsKey } from "../wire/tls-key.ts";
import type { Connection } from "./connection.ts";
import { connectWithinMs } from "./limits.ts";

/** The first byte of TLS. A ZooKeeper client begins with the length of a short frame, so with 0, or with a letter of a word. */
const handshakeByte = 0x16;

/**
 * TLS at the client port beside those who do not speak it, as `client.portUnification` of Apache's: for who has the key. A
 * connection counts against all limits from its first byte on, and the one for saying who it is holds for its handshake too.
 */
export class UnifiedPort {
  readonly #server: Server;
  readonly #onBytes: (connection: Connection, bytes: Buffer) => void;
  /** In their handshake, by the port and address that they come from. */
  readonly #arriving = new Map<string, Connection>();

  constructor(
    key: TlsKey,
    logger: Logger,
    onBytes: (connection: Connection, bytes: Buffer) => void,
  ) {
    this.#onBytes = onBytes;
    this.#server = createServer({ ...keyServerOptions(key), handshakeTimeout: connectWithinMs });
    this.#server.on("secureConnection", (socket) => this.#arrived(socket));
    this.#server.on("tlsClientError", (error, socket) => {
      const fields = { address: socket.remoteAddress, reason: messageOf(error) };
      logger.debug(fields, "coordinator tls handshake failed");
      socket.destroy();
    });
  }

  /** Takes a connection of which nothing was read before these bytes, if they begin TLS. */
  take(connection: Connection, bytes: Buffer): boolean {
    if (bytes[0] !== handshakeByte || connection.isSecured) return false;
    const socket = connection.beginSecuring(bytes);
    const place = placeOf(socket);
    this.#arriving.set(place, connection);
    socket.once("close", () => this.#arriving.delete(place));
    this.#server.emit("connection", socket);
    return true;
  }

  #arrived(socket: Socket): void {
    const connection = this.#arriving.get(placeOf(socket));
    if (connection === undefined || connection.isClosed) {
      socket.destroy();
      return;
    }
    this.#arriving.delete(placeOf(socket));
    connection.secured(socket);
    socket.on("data", (bytes: Buffer) => this.#onBytes(connection, bytes));
  }
}

function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}
