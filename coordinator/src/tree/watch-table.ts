import { eventTypes } from "../wire/constants.ts";
import { parentOf } from "./paths.ts";

/** How long a watch lives and what it covers; a watcher may have several at one path. */
export const watchModes = { once: 1, persistent: 2, recursive: 4 } as const;

/** Of any mode. */
export const watchModesAll = 7;

/** One kind of watch (data or children): who watches which path, looked up both ways. */
export class WatchTable<W extends object> {
  readonly #byPath = new Map<string, Map<W, number>>();
  readonly #byWatcher = new Map<W, Set<string>>();
  #recursiveCount = 0;
  #count = 0;

  /** Pairs of watcher and path. */
  get count(): number {
    return this.#count;
  }

  get pathCount(): number {
    return this.#byPath.size;
  }

  watchers(): Iterable<W> {
    return this.#byWatcher.keys();
  }

  /** Who watches each path. */
  *byPath(): Iterable<readonly [string, Iterable<W>]> {
    for (const [path, here] of this.#byPath) yield [path, here.keys()];
  }

  /** What each watcher watches. */
  byWatcher(): Iterable<readonly [W, Iterable<string>]> {
    return this.#byWatcher;
  }

  add(path: string, watcher: W, mode: number): void {
    let here = this.#byPath.get(path);
    if (here === undefined) {
      here = new Map();
      this.#byPath.set(path, here);
    }
    const before = here.get(watcher) ?? 0;
    here.set(watcher, before | mode);
    if (before === 0) {
      this.#count++;
      const paths = this.#byWatcher.get(watcher);
      if (paths === undefined) this.#byWatcher.set(watcher, new Set([path]));
      else paths.add(path);
    }
    if ((mode & ~before & watchModes.recursive) !== 0) this.#recursiveCount++;
  }

  /** Whether this watcher has one of these modes at this path. */
  has(path: string, watcher: W, modes: number): boolean {
    return ((this.#byPath.get(path)?.get(watcher) ?? 0) & modes) !== 0;
  }

  /** Removes these modes of this watcher at this path; false when it had none of them. */
  remove(path: string, watcher: W, modes = watchModesAll): boolean {
    const here = this.#byPath.get(path);
    const mode = here?.get(watcher) ?? 0;
    if (here === undefined || (mode & modes) === 0) return false;
    if ((mode & ~modes) === 0) {
      this.#drop(path, here, watcher, mode);
      return true;
    }
    here.set(watcher, mode & ~modes);
    if ((mode & modes & watchModes.recursive) !== 0) this.#recursiveCount--;
    return true;
  }

  removeAll(watcher: W): void {
    for (const path of [...(this.#byWatcher.get(watcher) ?? [])]) this.remove(path, watcher);
  }

  /** Adds to `fired` whoever watches what happened at this path; one-shot watches are then used up. */
  fire(path: string, type: number, fired: Set<W>): void {
    const here = this.#byPath.get(path);
    if (here !== undefined) this.#fireHere(path, here, type, fired);
    if (this.#recursiveCount === 0 || type === eventTypes.childrenChanged) return;
    for (let at = path; at !== "/"; ) {
      at = parentOf(at);
      for (const [watcher, mode] of this.#byPath.get(at) ?? []) {
        if ((mode & watchModes.recursive) !== 0) fired.add(watcher);
      }
    }
  }

  #fireHere(path: string, here: Map<W, number>, type: number, fired: Set<W>): void {
    for (const [watcher, mode] of here) {
      const covers =
        (mode & (watchModes.once | watchModes.persistent)) !== 0 ||
        type !== eventTypes.childrenChanged;
      if (!covers) continue;
      fired.add(watcher);
      if (mode === watchModes.once) this.#drop(path, here, watcher, mode);
      else if ((mode & watchModes.once) !== 0) here.set(watcher, mode & ~watchModes.once);
    }
  }

  #drop(path: string, here: Map<W, number>, watcher: W, mode: number): void {
    here.delete(watcher);
    if (here.size === 0) this.#byPath.delete(path);
    const paths = this.#byWatcher.get(watcher)!;
    paths.delete(path);
    if (paths.size === 0) this.#byWatcher.delete(watcher);
    if ((mode & watchModes.recursive) !== 0) this.#recursiveCount--;
    this.#count--;
  }
}
