import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { CertificateSource, PeerCertificates } from "../../cluster/src/peers/wire-tls.ts";
import type { Settings } from "../../config/src/schema.ts";
import { messageOf, ServiceError } from "../../kit/src/errors.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { checkCertificates } from "./certificate-check.ts";

/** How often the files are read again: who renews them does so long before they expire. */
const lookMs = 5_000;

/** The files of a node's certificates, read again when they change. */
export class PeerCertificateFiles implements CertificateSource, Closable {
  readonly #files: PeerCertificates;
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #current: PeerCertificates;
  /** What was last found and could not be used, so that it is said once. */
  #refused = "";
  #looking: Promise<void> = Promise.resolve();

  private constructor(
    files: PeerCertificates,
    first: PeerCertificates,
    logger: Logger,
    everyMs: number,
  ) {
    this.#files = files;
    this.#current = first;
    this.#logger = logger;
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, everyMs).unref();
  }

  /** Undefined where the settings name none. Rejects with `config.invalid` for files that cannot be read or do not fit each other. */
  static async open(
    { peer }: Settings,
    logger: Logger,
    everyMs = lookMs,
  ): Promise<PeerCertificateFiles | undefined> {
    const { tlsCaFile: ca, tlsCertFile: cert, tlsKeyFile: key } = peer;
    if (ca === undefined || cert === undefined || key === undefined) return undefined;
    const files = { ca, cert, key };
    try {
      const first = await readChecked(files);
      logger.info(factsOf(first), "certificates for other nodes are read");
      return new PeerCertificateFiles(files, first, logger, everyMs);
    } catch (thrown) {
      const what = `the certificates for other nodes cannot be used: ${messageOf(thrown)}`;
      throw new ServiceError("config.invalid", what, {}, { cause: thrown });
    }
  }

  current(): PeerCertificates {
    return this.#current;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Files that were half replaced do not fit each other: the next look finds them whole. */
  async #look(): Promise<void> {
    try {
      const found = await readChecked(this.#files);
      this.#refused = "";
      const { ca, cert, key } = this.#current;
      if (found.ca === ca && found.cert === cert && found.key === key) return;
      this.#current = found;
      this.#logger.info(factsOf(found), "certificates for other nodes are read");
      for (const listener of this.#listeners) listener();
    } catch (thrown) {
      const reason = messageOf(thrown);
      if (reason === this.#refused) return;
      this.#refused = reason;
      this.#logger.warn({ reason }, "certificates for other nodes stay as they were");
    }
  }
}

/** Throws what the file system says, and `checkCertificates`; OpenSSL has the last word. */
async function readChecked(files: PeerCertificates): Promise<PeerCertificates> {
  const [ca, cert, key] = await Promise.all(
    [files.ca, files.cert, files.key].map((file) => readFile(file, "utf8")),
  );
  const found = { ca: ca as string, cert: cert as string, key: key as string };
  // One that is being written anew may be empty for a moment; OpenSSL would go on without it.
  for (const name of ["ca", "cert", "key"] as const) {
    if (found[name].trim() === "") throw new Error(`${files[name]} is empty`);
  }
  checkCertificates(files, found, Date.now());
  createSecureContext(found);
  return found;
}

function factsOf({ cert }: PeerCertificates): { readonly subject: string; readonly until: string } {
  const { subject, validTo } = new X509Certificate(cert);
  return { subject, until: validTo };
}
