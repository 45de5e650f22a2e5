import { eventTypes } from "../wire/constants.ts";
import { setWatchesBytesMax } from "./limits.ts";
import { parentPaths } from "./paths.ts";

/**
 * What happened. `missed`: events may have been lost, read again; a one-shot watch is then gone (its
 * session expired), a persistent one stays in force (the connection or the session is another).
 */
export interface WatchEvent {
  readonly kind: "created" | "deleted" | "dataChanged" | "childrenChanged" | "missed";
  /** Of the znode; with `missed`, the path that is watched. */
  readonly path: string;
  /** Of the change; undefined where the server does not say (before 3.9). */
  readonly zxid: bigint | undefined;
}

/** Called in the order of the server's events, before the reply to any request that shows the change. */
export type Watcher = (event: WatchEvent) => void;

/** `exists`: on a path that had no znode. */
export type OneShotKind = "data" | "exists" | "children";
export type PersistentKind = "persistent" | "persistentRecursive";
export type WatchKind = OneShotKind | PersistentKind;

/** Paths to set again on a connection, as a setWatches2 request lists them. */
export type WatchPaths = { readonly [K in WatchKind]: readonly string[] };

const kinds = ["data", "exists", "children", "persistent", "persistentRecursive"] as const;

const oneShotsFired: Readonly<Record<number, readonly OneShotKind[]>> = {
  [eventTypes.created]: ["data", "exists"],
  [eventTypes.dataChanged]: ["data", "exists"],
  [eventTypes.deleted]: ["data", "exists", "children"],
  [eventTypes.childrenChanged]: ["children"],
};

const eventKinds: Readonly<Record<number, WatchEvent["kind"]>> = {
  [eventTypes.created]: "created",
  [eventTypes.dataChanged]: "dataChanged",
  [eventTypes.deleted]: "deleted",
  [eventTypes.childrenChanged]: "childrenChanged",
};

/** Who is to be called for which server path. */
export class WatchRegistry {
  readonly #watchers: { readonly [K in WatchKind]: Map<string, Set<Watcher>> } = {
    data: new Map(),
    exists: new Map(),
    children: new Map(),
    persistent: new Map(),
    persistentRecursive: new Map(),
  };
  /** Requests under way that set a watch, by path. */
  readonly #expected = new Map<string, number>();

  /** Says that a request under way will set a watch; returns how to say that it has ended. */
  expect(path: string): () => void {
    this.#expected.set(path, (this.#expected.get(path) ?? 0) + 1);
    return () => {
      const count = (this.#expected.get(path) as number) - 1;
      if (count === 0) this.#expected.delete(path);
      else this.#expected.set(path, count);
    };
  }

  add(kind: WatchKind, path: string, watcher: Watcher): void {
    const at = this.#watchers[kind].get(path);
    if (at === undefined) this.#watchers[kind].set(path, new Set([watcher]));
    else at.add(watcher);
  }

  /** Says whether it was there, and whether anything else of this client watches the path, or is about to. */
  remove(
    kind: WatchKind,
    path: string,
    watcher: Watcher,
  ): { readonly wasThere: boolean; readonly isPathWatched: boolean } {
    const at = this.#watchers[kind].get(path);
    const wasThere = at?.delete(watcher) === true;
    if (at?.size === 0) this.#watchers[kind].delete(path);
    const isPathWatched =
      this.#expected.has(path) || kinds.some((each) => this.#watchers[each].has(path));
    return { wasThere, isPathWatched };
  }

  /** Calls who watches; one-shot watches are gone before their watcher is called. */
  fire(type: number, path: string, zxid: bigint | undefined): void {
    const kind = eventKinds[type];
    if (kind === undefined) return;
    const called = new Set<Watcher>();
    for (const each of oneShotsFired[type] ?? []) {
      for (const watcher of this.#watchers[each].get(path) ?? []) called.add(watcher);
      this.#watchers[each].delete(path);
    }
    for (const watcher of this.#watchers.persistent.get(path) ?? []) called.add(watcher);
    // The children's own events reach a recursive watch, so it never gets this one.
    if (kind !== "childrenChanged") this.#addRecursive(path, called);
    for (const watcher of called) callOut(() => watcher({ kind, path, zxid }));
  }

  /** Tells watchers that events may be lost; for the one-shot watches that is the end. */
  missed(whose: "oneShot" | "persistent"): void {
    const lost =
      whose === "oneShot"
        ? (["data", "exists", "children"] as const)
        : (["persistent", "persistentRecursive"] as const);
    const told: [Watcher, string][] = [];
    for (const kind of lost) {
      for (const [path, watchers] of this.#watchers[kind]) {
        for (const watcher of watchers) told.push([watcher, path]);
      }
      if (whose === "oneShot") this.#watchers[kind].clear();
    }
    for (const [watcher, path] of told) {
      callOut(() => watcher({ kind: "missed", path, zxid: undefined }));
    }
  }

  /** Everything that is watched, in pieces that fit a request each. */
  pieces(): WatchPaths[] {
    const pieces: WatchPaths[] = [];
    let piece = emptyPaths();
    let bytes = 0;
    for (const kind of kinds) {
      for (const path of this.#watchers[kind].keys()) {
        if (bytes > setWatchesBytesMax) {
          pieces.push(piece);
          piece = emptyPaths();
          bytes = 0;
        }
        piece[kind].push(path);
        bytes += 4 + path.length * 3;
      }
    }
    if (bytes > 0) pieces.push(piece);
    return pieces;
  }

  #addRecursive(path: string, called: Set<Watcher>): void {
    const recursive = this.#watchers.persistentRecursive;
    if (recursive.size === 0) return;
    for (const watcher of recursive.get(path) ?? []) called.add(watcher);
    for (const parent of parentPaths(path)) {
      for (const watcher of recursive.get(parent) ?? []) called.add(watcher);
    }
  }
}

function emptyPaths(): { readonly [K in WatchKind]: string[] } {
  return { data: [], exists: [], children: [], persistent: [], persistentRecursive: [] };
}

/** Calls foreign code; what it throws is its own fault and must not end a connection. */
export function callOut(call: () => void): void {
  try {
    call();
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
