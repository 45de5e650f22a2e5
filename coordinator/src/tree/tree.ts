import { assert } from "../../../kit/src/assert.ts";
import { containerOwner, type ErrorNumber, errorNumbers, perms } from "../wire/constants.ts";
import type { Acl } from "../wire/records.ts";
import type { Txn } from "../wire/txns.ts";
import { AclPool, aclOpen } from "./acl-pool.ts";
import { type DigestGiven, DigestLog } from "./digest-log.ts";
import { ttlOwner } from "./extended-owners.ts";
import { configPath } from "./paths.ts";
import { Quotas, quotaLimitsOf, quotaStatsTargetOf, quotaTargetOf } from "./quotas.ts";
import { Sessions } from "./sessions.ts";
import { Watches } from "./watches.ts";
import { none, rootId, type ZnodeState, type ZnodesOptions } from "./znode-state.ts";
import { Znodes } from "./znodes.ts";

/** What stands before a txn, as numbers. */
export interface TxnContext {
  readonly sessionId: bigint;
  readonly zxid: number;
  readonly timeMs: number;
}

/** `digests`: whether ZooKeeper's of the tree is kept (`zookeeper.digest.enabled`). */
export type TreeOptions = ZnodesOptions;

/** What became of a txn. */
export interface Outcome {
  readonly error: ErrorNumber;
  /** The znode that was created or changed, whose Stat a reply shows; `none` without one. */
  readonly id: number;
  /** Of a multi: each part's outcome, with the Stat as it was right after that part. */
  readonly parts: readonly (Outcome & { readonly stat: Buffer | undefined })[] | undefined;
}

/**
 * The replicated state: znodes, sessions, ACLs, quotas. `apply` is deterministic, and applying a
 * txn again over a newer state (a fuzzy snapshot's replay) ends in the same state.
 * `W` is what the host knows a watcher by.
 */
export class Tree<W extends object = object> {
  readonly znodes: Znodes;
  readonly acls = new AclPool();
  readonly sessions = new Sessions();
  readonly watches = new Watches<W>();
  readonly quotas: Quotas;
  /** What became of digests that txns and snapshots brought. */
  readonly digests = new DigestLog();
  /** The last txn that was applied. */
  zxidLast = 0;

  constructor(options: TreeOptions = {}) {
    this.znodes = new Znodes(options);
    this.quotas = new Quotas(this.znodes);
  }

  /** A new tree: the root and what every ZooKeeper has below `/zookeeper`. */
  static fresh<W extends object>(options: TreeOptions = {}): Tree<W> {
    const tree = new Tree<W>(options);
    const { znodes, acls } = tree;
    znodes.insert("/", none, blank);
    const proc = znodes.insert("/zookeeper", rootId, blank);
    znodes.insert("/zookeeper/quota", proc, blank);
    const acl = acls.take([{ perms: perms.read, id: { scheme: "world", id: "anyone" } }]);
    znodes.insert(configPath, proc, { ...blank, acl, aversion: -1 });
    return tree;
  }

  /** `digest` is what the txn's proposer says the tree's is afterwards. */
  apply(context: TxnContext, txn: Txn, digest?: DigestGiven): Outcome {
    const outcome = txn.type === "multi" ? this.#multi(context, txn.txns) : this.#one(context, txn);
    this.zxidLast = Math.max(this.zxidLast, context.zxid);
    const actual = this.znodes.digest;
    if (actual !== undefined) this.digests.applied(context.zxid, actual, digest);
    return outcome;
  }

  /**
   * What a member knows of the ensemble by itself: from its file, or since a first leader made that the ensemble's. A change that
   * was proposed is shown by its txn.
   */
  configShow(text: string, version: number): void {
    const id = this.znodes.find(configPath);
    if (id === none || (version > 0 && this.znodes.mzxid(id) >= version)) return;
    this.znodes.dataSet(id, Buffer.from(text));
    this.znodes.modified(id, -1, version, 0);
  }

  aclOf(id: number): readonly Acl[] {
    return this.acls.list(this.znodes.acl(id));
  }

  #one(context: TxnContext, txn: Txn): Outcome {
    switch (txn.type) {
      case "create":
      case "create2":
        return this.#create(context, txn, txn.ephemeral ? context.sessionId : 0n);
      case "createContainer":
        return this.#create(context, txn, containerOwner);
      case "createTTL":
        return this.#create(context, txn, ttlOwner(txn.ttlMs));
      case "delete":
      case "deleteContainer":
        return this.#delete(context, txn.path);
      case "setData":
      case "reconfig":
        return this.#setData(context, txn);
      case "setACL":
        return this.#setAcl(txn);
      case "check":
        return done(none);
      case "createSession":
        this.sessions.add(context.sessionId, txn.timeoutMs);
        return done(none);
      case "closeSession":
        return this.#closeSession(context, txn.paths);
      case "error":
        return failed(txn.error as ErrorNumber);
      case "multi":
        assert(false, "a multi within a multi");
    }
  }

  #multi(context: TxnContext, txns: readonly Txn[]): Outcome {
    const culprit = txns.findIndex((txn) => txn.type === "error");
    if (culprit !== -1) {
      // All or nothing: 0 before the culprit, its own error, "inconsistent at runtime" after it.
      const parts = txns.map((txn, index) => {
        const { OK, RUNTIMEINCONSISTENCY } = errorNumbers;
        const error = txn.type === "error" && index === culprit ? txn.error : undefined;
        const code = error ?? (index < culprit ? OK : RUNTIMEINCONSISTENCY);
        return { ...failed(code as ErrorNumber), stat: undefined };
      });
      return { error: errorNumbers.OK, id: none, parts };
    }
    const parts = txns.map((txn) => {
      const outcome = this.#one(context, txn);
      const stat = outcome.id === none ? undefined : Buffer.from(this.znodes.stat(outcome.id));
      return { ...outcome, stat };
    });
    return { error: errorNumbers.OK, id: none, parts };
  }

  #create(context: TxnContext, txn: CreateTxn, owner: bigint): Outcome {
    const { path, data } = txn;
    const { zxid, timeMs } = context;
    const parent = this.znodes.findParent(path);
    if (parent === none) return failed(errorNumbers.NONODE);
    // Both also when the znode is there already: a replay may find the parent older than the child.
    this.#childCreated(parent, txn.parentCversion, zxid);
    const there = this.znodes.findBelow(parent, path);
    if (there !== none) {
      this.#aclComplete(there, txn.acl);
      return failed(errorNumbers.NODEEXISTS);
    }
    const acl = this.acls.take(txn.acl);
    const id = this.znodes.insert(path, parent, {
      ...blank,
      data,
      acl,
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctime: timeMs,
      mtime: timeMs,
      ephemeralOwner: owner,
    });
    const session = this.znodes.session(id);
    if (session !== undefined) this.sessions.ephemeralAdd(session, path);
    this.quotas.changed(path, 1, data?.length ?? 0);
    this.#quotaFollow(path, id);
    this.watches.created({ path, zxid, acl, parentAcl: this.znodes.acl(parent) });
    return done(id);
  }

  #childCreated(parent: number, parentCversion: number, zxid: number): void {
    const before = this.znodes.creates(parent);
    const creates = parentCversion === -1 ? before + 1 : parentCversion;
    // A difference below 2^31 is a step forward, even over the wrap of an int: so the names are that ZooKeeper promises, and
    // so the digest is that its leader foresees, though its own tree compares the ints as they are and stays behind here.
    if (((creates - before) | 0) <= 0) return;
    this.znodes.createsSet(parent, creates | 0);
    if (zxid > this.znodes.pzxid(parent)) this.znodes.pzxidSet(parent, zxid);
  }

  /** A snapshot may hold a znode that was created while it was written, but not its ACL. */
  #aclComplete(id: number, acl: readonly Acl[]): void {
    const before = this.znodes.acl(id);
    if (!this.acls.isUnlisted(before)) return;
    this.znodes.aclSet(id, this.acls.take(acl), this.znodes.aversion(id));
    this.acls.release(before);
  }

  #delete(context: TxnContext, path: string): Outcome {
    const parent = this.znodes.findParent(path);
    if (parent === none) return failed(errorNumbers.NONODE);
    const { zxid } = context;
    // Also when the znode is gone already: the replay of a fuzzy snapshot must leave the same pzxid.
    if (zxid > this.znodes.pzxid(parent)) this.znodes.pzxidSet(parent, zxid);
    const id = this.znodes.find(path);
    if (id === none) return failed(errorNumbers.NONODE);
    // Children can only be there in a replay, from a later life of this path; their txns follow.
    for (let at = this.znodes.firstChild(id); at !== none; at = this.znodes.firstChild(id)) {
      this.#delete(context, this.znodes.path(at));
    }
    this.#remove(id, path);
    return this.#deleted(id, parent, path, zxid);
  }

  #remove(id: number, path: string): void {
    const session = this.znodes.session(id);
    if (session !== undefined) this.sessions.ephemeralRemove(session, path);
    this.quotas.changed(path, -1, -this.znodes.dataLength(id));
    const target = quotaTargetOf(path);
    if (target !== undefined) this.quotas.limitsRemove(target);
  }

  #deleted(id: number, parent: number, path: string, zxid: number): Outcome {
    const acl = this.znodes.acl(id);
    this.watches.deleted({ path, zxid, acl, parentAcl: this.znodes.acl(parent) });
    this.znodes.remove(id);
    this.acls.release(acl);
    return done(none);
  }

  #setData(context: TxnContext, txn: SetDataTxn): Outcome {
    const id = this.znodes.find(txn.path);
    if (id === none) return failed(errorNumbers.NONODE);
    const { zxid, timeMs } = context;
    const grown = (txn.data?.length ?? 0) - this.znodes.dataLength(id);
    this.znodes.dataSet(id, txn.data);
    this.znodes.modified(id, txn.version, zxid, timeMs);
    if (grown !== 0) this.quotas.changed(txn.path, 0, grown);
    this.#quotaFollow(txn.path, id);
    const acl = this.znodes.acl(id);
    this.watches.dataChanged({ path: txn.path, zxid, acl, parentAcl: acl });
    return done(id);
  }

  #setAcl(txn: SetAclTxn): Outcome {
    const id = this.znodes.find(txn.path);
    if (id === none) return failed(errorNumbers.NONODE);
    const before = this.znodes.acl(id);
    this.znodes.aclSet(id, this.acls.take(txn.acl), txn.version);
    this.acls.release(before);
    return done(id);
  }

  #closeSession(context: TxnContext, paths: readonly string[] | undefined): Outcome {
    for (const path of paths ?? []) this.#delete(context, path);
    for (const path of this.sessions.ephemerals(context.sessionId)) this.#delete(context, path);
    this.sessions.remove(context.sessionId);
    return done(none);
  }

  /** Takes over limits that were written, and fills a stats znode that is new. */
  #quotaFollow(path: string, id: number): void {
    const target = quotaTargetOf(path);
    if (target !== undefined) this.quotas.limitsSet(target, quotaLimitsOf(this.znodes.data(id)));
    const shown = quotaStatsTargetOf(path);
    if (shown !== undefined) this.quotas.show(shown);
  }
}

interface CreateTxn {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[];
  readonly parentCversion: number;
}

interface SetDataTxn {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly version: number;
}

interface SetAclTxn {
  readonly path: string;
  readonly acl: readonly Acl[];
  readonly version: number;
}

const blank: ZnodeState = {
  data: new Uint8Array(0),
  acl: aclOpen,
  czxid: 0,
  mzxid: 0,
  pzxid: 0,
  ctime: 0,
  mtime: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0n,
};

function done(id: number): Outcome {
  return { error: errorNumbers.OK, id, parts: undefined };
}

function failed(error: ErrorNumber): Outcome {
  return { error, id: none, parts: undefined };
}
