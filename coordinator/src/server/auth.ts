import { createHash } from "node:crypto";

import { superScheme } from "../tree/acl.ts";
import type { Id } from "../wire/records.ts";

/** An identity that passes every ACL. */
export const superId: Id = { scheme: superScheme, id: "" };

/** `user:base64(sha1(user:password))`, what an ACL of scheme digest names. */
export function digestOf(credentials: string): string {
  const user = credentials.split(":", 1)[0];
  const hash = createHash("sha1").update(credentials).digest("base64");
  return `${user}:${hash}`;
}

/** The ids that an auth request proves; undefined when it proves nothing: AUTHFAILED. */
export function idsProved(
  scheme: string,
  credentials: Uint8Array,
  options: {
    readonly superDigest: string | undefined;
    readonly address: string;
    /** What its certificate proves, on a TLS port. */
    readonly certificateIds: readonly Id[];
  },
): readonly Id[] | undefined {
  const { certificateIds } = options;
  if (scheme === "x509") return certificateIds.length === 0 ? undefined : certificateIds;
  if (scheme === "ip") return [{ scheme, id: options.address }];
  if (scheme !== "digest") return undefined;
  const digest = digestOf(Buffer.from(credentials).toString("utf8"));
  const own = { scheme, id: digest };
  return digest === options.superDigest ? [superId, own] : [own];
}

/** Who a connection is, as whoAmI tells: the user of a digest, not the digest. */
export function userOf({ scheme, id }: Id): string {
  return scheme === "digest" ? id.split(":", 1)[0]! : id;
}
