import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { PeerCertificates } from "../../cluster/src/peers/wire-tls.ts";
import { messageOf } from "../../kit/src/errors.ts";

/**
 * What OpenSSL does not look at until a connection fails for it, at the other end and without a word of which file: whether the key is
 * the certificate's, whether the authority has signed it, whether its time has come and is not over. Throws an error that names `files`.
 */
export function checkCertificates(
  files: PeerCertificates,
  found: PeerCertificates,
  nowMs: number,
): void {
  const authorities = certificatesIn(files.ca, found.ca);
  const [own, ...between] = certificatesIn(files.cert, found.cert) as [
    X509Certificate,
    ...X509Certificate[],
  ];
  if (!own.checkPrivateKey(keyIn(files.key, found.key))) {
    throw new Error(`the key in ${files.key} is not that of the certificate in ${files.cert}`);
  }
  checkTime(files.cert, own, nowMs);
  let at = own;
  // A chain has no more links than there are certificates.
  for (let link = 0; link <= between.length; link++) {
    const authority = authorities.find((each) => hasSigned(each, at));
    if (authority !== undefined) {
      checkTime(files.ca, authority, nowMs);
      return;
    }
    const next = between.find((each) => each !== at && hasSigned(each, at));
    if (next === undefined) break;
    checkTime(files.cert, next, nowMs);
    at = next;
  }
  const signer = nameOf(at.issuer);
  const known = authorities.map(({ subject }) => nameOf(subject)).join(", ");
  throw new Error(
    `the certificate in ${files.cert} was not signed by the authority in ${files.ca}: it names ${signer}, there is ${known}`,
  );
}

function hasSigned(signer: X509Certificate, signed: X509Certificate): boolean {
  return signed.checkIssued(signer) && signed.verify(signer.publicKey);
}

function checkTime(file: string, { subject, validFrom, validTo }: X509Certificate, nowMs: number) {
  const of = `the certificate of ${nameOf(subject)} in ${file}`;
  if (nowMs > Date.parse(validTo)) throw new Error(`${of} has expired on ${validTo}`);
  if (nowMs < Date.parse(validFrom)) {
    throw new Error(`${of} is valid from ${validFrom} on only; is this machine's clock right?`);
  }
}

function certificatesIn(file: string, text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${file} holds no certificate in PEM`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (thrown) {
    throw new Error(`a certificate in ${file} cannot be read: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

function keyIn(file: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (thrown) {
    const why = messageOf(thrown);
    throw new Error(`${file} holds no private key that can be read: ${why}`, { cause: thrown });
  }
}

/** In one line. */
function nameOf(name: string): string {
  return `"${name.replaceAll("\n", ", ")}"`;
}
