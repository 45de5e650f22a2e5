import { eventTypes, watcherTypes } from "../wire/constants.ts";
import { parentOf } from "./paths.ts";
import { WatchTable, watchModes, watchModesAll } from "./watch-table.ts";

/** A watch that went off. The host sends it if the watcher may read under `acl`, the ACL of the znode it speaks of. */
export interface FiredWatch<W> {
  readonly watcher: W;
  readonly type: number;
  readonly path: string;
  readonly zxid: number;
  readonly acl: number;
}

/** Where a change happened, for the watches that it sets off. */
export interface WatchedChange {
  readonly path: string;
  readonly zxid: number;
  readonly acl: number;
  readonly parentAcl: number;
}

/**
 * Data watches (left by exists and getData) and child watches (by getChildren). A persistent watch
 * is in both; a recursive one only among the data watches, since it hears of no children changes.
 */
export class Watches<W extends object> {
  readonly #data = new WatchTable<W>();
  readonly #children = new WatchTable<W>();

  /** What went off since the host last took it; in the order in which it must be sent. */
  fired: FiredWatch<W>[] = [];

  get count(): number {
    return this.#data.count + this.#children.count;
  }

  get pathCount(): number {
    return this.#data.pathCount + this.#children.pathCount;
  }

  get watcherCount(): number {
    return new Set([...this.#data.watchers(), ...this.#children.watchers()]).size;
  }

  /** Data watches alone, as ZooKeeper reports them. */
  dataByPath(): Iterable<readonly [string, Iterable<W>]> {
    return this.#data.byPath();
  }

  dataByWatcher(): Iterable<readonly [W, Iterable<string>]> {
    return this.#data.byWatcher();
  }

  addData(path: string, watcher: W): void {
    this.#data.add(path, watcher, watchModes.once);
  }

  addChildren(path: string, watcher: W): void {
    this.#children.add(path, watcher, watchModes.once);
  }

  addPersistent(path: string, watcher: W): void {
    this.#data.add(path, watcher, watchModes.persistent);
    this.#children.add(path, watcher, watchModes.persistent);
  }

  addRecursive(path: string, watcher: W): void {
    this.#data.add(path, watcher, watchModes.recursive);
  }

  /** Whether there is a watch of this type (`watcherTypes`) to remove. */
  has(path: string, type: number, watcher: W): boolean {
    const { data, children } = modesOf(type);
    return this.#children.has(path, watcher, children) || this.#data.has(path, watcher, data);
  }

  /** False when there was none of this type. */
  remove(path: string, type: number, watcher: W): boolean {
    const { data, children } = modesOf(type);
    const isChildGone = this.#children.remove(path, watcher, children);
    return this.#data.remove(path, watcher, data) || isChildGone;
  }

  /** The watcher is gone. */
  removeAll(watcher: W): void {
    this.#data.removeAll(watcher);
    this.#children.removeAll(watcher);
  }

  created(change: WatchedChange): void {
    if (this.count === 0) return;
    this.#fire(this.#data, change, eventTypes.created);
    this.#fireParent(change);
  }

  deleted(change: WatchedChange): void {
    if (this.count === 0) return;
    // Who watches both data and children of a znode hears once that it is gone.
    const told = this.#fire(this.#data, change, eventTypes.deleted);
    this.#fire(this.#children, change, eventTypes.deleted, told);
    this.#fireParent(change);
  }

  dataChanged(change: WatchedChange): void {
    if (this.count === 0) return;
    this.#fire(this.#data, change, eventTypes.dataChanged);
  }

  #fireParent(change: WatchedChange): void {
    const { path, zxid, parentAcl } = change;
    const parent = { path: parentOf(path), zxid, acl: parentAcl, parentAcl };
    this.#fire(this.#children, parent, eventTypes.childrenChanged);
  }

  #fire(
    table: WatchTable<W>,
    change: WatchedChange,
    type: number,
    told?: ReadonlySet<W>,
  ): ReadonlySet<W> {
    const watchers = new Set<W>();
    const { path, zxid, acl } = change;
    table.fire(path, type, watchers);
    for (const watcher of watchers) {
      if (!told?.has(watcher)) this.fired.push({ watcher, type, path, zxid, acl });
    }
    return watchers;
  }
}

/** Which modes of which table a type of watch means. */
function modesOf(type: number): { readonly data: number; readonly children: number } {
  switch (type) {
    case watcherTypes.children:
      return { data: 0, children: watchModes.once };
    case watcherTypes.data:
      return { data: watchModes.once, children: 0 };
    case watcherTypes.persistent:
      return { data: watchModes.persistent, children: watchModes.persistent };
    case watcherTypes.persistentRecursive:
      return { data: watchModes.recursive, children: 0 };
  }
  return { data: watchModesAll, children: watchModesAll };
}
