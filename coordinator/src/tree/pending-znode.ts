import type { Acl } from "../wire/records.ts";
import type { Tree } from "./tree.ts";
import { digestField, headOf, intMoved, numberMoved, tailOf } from "./znode-digest.ts";
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
  readonly mzxid: number;
  readonly pzxid: number;
  readonly mtime: number;
  /** The two parts of its digest; they mean nothing where no digest counts it. */
  readonly head: number;
  readonly tail: number;
}

/** What a txn's header will say. */
export interface TxnStamp {
  readonly zxid: number;
  readonly timeMs: number;
}

/** A znode as it is applied; undefined where there is none. */
export function pendingOf<W extends object>(tree: Tree<W>, path: string): PendingZnode | undefined {
  const { znodes } = tree;
  const id = znodes.find(path);
  if (id === none) return undefined;
  return {
    version: znodes.version(id),
    aversion: znodes.aversion(id),
    creates: znodes.creates(id),
    childCount: znodes.childCount(id),
    acl: tree.aclOf(id),
    session: znodes.session(id) ?? 0n,
    isExpiring: znodes.isExpiring(id),
    dataLength: znodes.dataLength(id),
    mzxid: znodes.mzxid(id),
    pzxid: znodes.pzxid(id),
    mtime: znodes.mtime(id),
    head: znodes.digestHead(id),
    tail: znodes.digestTail(id),
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
  const times = { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: timeMs, mtime: timeMs };
  return {
    version: 0,
    aversion: 0,
    creates: 0,
    childCount: 0,
    acl,
    session,
    isExpiring,
    dataLength: data?.length ?? 0,
    mzxid: zxid,
    pzxid: zxid,
    mtime: timeMs,
    head: isCounted ? headOf(path, data) : 0,
    tail: isCounted ? tailOf({ ...times, ...versionsOfNew, ephemeralOwner }) : 0,
  };
}

/** A znode right below which one was created. */
export function pendingChildCreated(parent: PendingZnode, zxid: number): PendingZnode {
  const creates = (parent.creates + 1) | 0;
  const moved =
    intMoved(digestField.cversion, parent.creates, creates) ^
    numberMoved(digestField.pzxid, parent.pzxid, zxid);
  const childCount = parent.childCount + 1;
  return { ...parent, creates, childCount, pzxid: zxid, tail: parent.tail ^ moved };
}

/** A znode right below which one was deleted. */
export function pendingChildDeleted(parent: PendingZnode, zxid: number): PendingZnode {
  const moved = numberMoved(digestField.pzxid, parent.pzxid, zxid);
  const childCount = parent.childCount - 1;
  return { ...parent, childCount, pzxid: zxid, tail: parent.tail ^ moved };
}

/** A znode whose data was set; `version` is the one after, `isCounted` as above. */
export function pendingDataSet(
  znode: PendingZnode,
  set: { readonly path: string; readonly data: Uint8Array | null; readonly version: number },
  { zxid, timeMs }: TxnStamp,
  isCounted: boolean,
): PendingZnode {
  const { path, data, version } = set;
  const moved =
    intMoved(digestField.version, znode.version, version) ^
    numberMoved(digestField.mzxid, znode.mzxid, zxid) ^
    numberMoved(digestField.mtime, znode.mtime, timeMs);
  return {
    ...znode,
    version,
    dataLength: data?.length ?? 0,
    mzxid: zxid,
    mtime: timeMs,
    head: isCounted ? headOf(path, data) : 0,
    tail: znode.tail ^ moved,
  };
}

/** A znode whose ACL was set; `aversion` is the one after. */
export function pendingAclSet(
  znode: PendingZnode,
  acl: readonly Acl[],
  aversion: number,
): PendingZnode {
  const moved = intMoved(digestField.aversion, znode.aversion, aversion);
  return { ...znode, acl, aversion, tail: znode.tail ^ moved };
}

const versionsOfNew = { version: 0, cversion: 0, aversion: 0 };
