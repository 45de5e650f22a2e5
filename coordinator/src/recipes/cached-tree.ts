import { ZooKeeperError } from "../client/errors.ts";
import { childPath, parentPaths } from "../client/paths.ts";
import type { Stat } from "../wire/records.ts";

export interface CachedZnode {
  readonly data: Buffer | null;
  readonly stat: Stat;
}

export interface TreeChange {
  readonly kind: "added" | "changed" | "removed";
  readonly path: string;
  /** With `removed`, the last that was known. */
  readonly znode: CachedZnode;
}

/** Znodes by path, and the names of each one's children. */
export class CachedTree {
  readonly #limits: { readonly znodesMax: number; readonly bytesMax: number };
  readonly #changed: (change: TreeChange) => void;
  readonly #znodes = new Map<string, CachedZnode>();
  readonly #children = new Map<string, Set<string>>();
  #bytes = 0;

  constructor(
    limits: { readonly znodesMax: number; readonly bytesMax: number },
    changed: (change: TreeChange) => void,
  ) {
    this.#limits = limits;
    this.#changed = changed;
  }

  get size(): number {
    return this.#znodes.size;
  }

  get(path: string): CachedZnode | undefined {
    return this.#znodes.get(path);
  }

  children(path: string): readonly string[] {
    return [...(this.#children.get(path) ?? [])];
  }

  paths(): Iterable<string> {
    return this.#znodes.keys();
  }

  /** Throws QUOTAEXCEEDED for one too many. */
  put(path: string, znode: CachedZnode): void {
    const before = this.#znodes.get(path);
    const bytes = this.#bytes + sizeOf(znode) - (before === undefined ? 0 : sizeOf(before));
    const count = this.#znodes.size + (before === undefined ? 1 : 0);
    if (count > this.#limits.znodesMax || bytes > this.#limits.bytesMax) {
      throw new ZooKeeperError("QUOTAEXCEEDED", { path });
    }
    this.#bytes = bytes;
    this.#znodes.set(path, znode);
    if (before === undefined) {
      this.#adopt(path);
      this.#changed({ kind: "added", path, znode });
      return;
    }
    const { czxid, mzxid, aversion } = before.stat;
    const { stat } = znode;
    // A Stat also changes with the children, which their own changes tell of.
    const isSame = stat.czxid === czxid && stat.mzxid === mzxid && stat.aversion === aversion;
    if (!isSame) this.#changed({ kind: "changed", path, znode });
  }

  /** Takes it out with everything below, the deepest first. */
  remove(path: string): void {
    for (const name of this.children(path)) this.remove(childPath(path, name));
    const znode = this.#znodes.get(path);
    if (znode === undefined) return;
    this.#znodes.delete(path);
    this.#bytes -= sizeOf(znode);
    const [parent] = parentPaths(path);
    if (parent !== undefined) {
      const names = this.#children.get(parent);
      names?.delete(path.slice(path.lastIndexOf("/") + 1));
      if (names?.size === 0) this.#children.delete(parent);
    }
    this.#changed({ kind: "removed", path, znode });
  }

  #adopt(path: string): void {
    const [parent] = parentPaths(path);
    if (parent === undefined) return;
    const name = path.slice(path.lastIndexOf("/") + 1);
    const names = this.#children.get(parent);
    if (names === undefined) this.#children.set(parent, new Set([name]));
    else names.add(name);
  }
}

function sizeOf({ data }: CachedZnode): number {
  return data?.length ?? 0;
}
