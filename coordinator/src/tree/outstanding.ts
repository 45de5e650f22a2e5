import { digestOf, type PendingZnode, pendingOf } from "./pending-znode.ts";
import type { Tree } from "./tree.ts";
import { type DigestSum, TreeDigest } from "./tree-digest.ts";
import { isDigested } from "./znode-digest.ts";

/** One change that is proposed and not applied; `znode` is undefined when it deletes. */
interface Change {
  readonly zxid: number;
  readonly path: string;
  readonly znode: PendingZnode | undefined;
  /** By how much the tree's digest differs after it. */
  readonly digestMoved: number;
  /**
   * What the path was pending as before this, for a multi that is taken back. Forgotten once this is applied: a path that is
   * always pending would else keep all that ever was.
   */
  before: Change | undefined;
  readonly quota: QuotaUse | undefined;
}

/** What a change adds below a path that has a quota. */
export interface QuotaUse {
  readonly governing: string;
  readonly count: number;
  readonly bytes: number;
}

/** What a change does to one path; without `from` it creates, without `to` it deletes. */
export interface PathChange {
  readonly path: string;
  readonly from: PendingZnode | undefined;
  readonly to: PendingZnode | undefined;
  readonly quota?: QuotaUse | undefined;
}

/** The tree as it will be: what is proposed and not yet applied, over what is applied. */
export class Outstanding<W extends object> {
  readonly #tree: Tree<W>;
  readonly #latest = new Map<string, Change>();
  /** Of each session the ephemerals that pending changes leave it, with how many changes do so. */
  readonly #ephemerals = new Map<bigint, Map<string, number>>();
  readonly #quotas = new Map<string, { count: number; bytes: number }>();
  /** The tree's digest after everything that is proposed; in force while anything is. */
  readonly #digest = new TreeDigest();
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
    return pendingOf(this.#tree, path);
  }

  /** The tree's digest after everything that is proposed; undefined where none is kept. */
  get digest(): DigestSum | undefined {
    const applied = this.#tree.znodes.digest;
    return applied === undefined || this.size === 0 ? applied : this.#digest;
  }

  /** Whether a digest counts the znode with this path. */
  isCounted(path: string): boolean {
    return this.#tree.znodes.digest !== undefined && isDigested(path);
  }

  /** Whether something that is proposed and not applied concerns this znode. */
  isChanging(path: string): boolean {
    return this.#latest.has(path);
  }

  change(zxid: number, { path, from, to, quota }: PathChange): void {
    const applied = this.#tree.znodes.digest;
    if (applied !== undefined && this.size === 0) this.#digest.set(applied);
    const digestMoved = this.isCounted(path) ? difference(from, to) : 0;
    this.#digest.add(digestMoved);
    const before = this.#latest.get(path);
    const change: Change = { zxid, path, znode: to, digestMoved, before, quota };
    this.#queue.push(change);
    this.#latest.set(path, change);
    if (quota !== undefined) this.#quotaAdd(quota, 1);
    if (to !== undefined && to.session !== 0n) this.#ephemeralCount(to.session, path, 1);
  }

  /** What is pending below a path that has a quota. */
  quotaUse(governing: string): { readonly count: number; readonly bytes: number } {
    return this.#quotas.get(governing) ?? { count: 0, bytes: 0 };
  }

  /** Every ephemeral that this session will own. */
  ephemerals(sessionId: bigint): readonly string[] {
    const paths = new Set(this.#tree.sessions.ephemerals(sessionId));
    for (const path of this.#ephemerals.get(sessionId)?.keys() ?? []) paths.add(path);
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
      this.#digest.add(-change.digestMoved);
      if (change.before === undefined) this.#latest.delete(change.path);
      else this.#latest.set(change.path, change.before);
      this.#forget(change);
    }
  }

  /** This txn, and so every one before it, is part of the tree now. */
  applied(zxid: number): void {
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.zxid <= zxid) {
      const change = this.#queue[this.#head++]!;
      change.before = undefined;
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
    if (session !== 0n) this.#ephemeralCount(session, change.path, -1);
  }

  #ephemeralCount(session: bigint, path: string, by: 1 | -1): void {
    const paths = this.#ephemerals.get(session) ?? new Map<string, number>();
    const count = (paths.get(path) ?? 0) + by;
    if (count === 0) paths.delete(path);
    else paths.set(path, count);
    if (paths.size === 0) this.#ephemerals.delete(session);
    else this.#ephemerals.set(session, paths);
  }

  #quotaAdd({ governing, count, bytes }: QuotaUse, sign: 1 | -1): void {
    const use = this.#quotas.get(governing) ?? { count: 0, bytes: 0 };
    use.count += count * sign;
    use.bytes += bytes * sign;
    if (use.count === 0 && use.bytes === 0) this.#quotas.delete(governing);
    else this.#quotas.set(governing, use);
  }
}

/** By how much a tree's digest differs when a znode does. */
function difference(from: PendingZnode | undefined, to: PendingZnode | undefined): number {
  return (to === undefined ? 0 : digestOf(to)) - (from === undefined ? 0 : digestOf(from));
}
