import { WireError } from "../wire/errors.ts";

/**
 * The subject of a certificate (DER) as Java's `X500Principal.getName()` writes it, which is what an
 * ACL of scheme x509 names: RFC 2253, last part first. Throws a `WireError` for other bytes.
 */
export function subjectOf(certificate: Uint8Array): string {
  const body = partsOf(partsOf(der(Buffer.from(certificate), 0).content)[0]!.content);
  // The version is left out of version 1.
  const fields = body[0]?.tag === tags.version ? body.slice(1) : body;
  const subject = fields[4];
  if (subject?.tag !== tags.sequence) throw new WireError("type", "a certificate of no subject", 0);
  return partsOf(subject.content)
    .map(({ content }) => partsOf(content).map(attributeText).join("+"))
    .reverse()
    .join(",");
}

const tags = { sequence: 0x30, version: 0xa0 } as const;

/** Strings that are written as text; whatever else there is, as `#` and its bytes. */
const stringTags: ReadonlyMap<number, (bytes: Buffer) => string> = new Map([
  [0x0c, (bytes) => bytes.toString("utf8")],
  [0x13, (bytes) => bytes.toString("latin1")],
  [0x14, (bytes) => bytes.toString("latin1")],
  [0x16, (bytes) => bytes.toString("latin1")],
  [0x1e, (bytes) => Buffer.from(bytes).swap16().toString("utf16le")],
]);

/** The attributes that RFC 2253 names; others are written by number and bytes. */
const keywords: ReadonlyMap<string, string> = new Map([
  ["2.5.4.3", "CN"],
  ["2.5.4.6", "C"],
  ["2.5.4.7", "L"],
  ["2.5.4.8", "ST"],
  ["2.5.4.9", "STREET"],
  ["2.5.4.10", "O"],
  ["2.5.4.11", "OU"],
  ["0.9.2342.19200300.100.1.1", "UID"],
  ["0.9.2342.19200300.100.1.25", "DC"],
]);

interface Part {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly bytes: Buffer;
}

function attributeText({ content }: Part): string {
  const [type, value] = partsOf(content);
  if (type === undefined || value === undefined) {
    throw new WireError("type", "a name without a value", 0);
  }
  const oid = oidText(type.content);
  const keyword = keywords.get(oid);
  const decode = stringTags.get(value.tag);
  if (keyword === undefined || decode === undefined) {
    return `${keyword ?? oid}=#${value.bytes.toString("hex")}`;
  }
  const text = decode(value.content).replaceAll(/[,=+<>#;"\\]/g, "\\$&");
  const spaces = (match: string): string => "\\ ".repeat(match.length);
  const escaped = text.replaceAll("\0", "\\00").replace(/^ +/, spaces);
  return `${keyword}=${escaped.replace(/(?<!^| |\\) +$/, spaces)}`;
}

function partsOf(bytes: Buffer): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < bytes.length; ) {
    const part = der(bytes, at);
    parts.push(part);
    at += part.bytes.length;
  }
  return parts;
}

/** One value of DER with a tag of one byte. */
function der(bytes: Buffer, at: number): Part {
  const short = (): WireError => new WireError("truncated", "a certificate that ends too soon", at);
  if (at + 2 > bytes.length) throw short();
  let length = bytes[at + 1]!;
  let from = at + 2;
  if (length >= 0x80) {
    const size = length & 0x7f;
    if (size === 0 || size > 4 || from + size > bytes.length) throw short();
    length = bytes.readUIntBE(from, size);
    from += size;
  }
  if (from + length > bytes.length) throw short();
  const end = from + length;
  return { tag: bytes[at]!, content: bytes.subarray(from, end), bytes: bytes.subarray(at, end) };
}

function oidText(bytes: Buffer): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of bytes) {
    number = number * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      numbers.push(number);
      number = 0;
    }
  }
  const first = Math.min(2, Math.floor((numbers[0] ?? 0) / 40));
  return [first, (numbers[0] ?? 0) - first * 40, ...numbers.slice(1)].join(".");
}
