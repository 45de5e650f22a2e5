import type { Acl } from "../wire/records.ts";
import type { Tree } from "./tree.ts";
import { childTail, dataTail, digestField, headOf, intTail, lifeTail } from "./znode-digest.ts";
import { none } from "./znodes.ts";

/**
 * A znode as it will be once everything proposed is applied: what a check of a later request needs, and what the
 * digest after a change is counted from.
 */
export interface PendingZnode {
  readonly version: number;
  readonly aversion: number;
  /** Creates below it: the counter of sequential names. */
  readonly creates: number;
  readonly childCount: number;
  readonly acl: readonly Acl[];
  /** 0n: not an ephemeral. */
  readonly session: bigint;
  /** A container or a TTL znode. */
  readonly isExpiring: boolean;
  readonly dataLength: number;
  /**
   * The parts of its digest: the head, and the tail in what changes together, each the XOR of what its fields give. They
   * mean nothing where no digest counts it. Ints, as zxids and times would each be an object of their own here.
   */
  readonly head: number;
  readonly dataTail: number;
  readonly childTail: number;
  readonly restTail: number;
}

/** What a txn's header will say. */
export interface TxnStamp {
  readonly zxid: number;
  readonly timeMs: number;
}

/** The digest of a znode. */
export function digestOf(znode: PendingZnode): number {
  return (znode.head ^ znode.dataTail ^ znode.childTail ^ znode.restTail) >>> 0;
}

/** A znode as it is applied; undefined where there is none. */
export function pendingOf<W extends object>(tree: Tree<W>, path: string): PendingZnode | undefined {
  const { znodes } = tree;
  const id = znodes.find(path);
  if (id === none) return undefined;
  const version = znodes.version(id);
  const creates = znodes.creates(id);
  const data = dataTail(version, znodes.mzxid(id), znodes.mtime(id));
  const child = childTail(creates, znodes.pzxid(id));
  return {
    version,
    aversion: znodes.aversion(id),
    creates,
    childCount: znodes.childCount(id),
    acl: tree.aclOf(id),
    session: znodes.session(id) ?? 0n,
    isExpiring: znodes.isExpiring(id),
    dataLength: znodes.dataLength(id),
    head: znodes.digestHead(id),
    dataTail: data,
    childTail: child,
    restTail: znodes.digestTail(id) ^ data ^ child,
  };
}

/** What a request says of a znode that it creates. */
export interface PendingCreate {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[];
  readonly session: bigint;
  /** As it will be stored: the session, or what marks a container or a TTL znode. */
  readonly ephemeralOwner: bigint;
  readonly isExpiring: boolean;
}

/** A znode that is new; `isCounted`: whether a digest counts it. */
export function pendingCreated(
  create: PendingCreate,
  { zxid, timeMs }: TxnStamp,
  isCounted: boolean,
): PendingZnode {
  const { path, data, acl, session, ephemeralOwner, isExpiring } = create;
  return {
    version: 0,
    aversion: 0,
    creates: 0,
    childCount: 0,
    acl,
    session,
    isExpiring,
    dataLength: data?.length ?? 0,
    head: isCounted ? headOf(path, data) : 0,
    dataTail: isCounted ? dataTail(0, zxid, timeMs) : 0,
    childTail: isCounted ? childTail(0, zxid) : 0,
    restTail: isCounted ? lifeTail(zxid, timeMs, ephemeralOwner) : 0,
  };
}

/** A znode right below which one was created. */
export function pendingChildCreated(parent: PendingZnode, zxid: number): PendingZnode {
  const creates = (parent.creates + 1) | 0;
  const childCount = parent.childCount + 1;
  return { ...parent, creates, childCount, childTail: childTail(creates, zxid) };
}

/** A znode right below which one was deleted. */
export function pendingChildDeleted(parent: PendingZnode, zxid: number): PendingZnode {
  const childCount = parent.childCount - 1;
  return { ...parent, childCount, childTail: childTail(parent.creates, zxid) };
}

/** A znode whose data was set; `version` is the one after, `isCounted` as above. */
export function pendingDataSet(
  znode: PendingZnode,
  set: { readonly path: string; readonly data: Uint8Array | null; readonly version: number },
  { zxid, timeMs }: TxnStamp,
  isCounted: boolean,
): PendingZnode {
  const { path, data, version } = set;
  return {
    ...znode,
    version,
    dataLength: data?.length ?? 0,
    head: isCounted ? headOf(path, data) : 0,
    dataTail: dataTail(version, zxid, timeMs),
  };
}

/** A znode whose ACL was set; `aversion` is the one after. */
export function pendingAclSet(
  znode: PendingZnode,
  acl: readonly Acl[],
  aversion: number,
): PendingZnode {
  const before = intTail(digestField.aversion, znode.aversion);
  const restTail = znode.restTail ^ before ^ intTail(digestField.aversion, aversion);
  return { ...znode, acl, aversion, restTail };
}
