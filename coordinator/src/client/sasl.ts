import { createHash, randomBytes } from "node:crypto";

/** Who a client is by SASL DIGEST-MD5. */
export interface SaslUser {
  readonly user: string;
  readonly password: string;
}

/** The service that every ZooKeeper takes itself for, whatever its host. */
const uri = "zookeeper/zk-sasl-md5";

/**
 * The client's side of DIGEST-MD5 (RFC 2831): an empty token asks for the challenge, the answer proves the password, and the
 * last token proves that the server knows it too.
 */
export class SaslExchange {
  readonly #who: SaslUser;
  /** What the server must show at the end; undefined until it was challenged. */
  #proofExpected: string | undefined;

  constructor(who: SaslUser) {
    this.#who = who;
  }

  /** What to answer to a token of the server; undefined when it is over. Throws an Error for a server that is false. */
  answer(token: Buffer): Buffer | undefined {
    const fields = directivesOf(token.toString("utf8"));
    if (this.#proofExpected === undefined) return this.#prove(fields);
    if (fields.get("rspauth") !== this.#proofExpected) {
      throw new Error("the server does not know the password");
    }
    return undefined;
  }

  #prove(fields: ReadonlyMap<string, string>): Buffer {
    const { user, password } = this.#who;
    const nonce = fields.get("nonce");
    if (nonce === undefined) throw new Error("the server's challenge has no nonce");
    const realm = fields.get("realm") ?? "";
    const cnonce = randomBytes(24).toString("base64");
    const secret = md5(Buffer.from(`${user}:${realm}:${password}`));
    const session = hex(Buffer.concat([secret, Buffer.from(`:${nonce}:${cnonce}`)]));
    const counted = `${nonce}:00000001:${cnonce}:auth`;
    const proof = (method: string): string =>
      hex(Buffer.from(`${session}:${counted}:${hex(Buffer.from(`${method}:${uri}`))}`));
    this.#proofExpected = proof("");
    const directives = [
      "charset=utf-8",
      `username=${quoted(user)}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      "nc=00000001",
      `cnonce=${quoted(cnonce)}`,
      `digest-uri=${quoted(uri)}`,
      "maxbuf=65536",
      `response=${proof("AUTHENTICATE")}`,
      "qop=auth",
    ];
    return Buffer.from(directives.join(","));
  }
}

function md5(bytes: Buffer): Buffer {
  return createHash("md5").update(bytes).digest();
}

function hex(bytes: Buffer): string {
  return md5(bytes).toString("hex");
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** `name=value` and `name="value"`, by commas. */
function directivesOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const match of text.matchAll(/([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^",\s]*))/g)) {
    found.set((match[1] as string).toLowerCase(), match[2]?.replace(/\\(.)/g, "$1") ?? match[3]!);
  }
  return found;
}
