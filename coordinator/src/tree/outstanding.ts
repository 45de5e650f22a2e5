import type { Acl } from "../wire/records.ts";
import type { Tree } from "./tree.ts";
import { none } from "./znodes.ts";

/** A znode as it will be once everything proposed is applied: only what a check of a later request needs. */
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
}

/** One change that is proposed and not applied; `znode` is undefined when it deletes. */
interface Change {
  readonly zxid: number;
  readonly path: string;
  readonly znode: PendingZnode | undefined;
  /** What the path was pending as before this, for a multi that is taken back. */
  readonly before: Change | undefined;
  readonly quota: QuotaUse | undefined;
}

/** What a change adds below a path that has a quota. */
export interface QuotaUse {
  readonly governing: string;
  readonly count: number;
  readonly bytes: number;
}

/** The tree as it will be: what is proposed and not yet applied, over what is applied. */
export class Outstanding<W extends object> {
  readonly #tree: Tree<W>;
  readonly #latest = new Map<string, Change>();
  readonly #ephemerals = new Map<bigint, Set<string>>();
  readonly #quotas = new Map<string, { count: number; bytes: number }>();
  #queue: Change[] = [];
  #head = 0;

  constructor(tree: Tree<W>) {
    this.#tree = tree;
  }

  get size(): number {
    return this.#queue.length - this.#head;
  }

  find(path: string): PendingZnode | undefined {
    const change = this.#latest.get(path);
    if (change !== undefined) return change.znode;
    const { znodes } = this.#tree;
    const id = znodes.find(path);
    if (id === none) return undefined;
    return {
      version: znodes.version(id),
      aversion: znodes.aversion(id),
      creates: znodes.creates(id),
      childCount: znodes.childCount(id),
      acl: this.#tree.aclOf(id),
      session: znodes.session(id) ?? 0n,
      isExpiring: znodes.isExpiring(id),
      dataLength: znodes.dataLength(id),
    };
  }

  /** Whether something that is proposed and not applied concerns this znode. */
  isChanging(path: string): boolean {
    return this.#latest.has(path);
  }

  change(zxid: number, path: string, znode: PendingZnode | undefined, quota?: QuotaUse): void {
    const before = this.#latest.get(path);
    const change: Change = { zxid, path, znode, before, quota };
    this.#queue.push(change);
    this.#latest.set(path, change);
    if (quota !== undefined) this.#quotaAdd(quota, 1);
    if (znode !== undefined && znode.session !== 0n) this.#ephemeralAdd(znode.session, path);
  }

  /** What is pending below a path that has a quota. */
  quotaUse(governing: string): { readonly count: number; readonly bytes: number } {
    return this.#quotas.get(governing) ?? { count: 0, bytes: 0 };
  }

  /** Every ephemeral that this session will own. */
  ephemerals(sessionId: bigint): readonly string[] {
    const paths = new Set(this.#tree.sessions.ephemerals(sessionId));
    for (const path of this.#ephemerals.get(sessionId) ?? []) paths.add(path);
    return [...paths].filter((path) => {
      const change = this.#latest.get(path);
      return change === undefined || change.znode?.session === sessionId;
    });
  }

  /** A place to come back to with `rollback`. */
  mark(): number {
    return this.#queue.length;
  }

  /** Takes back every change since the mark. */
  rollback(mark: number): void {
    while (this.#queue.length > mark) {
      const change = this.#queue.pop()!;
      if (change.before === undefined) this.#latest.delete(change.path);
      else this.#latest.set(change.path, change.before);
      this.#forget(change);
    }
  }

  /** This txn, and so every one before it, is part of the tree now. */
  applied(zxid: number): void {
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.zxid <= zxid) {
      const change = this.#queue[this.#head++]!;
      if (this.#latest.get(change.path) === change) this.#latest.delete(change.path);
      this.#forget(change);
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 4096 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  #forget(change: Change): void {
    if (change.quota !== undefined) this.#quotaAdd(change.quota, -1);
    const session = change.znode?.session ?? 0n;
    if (session === 0n) return;
    const paths = this.#ephemerals.get(session);
    paths?.delete(change.path);
    if (paths?.size === 0) this.#ephemerals.delete(session);
  }

  #ephemeralAdd(session: bigint, path: string): void {
    const paths = this.#ephemerals.get(session);
    if (paths === undefined) this.#ephemerals.set(session, new Set([path]));
    else paths.add(path);
  }

  #quotaAdd({ governing, count, bytes }: QuotaUse, sign: 1 | -1): void {
    const use = this.#quotas.get(governing) ?? { count: 0, bytes: 0 };
    use.count += count * sign;
    use.bytes += bytes * sign;
    if (use.count === 0 && use.bytes === 0) this.#quotas.delete(governing);
    else this.#quotas.set(governing, use);
  }
}
