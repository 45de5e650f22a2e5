import {
  containerOwner,
  createModes,
  type ErrorNumber,
  errorNumbers,
  perms,
  ttlMsMax,
  versionAny,
} from "../wire/constants.ts";
import type { MultiOp } from "../wire/multi.ts";
import type {
  Acl,
  CreateRequest,
  CreateTtlRequest,
  Id,
  PathRequest,
  SetAclRequest,
  SetDataRequest,
  VersionRequest,
} from "../wire/records.ts";
import type { Txn, TxnDigest } from "../wire/txns.ts";
import { aclGrowth, aclResolve, isAllowed } from "./acl.ts";
import { LeaderSessions, type SessionOwner } from "./leader-sessions.ts";
import { aclGrowthBytesMax, closePathsBytesMax, multiOpsMax } from "./limits.ts";
import { Outstanding, type QuotaUse } from "./outstanding.ts";
import { configPath, isPathValid, isReserved, parentOf } from "./paths.ts";
import {
  type PendingCreate,
  type PendingZnode,
  pendingAclSet,
  pendingChildCreated,
  pendingChildDeleted,
  pendingCreated,
  pendingDataSet,
  type TxnStamp,
} from "./pending-znode.ts";
import type { Tree } from "./tree.ts";
import { digestVersion } from "./znode-digest.ts";
import { ttlOwner } from "./znodes.ts";

/** One operation of a multi, or a request of its own. */
export type ChangeRequest =
  | ({ readonly op: "create" | "create2" | "createContainer" } & CreateRequest)
  | ({ readonly op: "createTTL" } & CreateTtlRequest)
  | ({ readonly op: "delete" | "check" } & VersionRequest)
  | ({ readonly op: "deleteContainer" } & PathRequest)
  | ({ readonly op: "setData" } & SetDataRequest)
  | ({ readonly op: "setACL" } & SetAclRequest);

/** A request that changes the tree. */
export type WriteRequest =
  | ChangeRequest
  | { readonly op: "multi"; readonly ops: readonly MultiOp[] }
  | { readonly op: "createSession"; readonly timeoutMs: number }
  | { readonly op: "closeSession" }
  /** `plan` says the configuration's text as this zxid brings it, or why there will be none. It changes nothing. */
  | { readonly op: "reconfig"; readonly plan: (zxid: number) => string | ErrorNumber }
  /** A learner's request that cannot be read, or is not known. */
  | { readonly op: "refuse"; readonly error: ErrorNumber }
  /** The server itself takes away a container or a TTL znode whose time has come. */
  | { readonly op: "expire"; readonly path: string };

/** Who asks: the session, and every identity its connection has. */
export interface Caller {
  readonly sessionId: bigint;
  readonly ids: readonly Id[];
  /** Whom the request came through; undefined when the server asks by itself. */
  readonly owner?: SessionOwner | undefined;
}

export interface PreparerOptions {
  /** Without it hard limits of quotas refuse nothing. Default true. */
  readonly enforceQuota?: boolean | undefined;
  /** Whether a session that the tree does not know may write, but no ephemeral. Default: none. */
  readonly isLocal?: ((sessionId: bigint) => boolean) | undefined;
}

/** What is to be proposed. */
export interface Prepared {
  readonly txn: Txn;
  /** The tree's digest after it; none with an error, and where none is kept. */
  readonly digest: TxnDigest | undefined;
}

/**
 * Turns requests into txns, checked against the tree plus everything proposed before. What is
 * refused becomes an error txn: it takes a zxid and its place in the order, as in ZooKeeper.
 */
export class Preparer<W extends object> {
  readonly #tree: Tree<W>;
  readonly #outstanding: Outstanding<W>;
  readonly #enforceQuota: boolean;
  #parentLast = "/";
  /** By how many bytes the ACLs of the request at hand have grown. */
  #aclGrown = 0;
  /** A new one whenever this server begins to lead. */
  readonly sessions: LeaderSessions;

  constructor(tree: Tree<W>, { enforceQuota = true, isLocal }: PreparerOptions = {}) {
    this.#tree = tree;
    this.#enforceQuota = enforceQuota;
    this.sessions = new LeaderSessions(tree.sessions, isLocal);
    this.#outstanding = new Outstanding(tree);
  }

  /** Changes that are proposed and not applied. */
  get outstanding(): number {
    return this.#outstanding.size;
  }

  prepare(request: WriteRequest, caller: Caller, stamp: TxnStamp): Prepared {
    this.#aclGrown = 0;
    const txn = this.#txn(request, caller, stamp);
    if (txn.type === "error") return { txn, digest: undefined };
    const after = this.#outstanding.digest;
    if (after === undefined) return { txn, digest: undefined };
    return { txn, digest: { version: digestVersion, high: after.high, low: after.low } };
  }

  /** To be called after each apply. */
  applied(zxid: number, txn: Txn, sessionId: bigint): void {
    this.#outstanding.applied(zxid);
    if (txn.type === "createSession") this.sessions.opened(sessionId);
    if (txn.type === "closeSession") this.sessions.closed(sessionId);
  }

  #txn(request: WriteRequest, caller: Caller, stamp: TxnStamp): Txn {
    const { sessionId, owner } = caller;
    if (request.op === "createSession") {
      this.sessions.opening(sessionId, owner);
      return { type: "createSession", timeoutMs: request.timeoutMs };
    }
    if (request.op === "refuse") return errorTxn(request.error);
    if (request.op === "expire") return this.#expire(request.path, stamp);
    const refusal = this.sessions.refusal(sessionId, owner);
    if (request.op === "multi") return this.#multi(request.ops, caller, stamp, refusal);
    if (refusal !== undefined) return errorTxn(refusal);
    if (request.op === "closeSession") return this.#closeSession(caller, stamp);
    const txn =
      request.op === "reconfig"
        ? this.#reconfig(request.plan, caller, stamp)
        : this.#one(request, caller, stamp);
    if (typeof txn === "number") return errorTxn(txn);
    // A check by itself changes nothing, and Apache's servers cannot read a txn of it outside of a multi.
    return txn.type === "check" ? errorTxn(errorNumbers.OK) : txn;
  }

  #one(request: ChangeRequest, caller: Caller, stamp: TxnStamp): Txn | ErrorNumber {
    switch (request.op) {
      case "create":
      case "create2":
      case "createContainer":
      case "createTTL":
        return this.#create(request, caller, stamp);
      case "delete":
        return this.#delete(request.path, request.version, caller, stamp);
      case "deleteContainer":
        return this.#deleteContainer(request.path, caller, stamp);
      case "setData":
        return this.#setData(request, caller, stamp);
      case "setACL":
        return this.#setAcl(request, caller, stamp);
      case "check":
        return this.#check(request.path, request.version, caller);
    }
  }

  #multi(
    ops: readonly MultiOp[],
    caller: Caller,
    stamp: TxnStamp,
    refusal: ErrorNumber | undefined,
  ): Txn {
    if (ops.length > multiOpsMax) return errorTxn(errorNumbers.BADARGUMENTS);
    const mark = this.#outstanding.mark();
    const txns: Txn[] = [];
    let isFailed = false;
    for (const op of ops) {
      if ("watch" in op) {
        this.#outstanding.rollback(mark);
        return errorTxn(errorNumbers.MARSHALLINGERROR);
      }
      const txn: Txn | ErrorNumber = isFailed
        ? errorNumbers.RUNTIMEINCONSISTENCY
        : (refusal ?? this.#one(op, caller, stamp));
      isFailed ||= typeof txn === "number";
      txns.push(typeof txn === "number" ? errorTxn(txn) : txn);
    }
    if (isFailed) this.#outstanding.rollback(mark);
    return { type: "multi", txns };
  }

  #create(request: CreateOp, { ids, sessionId }: Caller, stamp: TxnStamp): Txn | ErrorNumber {
    const { data, flags } = request;
    const kind = kindOf(request);
    if (kind === undefined) return errorNumbers.BADARGUMENTS;
    if (!request.path.includes("/") || request.path.includes("\0"))
      return errorNumbers.BADARGUMENTS;
    // An ephemeral of a session that only one member knows would outlive it on all others.
    const isEphemeral = kind.type === "plain" && kind.ephemeral;
    if (isEphemeral && !this.sessions.isOpen(sessionId)) return errorNumbers.SESSIONEXPIRED;
    const acl = this.#aclResolve(request.acl, ids);
    if (acl === undefined) return errorNumbers.INVALIDACL;
    const parentPath = this.#parentOf(request.path);
    const parent = this.#outstanding.find(parentPath);
    if (parent === undefined) return errorNumbers.NONODE;
    if (!isAllowed(parent.acl, perms.create, ids)) return errorNumbers.NOAUTH;
    const path = isSequential(flags) ? request.path + sequenceText(parent.creates) : request.path;
    if (!isPathValid(path)) return errorNumbers.BADARGUMENTS;
    if (this.#outstanding.find(path) !== undefined) return errorNumbers.NODEEXISTS;
    if (parent.session !== 0n) return errorNumbers.NOCHILDRENFOREPHEMERALS;
    const dataLength = data?.length ?? 0;
    const quota = this.#quotaUse(path, 1, dataLength);
    if (quota !== undefined && this.#isOverQuota(quota)) return errorNumbers.QUOTAEXCEEDED;
    const after = pendingChildCreated(parent, stamp.zxid);
    this.#outstanding.change(stamp.zxid, { path: parentPath, from: parent, to: after });
    const create = { path, data, acl, ...ownerOf(kind, sessionId) };
    const znode = pendingCreated(create, stamp, this.#outstanding.isCounted(path));
    this.#outstanding.change(stamp.zxid, { path, from: undefined, to: znode, quota });
    return createTxn(request, kind, { path, data, acl, parentCversion: after.creates });
  }

  #delete(path: string, version: number, { ids }: Caller, stamp: TxnStamp): Txn | ErrorNumber {
    if (!isDeletable(path)) return errorNumbers.BADARGUMENTS;
    const parent = this.#outstanding.find(this.#parentOf(path));
    if (parent === undefined) return errorNumbers.NONODE;
    if (!isAllowed(parent.acl, perms.delete, ids)) return errorNumbers.NOAUTH;
    const znode = this.#outstanding.find(path);
    if (znode === undefined) return errorNumbers.NONODE;
    if (version !== versionAny && version !== znode.version) return errorNumbers.BADVERSION;
    if (znode.childCount > 0) return errorNumbers.NOTEMPTY;
    this.#deleteChange(path, parent, znode, stamp.zxid);
    return { type: "delete", path };
  }

  /** What ZooKeeper's leader sends itself to delete a container; clients may, too, and then it deletes any but an ephemeral. */
  #deleteContainer(path: string, { ids }: Caller, stamp: TxnStamp): Txn | ErrorNumber {
    if (!isDeletable(path)) return errorNumbers.BADARGUMENTS;
    const znode = this.#outstanding.find(path);
    if (znode === undefined) return errorNumbers.NONODE;
    if (znode.childCount > 0) return errorNumbers.NOTEMPTY;
    if (znode.session !== 0n) return errorNumbers.BADVERSION;
    const parent = this.#outstanding.find(this.#parentOf(path))!;
    // Apache checks no right here; a client that may not delete shall not do so by another name.
    if (!isAllowed(parent.acl, perms.delete, ids)) return errorNumbers.NOAUTH;
    this.#deleteChange(path, parent, znode, stamp.zxid);
    return { type: "deleteContainer", path };
  }

  #expire(path: string, stamp: TxnStamp): Txn {
    const parent = this.#outstanding.find(this.#parentOf(path));
    const znode = this.#outstanding.find(path);
    if (parent === undefined || znode === undefined) return errorTxn(errorNumbers.NONODE);
    // What is under way may bring it a child or new life: the next look at it decides.
    if (znode.childCount > 0 || this.#outstanding.isChanging(path)) {
      return errorTxn(errorNumbers.NOTEMPTY);
    }
    if (!znode.isExpiring) return errorTxn(errorNumbers.BADVERSION);
    this.#deleteChange(path, parent, znode, stamp.zxid);
    return { type: "deleteContainer", path };
  }

  #setData(request: SetDataRequest, { ids }: Caller, stamp: TxnStamp): Txn | ErrorNumber {
    const { path, data } = request;
    const znode = isPathValid(path) ? this.#outstanding.find(path) : errorNumbers.BADARGUMENTS;
    if (typeof znode === "number") return znode;
    if (znode === undefined) return errorNumbers.NONODE;
    if (!isAllowed(znode.acl, perms.write, ids)) return errorNumbers.NOAUTH;
    const dataLength = data?.length ?? 0;
    const quota = this.#quotaUse(path, 0, dataLength - znode.dataLength);
    if (quota !== undefined && this.#isOverQuota(quota)) return errorNumbers.QUOTAEXCEEDED;
    const version = versionNext(znode.version, request.version);
    if (version === undefined) return errorNumbers.BADVERSION;
    const isCounted = this.#outstanding.isCounted(path);
    const to = pendingDataSet(znode, { path, data, version }, stamp, isCounted);
    this.#outstanding.change(stamp.zxid, { path, from: znode, to, quota });
    return { type: "setData", path, data, version };
  }

  #setAcl(request: SetAclRequest, { ids }: Caller, stamp: TxnStamp): Txn | ErrorNumber {
    const { path } = request;
    if (!isPathValid(path)) return errorNumbers.BADARGUMENTS;
    const acl = this.#aclResolve(request.acl, ids);
    if (acl === undefined) return errorNumbers.INVALIDACL;
    const znode = this.#outstanding.find(path);
    if (znode === undefined) return errorNumbers.NONODE;
    if (!isAllowed(znode.acl, perms.admin, ids)) return errorNumbers.NOAUTH;
    const aversion = versionNext(znode.aversion, request.version);
    if (aversion === undefined) return errorNumbers.BADVERSION;
    const to = pendingAclSet(znode, acl, aversion);
    this.#outstanding.change(stamp.zxid, { path, from: znode, to });
    return { type: "setACL", path, acl, version: aversion };
  }

  #check(path: string, expected: number, { ids }: Caller): Txn | ErrorNumber {
    if (!isPathValid(path)) return errorNumbers.BADARGUMENTS;
    const znode = this.#outstanding.find(path);
    if (znode === undefined) return errorNumbers.NONODE;
    if (!isAllowed(znode.acl, perms.read, ids)) return errorNumbers.NOAUTH;
    const version = versionNext(znode.version, expected);
    return version === undefined ? errorNumbers.BADVERSION : { type: "check", path, version };
  }

  #closeSession({ sessionId }: Caller, { zxid }: TxnStamp): Txn {
    const paths = this.#outstanding.ephemerals(sessionId);
    for (const path of paths) {
      const parent = this.#outstanding.find(this.#parentOf(path))!;
      this.#deleteChange(path, parent, this.#outstanding.find(path)!, zxid);
    }
    this.sessions.closing(sessionId);
    const bytes = paths.reduce((sum, path) => sum + 4 + Buffer.byteLength(path), 0);
    return { type: "closeSession", paths: bytes > closePathsBytesMax ? [] : paths };
  }

  #aclResolve(asked: readonly Acl[], ids: readonly Id[]): readonly Acl[] | undefined {
    const acl = aclResolve(asked, ids);
    if (acl === undefined || acl === asked) return acl;
    this.#aclGrown += aclGrowth(asked, acl);
    return this.#aclGrown > aclGrowthBytesMax ? undefined : acl;
  }

  #reconfig(
    plan: (zxid: number) => string | ErrorNumber,
    { ids }: Caller,
    stamp: TxnStamp,
  ): Txn | ErrorNumber {
    const text = plan(stamp.zxid);
    if (typeof text === "number") return text;
    const znode = this.#outstanding.find(configPath);
    if (znode === undefined) return errorNumbers.NONODE;
    if (!isAllowed(znode.acl, perms.write, ids)) return errorNumbers.NOAUTH;
    const set = { path: configPath, data: Buffer.from(text), version: configVersion };
    const to = pendingDataSet(znode, set, stamp, this.#outstanding.isCounted(configPath));
    this.#outstanding.change(stamp.zxid, { path: configPath, from: znode, to });
    return { type: "reconfig", ...set };
  }

  #deleteChange(path: string, parent: PendingZnode, znode: PendingZnode, zxid: number): void {
    const quota = this.#quotaUse(path, -1, -znode.dataLength);
    const to = pendingChildDeleted(parent, zxid);
    this.#outstanding.change(zxid, { path: this.#parentOf(path), from: parent, to });
    this.#outstanding.change(zxid, { path, from: znode, to: undefined, quota });
  }

  /** As `parentOf`. Mostly it is the very string of the time before, whose hash is known. */
  #parentOf(path: string): string {
    const last = this.#parentLast;
    if (path.lastIndexOf("/") !== last.length || !path.startsWith(last)) {
      this.#parentLast = parentOf(path);
    }
    return this.#parentLast;
  }

  #quotaUse(path: string, count: number, bytes: number): QuotaUse | undefined {
    const governing = this.#tree.quotas.governing(path);
    return governing === undefined ? undefined : { governing, count, bytes };
  }

  #isOverQuota({ governing, count, bytes }: QuotaUse): boolean {
    if (!this.#enforceQuota) return false;
    const pending = this.#outstanding.quotaUse(governing);
    // What is only proposed counts, but a proposed delete gives no room before it is applied.
    const countPending = Math.max(0, pending.count);
    const bytesPending = Math.max(0, pending.bytes);
    const { quotas } = this.#tree;
    return (
      (count > 0 && quotas.isExceeded(governing, countPending + count, 0)) ||
      (bytes > 0 && quotas.isExceeded(governing, 0, bytesPending + bytes))
    );
  }
}

type CreateOp = Extract<ChangeRequest, { op: `create${string}` }>;

/** What kind of znode a create makes; undefined for one whose flags and TTL do not fit each other. */
type Kind =
  | { readonly type: "plain"; readonly ephemeral: boolean }
  | { readonly type: "container" }
  | { readonly type: "ttl"; readonly ttlMs: bigint };

function kindOf(request: CreateOp): Kind | undefined {
  const { op, flags } = request;
  if (flags < createModes.persistent || flags > createModes.persistentSequentialWithTtl) {
    return undefined;
  }
  const ttlMs = op === "createTTL" ? request.ttlMs : -1n;
  if (flags >= createModes.persistentWithTtl) {
    return ttlMs > 0n && ttlMs <= BigInt(ttlMsMax) ? { type: "ttl", ttlMs } : undefined;
  }
  if (ttlMs >= 0n) return undefined;
  if (op === "createContainer" || flags === createModes.container) return { type: "container" };
  return { type: "plain", ephemeral: (flags & createModes.ephemeral) !== 0 };
}

function isDeletable(path: string): boolean {
  return path.includes("/") && !path.includes("\0") && !isReserved(path);
}

function isSequential(flags: number): boolean {
  if (flags === createModes.persistentSequentialWithTtl) return true;
  return flags < createModes.container && (flags & createModes.persistentSequential) !== 0;
}

function createTxn(
  { op }: CreateOp,
  kind: Kind,
  common: {
    readonly path: string;
    readonly data: Uint8Array | null;
    readonly acl: readonly Acl[];
    readonly parentCversion: number;
  },
): Txn {
  if (kind.type === "container") return { type: "createContainer", ...common };
  if (kind.type === "ttl") return { type: "createTTL", ...common, ttlMs: kind.ttlMs };
  const type = op === "create" ? "create" : "create2";
  return { type, ...common, ephemeral: kind.ephemeral };
}

/** Who owns a znode of this kind, and whether the server will delete it by itself. */
function ownerOf(
  kind: Kind,
  sessionId: bigint,
): Pick<PendingCreate, "session" | "ephemeralOwner" | "isExpiring"> {
  if (kind.type === "plain") {
    const session = kind.ephemeral ? sessionId : 0n;
    return { session, ephemeralOwner: session, isExpiring: false };
  }
  const ephemeralOwner = kind.type === "container" ? containerOwner : ttlOwner(kind.ttlMs);
  return { session: 0n, ephemeralOwner, isExpiring: true };
}

/** The Stat of the configuration shows this whatever was before; its text has a version of its own. */
const configVersion = -1;

function errorTxn(error: number): Txn {
  return { type: "error", error };
}

/** The version after a change that expects this one; undefined when it expects another. Wraps as Java's int. */
function versionNext(current: number, expected: number): number | undefined {
  return expected === versionAny || expected === current ? (current + 1) | 0 : undefined;
}

/** Ten digits, as Java's `%010d`: the sign of a counter that has wrapped takes one of them. */
function sequenceText(counter: number): string {
  if (counter >= 0) return String(counter).padStart(10, "0");
  return `-${String(-counter).padStart(9, "0")}`;
}
