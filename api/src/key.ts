import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { keyNameLengthMax, tenantLengthMax } from "./limits.ts";
import { type Scope, scopes } from "./scopes.ts";

/**
 * An API key is the token `lk_<id>_<secret>`: 16 and 64 hex digits, so that a double click takes all
 * of it. Whoever stores keys keeps a `StoredKey` by id; the secret is shown once and stored nowhere.
 */

/** A tenant's name: it stands in znode paths, stream names and headers. */
export const tenantSchema = z
  .string()
  .max(tenantLengthMax)
  .regex(
    /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/,
    "must be lower-case letters, digits, '.', '_' or '-'",
  );

export const keyNameSchema = z
  .string()
  .min(1)
  .max(keyNameLengthMax)
  // A name stands before the colon of Basic credentials and on one line of a terminal.
  .regex(/^[^:\p{Cc}]+$/u, "must hold no colon and no control character");

/** What is kept of a key. Times are milliseconds since the epoch. */
export const storedKeySchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  name: keyNameSchema,
  /** SHA-256 of the secret's bytes, in hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  scopes: z.array(z.enum(scopes)).min(1).readonly(),
  tenant: tenantSchema,
  createdAt: z.int(),
  expiresAt: z.int().optional(),
});

export type StoredKey = Readonly<z.output<typeof storedKeySchema>>;

/** Random bytes that `createKey` needs. */
export const keyRandomBytes = 40;

export interface KeyRequest {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly tenant: string;
  readonly createdAt: number;
  readonly expiresAt?: number | undefined;
}

/** A new key: its token, to be shown once, and what to keep. `random` is `keyRandomBytes` fresh bytes. */
export function createKey(
  request: KeyRequest,
  random: Uint8Array,
): { readonly token: string; readonly stored: StoredKey } {
  if (random.length !== keyRandomBytes) throw new RangeError("a key needs 40 random bytes");
  const token = `lk_${hex(random.subarray(0, 8))}_${hex(random.subarray(8))}`;
  return { token, stored: storedKeyOf(token, request) as StoredKey };
}

/** What to keep of a key whose token somebody else made; undefined when it is no token. */
export function storedKeyOf(token: string, request: KeyRequest): StoredKey | undefined {
  const parsed = parseToken(token);
  if (parsed === undefined) return undefined;
  const { expiresAt, ...rest } = request;
  const stored = { id: parsed.id, ...rest, hash: hashOf(parsed.secret).toString("hex") };
  return expiresAt === undefined ? stored : { ...stored, expiresAt };
}

/** The parts of a token; undefined when it is none. */
export function parseToken(
  token: string,
): { readonly id: string; readonly secret: Uint8Array } | undefined {
  const found = /^lk_([0-9a-f]{16})_([0-9a-f]{64})$/.exec(token);
  if (found === null) return undefined;
  return { id: found[1] ?? "", secret: Buffer.from(found[2] ?? "", "hex") };
}

/** Whether a secret is that of a stored key, and whether the key still holds at `now` (ms). */
export function verifyKey(
  stored: StoredKey,
  secret: Uint8Array,
  now: number,
): "valid" | "wrong" | "expired" {
  const kept = Buffer.from(stored.hash, "hex");
  const given = hashOf(secret);
  if (kept.length !== given.length || !timingSafeEqual(kept, given)) return "wrong";
  return stored.expiresAt !== undefined && now >= stored.expiresAt ? "expired" : "valid";
}

/**
 * The token of an `Authorization` header: `Bearer TOKEN`, `Basic base64(name:TOKEN)`, or Elasticsearch's
 * `ApiKey` with the token, with base64(anything:TOKEN), or with base64(id:secret). Undefined: none in it.
 */
export function tokenOfAuthorization(header: string): string | undefined {
  const found = /^(Bearer|ApiKey|Basic) +(\S+)$/i.exec(header.trim());
  if (found === null) return undefined;
  const scheme = (found[1] ?? "").toLowerCase();
  const value = found[2] ?? "";
  if (scheme !== "basic" && parseToken(value) !== undefined) return value;
  if (scheme === "bearer") return undefined;
  const decoded = Buffer.from(value, "base64").toString("latin1");
  const colon = decoded.indexOf(":");
  if (colon < 0) return undefined;
  const password = decoded.slice(colon + 1);
  const token = password.startsWith("lk_") ? password : `lk_${decoded.slice(0, colon)}_${password}`;
  return parseToken(token) === undefined ? undefined : token;
}

/**
 * One round of SHA-256, without salt: slow hashes and salts guard what people choose, and a secret of
 * 256 random bits can neither be guessed nor be met in a table. It is computed at every request.
 */
function hashOf(secret: Uint8Array): Buffer {
  return createHash("sha256").update(secret).digest();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
