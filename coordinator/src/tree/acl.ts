import { perms } from "../wire/constants.ts";
import { type Acl, aclOpenList, type Id } from "../wire/records.ts";
import { isIpPattern, matchesIp } from "./acl-ip.ts";

/** An identity of this scheme passes every check. */
export const superScheme = "super";

/** Whether one of these identities may do what `perm` names. An empty list lets everyone in, as ZooKeeper's does. */
export function isAllowed(acl: readonly Acl[], perm: number, ids: readonly Id[]): boolean {
  if (acl === aclOpenList || acl.length === 0) return true;
  for (const id of ids) if (id.scheme === superScheme) return true;
  for (const entry of acl) {
    if ((entry.perms & perm) === 0) continue;
    if (isAnyone(entry.id)) return true;
    for (const id of ids) if (matches(entry.id, id)) return true;
  }
  return false;
}

/**
 * The list as it will be stored: duplicates merged, `auth` replaced by the caller's own identities.
 * Undefined when it is empty or names what no scheme takes: INVALIDACL.
 */
export function aclResolve(acl: readonly Acl[], ids: readonly Id[]): readonly Acl[] | undefined {
  if (acl === aclOpenList) return acl;
  if (acl.length === 1 && isAnyone(acl[0]!.id)) return acl;
  const resolved: Acl[] = [];
  for (const entry of withoutDuplicates(acl)) {
    const { scheme } = entry.id;
    if (scheme === "auth") {
      const own = ids.filter((id) => provesIdentity(id.scheme));
      if (own.length === 0) return undefined;
      for (const id of own) resolved.push({ perms: entry.perms, id });
    } else if (isAnyone(entry.id) || isIdValid(entry.id)) {
      resolved.push(entry);
    } else {
      return undefined;
    }
  }
  return resolved.length === 0 ? undefined : resolved;
}

/** Permissions, two lengths and a scheme. */
const entryBytes = 18;

/** By how many bytes, about, `resolved` is longer than what was asked. */
export function aclGrowth(asked: readonly Acl[], resolved: readonly Acl[]): number {
  if (asked === resolved || !asked.some(({ id }) => id.scheme === "auth")) return 0;
  return resolved.reduce((sum, { id }) => sum + entryBytes + Buffer.byteLength(id.id), 0);
}

/** What a caller without ADMIN sees: who a digest is of, not the digest. */
export function aclMask(acl: readonly Acl[]): readonly Acl[] {
  return acl.map((entry) => {
    if (entry.id.scheme !== "digest") return entry;
    const user = entry.id.id.split(":", 1)[0];
    return { perms: entry.perms, id: { scheme: "digest", id: `${user}:x` } };
  });
}

/** Rights, any of which lets a caller read an ACL. */
export const aclReadPerms = perms.read | perms.admin;

function isAnyone(id: Id): boolean {
  return id.scheme === "world" && id.id === "anyone";
}

function matches(wanted: Id, own: Id): boolean {
  if (wanted.scheme !== own.scheme) return false;
  if (wanted.scheme === "ip") return matchesIp(wanted.id, own.id);
  return provesIdentity(wanted.scheme) && wanted.id === own.id;
}

/** Schemes whose identity a client has proved; an address proves nothing. */
function provesIdentity(scheme: string): boolean {
  return scheme === "digest" || scheme === "sasl" || scheme === "x509";
}

function isIdValid({ scheme, id }: Id): boolean {
  if (scheme === "digest") return id.split(":").length === 2;
  if (scheme === "ip") return isIpPattern(id);
  if (scheme === "sasl" || scheme === "x509") return id !== "";
  return false;
}

function withoutDuplicates(acl: readonly Acl[]): Acl[] {
  const seen = new Set<string>();
  return acl.filter(({ perms, id }) => {
    const key = JSON.stringify([perms, id.scheme, id.id]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
