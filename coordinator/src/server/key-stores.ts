import { createHash } from "node:crypto";
import { ServiceError } from "../../../kit/src/errors.ts";
import { WireError } from "../wire/errors.ts";
import { JuteReader } from "../wire/reader.ts";

/** What a key store gives Node's TLS. */
export type KeyMaterial =
  | { readonly key: string; readonly cert: string; readonly passphrase?: string }
  | { readonly pfx: Buffer; readonly passphrase: string };

const jksMagic = 0xfeedfeed;
const jksVersion = 2;

/**
 * A private key with its certificates from a PEM file, a PKCS12 or a JKS store. Throws
 * `config.invalid` for other bytes and for a wrong password of a JKS store.
 */
export function keyMaterialRead(name: string, bytes: Buffer, password: string): KeyMaterial {
  if (isPem(bytes)) {
    const pem = bytes.toString("latin1");
    return password === ""
      ? { key: pem, cert: pem }
      : { key: pem, cert: pem, passphrase: password };
  }
  if (!isJks(bytes)) return { pfx: bytes, passphrase: password };
  const { keys } = jksRead(name, bytes, password);
  if (keys.length === 0) throw refusal(`${name} holds no private key`);
  const [{ key, chain }] = keys as [JksKey];
  return { key: pemOf("PRIVATE KEY", key), cert: pemsOf(chain) };
}

/** Certificates to trust, as PEM, from a PEM file or a JKS store. Throws `config.invalid`. */
export function trustRead(name: string, bytes: Buffer, password: string): string {
  if (isPem(bytes)) return bytes.toString("latin1");
  if (!isJks(bytes)) throw refusal(`${name} must be PEM or JKS to be trusted`);
  const { certificates } = jksRead(name, bytes, password);
  if (certificates.length === 0) throw refusal(`${name} holds no certificate to trust`);
  return pemsOf(certificates);
}

interface JksKey {
  /** PKCS8. */
  readonly key: Buffer;
  readonly chain: readonly Buffer[];
}

interface Jks {
  readonly keys: readonly JksKey[];
  readonly certificates: readonly Buffer[];
}

function jksRead(name: string, bytes: Buffer, password: string): Jks {
  const secret = Buffer.from(password, "utf16le").swap16();
  const body = bytes.subarray(0, -sealBytes);
  const seal = sha1(secret, Buffer.from("Mighty Aphrodite"), body);
  if (!seal.equals(bytes.subarray(-sealBytes))) {
    throw refusal(`${name} is damaged, or its password is another`);
  }
  try {
    return jksBody(new JuteReader(body), secret);
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    throw refusal(`${name} is no key store: ${thrown.message}`);
  }
}

/** Bytes of a SHA-1. */
const sealBytes = 20;

function jksBody(from: JuteReader, secret: Buffer): Jks {
  const keys: JksKey[] = [];
  const certificates: Buffer[] = [];
  from.int();
  if (from.int() !== jksVersion) throw new WireError("version", "a JKS store of a version", 4);
  for (let left = from.int(); left > 0; left--) {
    const tag = from.int();
    utfRead(from);
    from.long();
    if (tag === 1) {
      const locked = Buffer.from(from.buffer() ?? []);
      const chain = Array.from({ length: from.int() }, () => certificateRead(from));
      keys.push({ key: keyUnlock(locked, secret), chain });
    } else if (tag === 2) {
      certificates.push(certificateRead(from));
    } else {
      throw new WireError("type", `an entry of kind ${tag}`, from.position);
    }
  }
  return { keys, certificates };
}

function certificateRead(from: JuteReader): Buffer {
  utfRead(from);
  return Buffer.from(from.buffer() ?? []);
}

/** A string with its length in two bytes. */
function utfRead(from: JuteReader): void {
  const length = from.raw(2).readUInt16BE(0);
  from.raw(length);
}

/** Sun's own cipher: the key under a stream of SHA-1, behind a salt and before a check sum. */
function keyUnlock(locked: Buffer, secret: Buffer): Buffer {
  const data = locked.subarray(lockedHeadLength(locked));
  const cipher = data.subarray(sealBytes, -sealBytes);
  const plain = Buffer.alloc(cipher.length);
  let stream = data.subarray(0, sealBytes);
  for (let at = 0; at < plain.length; at += sealBytes) {
    stream = sha1(secret, stream);
    for (let i = at; i < Math.min(plain.length, at + sealBytes); i++) {
      plain[i] = cipher[i]! ^ stream[i - at]!;
    }
  }
  if (!sha1(secret, plain).equals(data.subarray(-sealBytes))) {
    throw refusal("a key of the store has another password than the store");
  }
  return plain;
}

/** SEQUENCE { algorithm, OCTET STRING }: bytes before what is in the last. */
function lockedHeadLength(bytes: Buffer): number {
  const algorithm = headLength(bytes, 0);
  const octets = algorithm + headLength(bytes, algorithm) + bytes[algorithm + 1]!;
  return octets + headLength(bytes, octets);
}

function headLength(bytes: Buffer, at: number): number {
  const length = bytes[at + 1] ?? 0;
  return length < 0x80 ? 2 : 2 + (length & 0x7f);
}

function sha1(...parts: readonly Buffer[]): Buffer {
  const hash = createHash("sha1");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function isPem(bytes: Buffer): boolean {
  return bytes.includes("-----BEGIN ");
}

function isJks(bytes: Buffer): boolean {
  return bytes.length > 32 && bytes.readUInt32BE(0) === jksMagic;
}

function pemsOf(certificates: readonly Buffer[]): string {
  return certificates.map((one) => pemOf("CERTIFICATE", one)).join("");
}

function pemOf(kind: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${kind}-----\n${lines.join("\n")}\n-----END ${kind}-----\n`;
}

function refusal(message: string): ServiceError {
  return new ServiceError("config.invalid", message);
}
