import { hkdfSync } from "node:crypto";
import type { CertificateSource } from "../../cluster/src/peers/wire-tls.ts";
import { isLoopback, printAddress } from "../../config/src/address.ts";
import type { Settings } from "../../config/src/schema.ts";
import type { ClientSecurity, ServerAddress } from "../../coordinator/src/client/dial.ts";
import type { TlsKey } from "../../coordinator/src/wire/tls-key.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { ClusterSecret } from "./cluster-secret.ts";

export interface CoordinatorSecurityOptions {
  readonly settings: Settings;
  readonly secret: ClusterSecret;
  readonly certificates: CertificateSource | undefined;
  readonly logger: Logger;
}

/** With what clients of a node's coordinator speak TLS: a key of its own, so that what one protocol shows of its key says nothing about another's. */
export function coordinatorKey({ text }: ClusterSecret): TlsKey {
  return { psk: new Uint8Array(hkdfSync("sha256", text, "", "logkeep coordinator tls", 32)) };
}

/**
 * How this node's session speaks to each server of the coordinator. Once a server is known to take TLS with keys of the secret nothing else
 * is spoken with it, so that nobody on the way can talk this node out of it. The log says where the secret crosses the network as it is.
 */
export class CoordinatorSecurity {
  readonly #key: TlsKey;
  readonly #connectTls: Settings["coordinator"]["connectTls"];
  readonly #certificates: CertificateSource | undefined;
  readonly #logger: Logger;
  /** `host:port` of those that take TLS with keys of the secret. */
  readonly #secured = new Set<string>();
  /** What was said of an address, so that it is said once. */
  readonly #said = new Map<string, string>();
  /** Those with which TLS has failed in a way that another try does not mend. */
  readonly #refusing = new Set<string>();
  /** The last failure; undefined while there was none. */
  failure: string | undefined;

  /** Throws `config.invalid` where certificates are wanted and there are none. */
  constructor({ settings, secret, certificates, logger }: CoordinatorSecurityOptions) {
    const { connectTls } = settings.coordinator;
    if (connectTls === "certificates" && certificates === undefined) {
      const needed = "peer.tlsCaFile, peer.tlsCertFile and peer.tlsKeyFile";
      throw new ServiceError(
        "config.invalid",
        `coordinator.connectTls certificates needs ${needed}`,
      );
    }
    this.#key = coordinatorKey(secret);
    this.#connectTls = connectTls;
    this.#certificates = certificates;
    this.#logger = logger;
  }

  /** Notes whether the one at `host:port` takes TLS with keys of the secret; true when that was not known. */
  note(address: string, isSecured: boolean): boolean {
    if (isSecured === this.#secured.has(address)) return false;
    if (isSecured) this.#secured.add(address);
    else this.#secured.delete(address);
    return true;
  }

  /** Which of these are known to take it. */
  securedOf(addresses: readonly string[]): readonly string[] {
    return addresses.filter((address) => this.#secured.has(address));
  }

  /** How to speak to one; undefined: without TLS. */
  of(server: ServerAddress): ClientSecurity | undefined {
    const address = printAddress(server);
    if (this.#connectTls === "secret") return this.#key;
    const isLocal = isLoopback(server.host);
    if (!isLocal && this.#secured.has(address)) return this.#key;
    if (this.#connectTls === "certificates") return this.#certificates?.current();
    if (!isLocal) {
      const what =
        "no TLS with this coordinator: the cluster's secret crosses the network as it is";
      this.#say(address, what, {});
    }
    return undefined;
  }

  /** Takes note that a server and this node did not believe each other. */
  failed(server: ServerAddress, cause: Error): void {
    const address = printAddress(server);
    const reason = reasonOf(cause);
    this.failure = `${address}: ${reason}`;
    if (!isHangUp(cause)) this.#refusing.add(address);
    this.#say(address, "no TLS with this coordinator", { reason });
  }

  /** Whether none of these can be spoken to until somebody changes a secret or a certificate. */
  areRefusing(addresses: readonly string[]): boolean {
    return addresses.every((address) => this.#refusing.has(address));
  }

  #say(coordinator: string, what: string, fields: { readonly reason?: string }): void {
    const text = `${what} ${fields.reason}`;
    if (this.#said.get(coordinator) === text) return;
    this.#said.set(coordinator, text);
    this.#logger.warn({ coordinator, ...fields }, what);
  }
}

/** One that is starting or stopping does so too. */
function isHangUp({ code }: NodeJS.ErrnoException): boolean {
  return code === "ECONNRESET" || code === "EPIPE";
}

function reasonOf(cause: NodeJS.ErrnoException & { readonly reason?: string }): string {
  if (isHangUp(cause)) {
    return "it closed the connection, as one does that speaks no TLS at this port, or that does not believe a certificate";
  }
  // What OpenSSL says for a key that is not its own.
  if (cause.code === "ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR") return "it has another secret";
  return cause.reason ?? messageOf(cause);
}
