import { aclDigest, aclWorldRead } from "../../coordinator/src/client/acl.ts";
import { perms } from "../../coordinator/src/wire/constants.ts";
import type { Acl } from "../../coordinator/src/wire/records.ts";
import { paths } from "./paths.ts";

/** The identity of the cluster's nodes at the coordinator, scheme digest. */
export interface ClusterCredentials {
  readonly user: string;
  readonly password: string;
}

export interface AccessOptions {
  readonly credentials: ClusterCredentials;
  /** Whether anonymous clients may read nothing below `/logkeep`. */
  readonly closed: boolean;
  /** Whether anonymous clients may create records in inboxes. */
  readonly inboxOpen: boolean;
}

/** The ACLs of what the cluster creates. */
export interface Access {
  readonly isClosed: boolean;
  /** Everything but inboxes, keys and rules. */
  readonly acl: readonly Acl[];
  /** API keys and rules: neither hashes nor the secrets of webhooks are anybody else's, open or closed. */
  readonly keyAcl: readonly Acl[];
  /** The directory of a tenant's inbox. Nobody else may delete there, so a name is never used twice. */
  readonly inboxAcl: readonly Acl[];
}

export function accessOf({ credentials, closed, inboxOpen }: AccessOptions): Access {
  const own = aclDigest(credentials.user, credentials.password);
  const acl = closed ? [own] : [own, aclWorldRead];
  const bits = (closed ? 0 : perms.read) | (inboxOpen ? perms.create : 0);
  const world: Acl = { perms: bits, id: { scheme: "world", id: "anyone" } };
  const inboxAcl = bits === 0 ? [own] : [own, world];
  return { isClosed: closed, acl, keyAcl: [own], inboxAcl };
}

/** The ACL that belongs to a path at or below `/logkeep`. */
export function aclAt(access: Access, path: string): readonly Acl[] {
  for (const own of [paths.keys, paths.alerts]) {
    if (path === own || path.startsWith(`${own}/`)) return access.keyAcl;
  }
  return path.startsWith(`${paths.inbox}/`) ? access.inboxAcl : access.acl;
}
