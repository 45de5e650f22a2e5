import { createHash } from "node:crypto";

import { perms } from "../wire/constants.ts";
import type { Acl } from "../wire/records.ts";

/** Everybody may do everything. */
export const aclOpen: readonly Acl[] = [
  { perms: perms.all, id: { scheme: "world", id: "anyone" } },
];

/** Everybody may read. */
export const aclWorldRead: Acl = { perms: perms.read, id: { scheme: "world", id: "anyone" } };

/** Whoever made it may do everything, by each identity that the connection had. */
export const aclCreator: readonly Acl[] = [{ perms: perms.all, id: { scheme: "auth", id: "" } }];

/** The `digest` id of a user: `user:base64(sha1(user:password))`, as every ZooKeeper client computes it. */
export function digestId(user: string, password: string): string {
  const hash = createHash("sha1").update(`${user}:${password}`).digest("base64");
  return `${user}:${hash}`;
}

/** All or the given rights for a user of the digest scheme. */
export function aclDigest(user: string, password: string, bits: number = perms.all): Acl {
  return { perms: bits, id: { scheme: "digest", id: digestId(user, password) } };
}
