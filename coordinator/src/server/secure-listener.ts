import { createServer, type Server, type TLSSocket } from "node:tls";

import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { Id } from "../wire/records.ts";
import { superId } from "./auth.ts";
import { subjectOf } from "./certificate-name.ts";
import type { KeyMaterial } from "./key-stores.ts";
import { connectionsMax, connectWithinMs } from "./limits.ts";

/** The port where clients speak TLS, beside the plain one. */
export interface SecureOptions {
  /** Default as the plain port's. */
  readonly host?: string | undefined;
  readonly port: number;
  readonly material: KeyMaterial;
  /** PEM certificates of who may sign a client's; undefined: whom the system trusts. */
  readonly trust: string | undefined;
  /** Whether a client must have a certificate, may have one, or is not asked. Default `need`. */
  readonly clientAuth?: "need" | "want" | "none" | undefined;
  /** The subject (RFC 2253) that passes every ACL. */
  readonly superSubject?: string | undefined;
}

/**
 * Takes TLS connections and hands each on with what its certificate proves. Throws `config.invalid` when
 * the key and certificates do not fit each other.
 */
export function secureServer(
  { material, trust, clientAuth = "need", superSubject }: SecureOptions,
  logger: Logger,
  onSocket: (socket: TLSSocket, ids: readonly Id[]) => void,
): Server {
  const options = {
    ...material,
    ...(trust === undefined ? {} : { ca: trust }),
    requestCert: clientAuth !== "none",
    rejectUnauthorized: clientAuth === "need",
    minVersion: "TLSv1.2",
    handshakeTimeout: connectWithinMs,
  } as const;
  const server = listenerOf(options);
  server.maxConnections = connectionsMax;
  server.on("secureConnection", (socket) => {
    const ids = idsOf(socket, superSubject);
    // Who need not show a certificate may still not show a false one.
    if (ids === undefined) socket.destroy();
    else onSocket(socket, ids);
  });
  server.on("tlsClientError", (error, socket) => {
    logger.debug({ err: error, address: socket.remoteAddress }, "coordinator tls handshake failed");
  });
  return server;
}

function listenerOf(options: Parameters<typeof createServer>[0]): Server {
  try {
    return createServer(options);
  } catch (thrown) {
    const message = `the secure port's key and certificates cannot be used: ${messageOf(thrown)}`;
    throw new ServiceError("config.invalid", message, {}, { cause: thrown });
  }
}

/** None for a client without a certificate; undefined for one whose certificate nobody trusted has signed. */
function idsOf(socket: TLSSocket, superSubject: string | undefined): readonly Id[] | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return [];
  if (!socket.authorized) return undefined;
  const subject = subjectOf(certificate.raw);
  const own = { scheme: "x509", id: subject };
  return subject === superSubject ? [own, superId] : [own];
}
