import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

import { keyClientOptions, type TlsKey } from "../wire/tls-key.ts";
import type { ServerAddress } from "./paths.ts";
import type { Target } from "./server-list.ts";

export type { ServerAddress } from "./paths.ts";

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

/** By certificates, or by a key that client and server have. */
export type ClientSecurity = ClientTls | TlsKey;

/** How to speak to a server, by how the connect string names it; undefined: without TLS. Asked for each connection. */
export type SecurityOf = (server: ServerAddress) => ClientSecurity | undefined;

/** As a function of the server, where it is said for all. */
export function securityOf(said: ClientSecurity | SecurityOf | undefined): SecurityOf {
  return typeof said === "function" ? said : () => said;
}

/** Begins to connect. `connected` is called once bytes can be sent: over TLS, after the handshake. */
export function dial(
  target: Target,
  security: ClientSecurity | undefined,
  connected: () => void,
): Socket {
  const { host, port } = target;
  if (security === undefined) return connect({ host, port, noDelay: true }, connected);
  const socket =
    "psk" in security
      ? connectTls({ host, port, ...keyClientOptions(security) }, connected)
      : dialByCertificates(target, security, connected);
  socket.setNoDelay(true);
  return socket;
}

function dialByCertificates(
  { host, port, server }: Target,
  { serverName = server.host, isServerVerified = true, ...rest }: ClientTls,
  connected: () => void,
): TLSSocket {
  // An address is no name to ask for (RFC 6066), and the certificate is then checked for the address.
  const servername = isIP(serverName) === 0 ? serverName : "";
  const options = { host, port, servername, rejectUnauthorized: isServerVerified, ...rest };
  return connectTls(options, connected);
}
