import { hkdfSync } from "node:crypto";
import type { Socket } from "node:net";
import tls from "node:tls";
import { assert } from "../../../kit/src/assert.ts";
import { handshakeMs, secretBytesMin } from "./limits.ts";

/** What connections between nodes are secured by. */
export interface WireKeys {
  /** The cluster's: always proved, and what keys of TLS are drawn from where there are no certificates. */
  readonly secret: Uint8Array;
  /** Own certificates instead, on both sides. */
  readonly certificates?: CertificateSource | undefined;
}

/** As PEM. */
export interface PeerCertificates {
  /** Who may sign a node's certificate; nobody else is trusted. */
  readonly ca: string;
  /** This node's, with those between it and the authority behind it. */
  readonly cert: string;
  readonly key: string;
}

/** Certificates that are renewed while the process runs. */
export interface CertificateSource {
  current(): PeerCertificates;
  /** Called after each change; connections that are there stay. Returns how to stop. */
  onChange(listener: () => void): () => void;
}

const pskIdentity = "logkeep";

/**
 * TLS 1.3 with a pre-shared key drawn from the cluster's secret, and a Diffie-Hellman exchange on top: both ends prove that they know the
 * secret, there are no certificates to hand out or renew, and who learns the secret later reads nothing of before.
 */
const keyOptions = {
  minVersion: "TLSv1.3",
  // Keys from outside go with SHA-256 suites alone.
  ciphers: "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
} as const;

/** The handshake behind it binds itself to what TLS 1.3 exports. */
const certificateOptions = { minVersion: "TLSv1.3" } as const;

function pskOf(secret: Uint8Array): Buffer {
  assert(secret.length >= secretBytesMin, "a cluster's secret is not short");
  return Buffer.from(hkdfSync("sha256", secret, "", "logkeep peer tls", 32));
}

/** The dialling side's TLS over a connection. Throws what OpenSSL says of certificates that it cannot use. */
export function secured(socket: Socket, { secret, certificates }: WireKeys): tls.TLSSocket {
  if (certificates !== undefined) {
    return tls.connect({
      socket,
      ...certificateOptions,
      ...certificates.current(),
      // The authority is the cluster's own: whoever it has signed is a node, under whatever name or address it is reached.
      checkServerIdentity: () => undefined,
    });
  }
  const psk = pskOf(secret);
  return tls.connect({
    socket,
    ...keyOptions,
    pskCallback: () => ({ psk, identity: pskIdentity }),
    // There is no certificate; who does not know the key does not come through the handshake.
    checkServerIdentity: () => undefined,
  });
}

/** The other side's: it never listens itself, connections that begin with TLS are handed to it. */
export interface SecureServer {
  take(socket: Socket): void;
  close(): void;
}

export interface SecureServerEvents {
  readonly onSecure: (socket: tls.TLSSocket) => void;
  readonly onError: (error: Error, socket: tls.TLSSocket) => void;
}

/** Throws what OpenSSL says of certificates that it cannot use. */
export function secureServer(
  { secret, certificates }: WireKeys,
  { onSecure, onError }: SecureServerEvents,
): SecureServer {
  const server =
    certificates === undefined
      ? keyServer(secret)
      : tls.createServer({
          ...{ ...certificateOptions, ...certificates.current() },
          ...{ requestCert: true, rejectUnauthorized: true, handshakeTimeout: handshakeMs },
        });
  const stop = certificates?.onChange(() => {
    server.setSecureContext({ ...certificateOptions, ...certificates.current() });
  });
  server.on("secureConnection", onSecure);
  server.on("tlsClientError", onError);
  return {
    take: (socket) => void server.emit("connection", socket),
    close: () => stop?.(),
  };
}

function keyServer(secret: Uint8Array): tls.Server {
  const psk = pskOf(secret);
  return tls.createServer({
    ...keyOptions,
    pskCallback: (_, identity) => (identity === pskIdentity ? psk : null),
    handshakeTimeout: handshakeMs,
  });
}
