import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** What every ZooKeeper takes for the realm and the host, whatever its name. */
const realm = "zk-sasl-md5";
const service = `zookeeper/${realm}`;

/** What one step of the exchange says to the client. */
export type SaslStep =
  | { readonly kind: "challenge"; readonly token: Buffer }
  | { readonly kind: "proved"; readonly token: Buffer; readonly user: string }
  | { readonly kind: "refused" };

/**
 * The server's side of DIGEST-MD5 (RFC 2831) for one connection: a challenge, then the client's proof
 * that it knows the password. A token that comes before the challenge is not read, as in Java.
 */
export class SaslDigest {
  readonly #users: ReadonlyMap<string, string>;
  #nonce: string | undefined;

  /** `users`: passwords by user. */
  constructor(users: ReadonlyMap<string, string>) {
    this.#users = users;
  }

  step(token: Uint8Array): SaslStep {
    const nonce = this.#nonce;
    if (nonce === undefined) return this.#challenge();
    // A nonce is good for one answer.
    this.#nonce = undefined;
    return this.#check(nonce, Buffer.from(token).toString("latin1"));
  }

  #challenge(): SaslStep {
    this.#nonce = randomBytes(24).toString("base64");
    const text = `realm="${realm}",nonce="${this.#nonce}",charset=utf-8,algorithm=md5-sess`;
    return { kind: "challenge", token: Buffer.from(text) };
  }

  #check(nonce: string, text: string): SaslStep {
    const fields = directivesOf(text);
    const response = fields?.get("response");
    if (fields === undefined || response === undefined) return { kind: "refused" };
    const isOurs =
      fields.get("nonce") === nonce &&
      fields.get("nc") === "00000001" &&
      (fields.get("qop") ?? "auth") === "auth" &&
      fields.get("realm") === realm &&
      fields.get("digest-uri")?.toLowerCase() === service;
    const sent = Buffer.from(fields.get("username") ?? "", "latin1");
    const user = sent.toString("utf8");
    const password = this.#users.get(user);
    // Computed also for nobody, so that time does not tell which users there are.
    for (const encoding of ["utf8", "latin1"] as const) {
      const secret = secretOf(Buffer.from(user, encoding), password ?? nonce, encoding);
      if (!isEqual(response, answerOf(secret, fields, "AUTHENTICATE"))) continue;
      if (!isOurs || password === undefined) break;
      const token = Buffer.from(`rspauth=${answerOf(secret, fields, "")}`);
      return { kind: "proved", token, user };
    }
    return { kind: "refused" };
  }
}

/** H(user:realm:password); characters of Latin-1 go as such by the RFC, and as UTF-8 from most clients. */
function secretOf(user: Buffer, password: string, encoding: "utf8" | "latin1"): Buffer {
  const parts = [user, Buffer.from(`:${realm}:`), Buffer.from(password, encoding)];
  return md5(Buffer.concat(parts));
}

/** What proves the secret: the client's answer with `AUTHENTICATE`, the server's with nothing. */
function answerOf(secret: Buffer, fields: ReadonlyMap<string, string>, method: string): string {
  const field = (name: string): string => fields.get(name) ?? "";
  const nonces = `${field("nonce")}:${field("cnonce")}`;
  const authorized = fields.has("authzid") ? `:${field("authzid")}` : "";
  const session = Buffer.concat([secret, Buffer.from(`:${nonces}${authorized}`, "latin1")]);
  const about = Buffer.from(`${method}:${field("digest-uri")}`, "latin1");
  const counted = `${field("nonce")}:${field("nc")}:${field("cnonce")}:auth`;
  return hex(Buffer.from(`${hex(session)}:${counted}:${hex(about)}`, "latin1"));
}

function md5(bytes: Buffer): Buffer {
  return createHash("md5").update(bytes).digest();
}

function hex(bytes: Buffer): string {
  return md5(bytes).toString("hex");
}

function isEqual(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

/** `name=value` and `name="value"`, by commas; undefined for other text or a name given twice. */
function directivesOf(text: string): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  const one = /\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]*))\s*(?:,|$)/y;
  while (one.lastIndex < text.length) {
    const match = one.exec(text);
    if (match === null) return undefined;
    const name = match[1]!.toLowerCase();
    if (found.has(name)) return undefined;
    found.set(name, match[2]?.replace(/\\(.)/g, "$1") ?? match[3]!);
  }
  return found;
}
