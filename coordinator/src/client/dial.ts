import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

import type { Target } from "./server-list.ts";

/** How to speak TLS. Certificates and keys as PEM. */
export interface ClientTls {
  /** Who may have signed the server's certificate; default: the authorities that Node knows. */
  readonly ca?: string | Buffer;
  /** What proves who we are, with its key. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  /** What the server's certificate must name; default: the host of the connect string. */
  readonly serverName?: string;
  /** False: whoever answers is believed. Default true. */
  readonly isServerVerified?: boolean;
}

/** Begins to connect. `connected` is called once bytes can be sent: over TLS, after the handshake. */
export function dial(target: Target, tls: ClientTls | undefined, connected: () => void): Socket {
  const { host, port, server } = target;
  if (tls === undefined) return connect({ host, port, noDelay: true }, connected);
  const { serverName = server.host, isServerVerified = true, ...rest } = tls;
  // An address is no name to ask for (RFC 6066), and the certificate is then checked for the address.
  const servername = isIP(serverName) === 0 ? serverName : "";
  const options = { host, port, servername, rejectUnauthorized: isServerVerified, ...rest };
  const socket = connectTls(options, connected);
  socket.setNoDelay(true);
  return socket;
}
