import { pause } from "../../../kit/src/pause.ts";
import type { ZooKeeperClient } from "../client/client.ts";
import { isZooKeeperError, ZooKeeperError } from "../client/errors.ts";
import { EventStream } from "../client/event-stream.ts";
import type { CallOptions, Watch } from "../client/options.ts";
import { childPath } from "../client/paths.ts";
import { type ReadResult, reads } from "../client/reads.ts";
import { callOut } from "../client/watches.ts";
import { CachedTree, type CachedZnode } from "./cached-tree.ts";
import {
  cacheBytesMax,
  cacheReadsAtOnce,
  cacheRequestsMax,
  cacheZnodesMax,
  eventsWaitingMax,
  retryMs,
} from "./limits.ts";
import { abortable, isPassing, untilDone } from "./until-done.ts";

export type { CachedZnode } from "./cached-tree.ts";

export interface TreeCacheOptions {
  readonly client: ZooKeeperClient;
  /** The znode at its top. It may come later, go, and come again. */
  readonly path: string;
  /** Znodes and bytes of data, above which the cache fails. Default 1,000,000 and 256 MiB. */
  readonly znodesMax?: number;
  readonly bytesMax?: number;
  /** Told why the cache has failed: it is closed then. */
  readonly onFailure?: (thrown: unknown) => void;
}

/** `missed`: a reader has fallen behind; what is in the cache now is right. */
export type CacheChange =
  | {
      readonly kind: "added" | "changed" | "removed";
      readonly path: string;
      readonly znode: CachedZnode;
    }
  | { readonly kind: "missed" };

/**
 * A copy of a part of the tree, kept up to date by a persistent recursive watch. It shows states that were, in their order for
 * each znode, perhaps not each of them; after a lost connection everything is read again.
 */
export class TreeCache {
  readonly #options: TreeCacheOptions;
  readonly #tree: CachedTree;
  readonly #listeners = new Set<(change: CacheChange) => void>();
  readonly #closing = new AbortController();
  readonly #stopListening: () => void;
  /** To be read, in the order in which they were found. */
  readonly #dirty = new Set<string>();
  /** Being read now: one that changes meanwhile is read again after that. */
  readonly #busy = new Set<string>();
  #requests = 0;
  #isCurrent = false;
  #loaded = Promise.withResolvers<void>();
  #watch: Watch | undefined;

  private constructor(options: TreeCacheOptions) {
    const { client, znodesMax = cacheZnodesMax, bytesMax = cacheBytesMax } = options;
    this.#options = options;
    this.#tree = new CachedTree({ znodesMax, bytesMax }, (change) => this.#emit(change));
    this.#loaded.promise.catch(() => undefined);
    this.#stopListening = client.onSession(({ kind }) => {
      if (kind === "suspended") this.#isCurrent = false;
      if (kind === "closed") void this.close();
    });
  }

  /** Resolves when all is read. Rejects with QUOTAEXCEEDED for too much, with CLOSED or the signal's reason. */
  static async open(options: TreeCacheOptions, { signal }: CallOptions = {}): Promise<TreeCache> {
    const cache = new TreeCache(options);
    try {
      await untilDone(() => cache.#begin(), signal);
      await abortable(cache.#loaded.promise, signal);
    } catch (thrown) {
      await cache.close();
      throw thrown;
    }
    return cache;
  }

  /** Undefined when there is none. */
  get(path: string): CachedZnode | undefined {
    return this.#tree.get(path);
  }

  /** Names of the children, in no particular order. */
  children(path: string): readonly string[] {
    return this.#tree.children(path);
  }

  get size(): number {
    return this.#tree.size;
  }

  /** False from the loss of the connection until everything was read again: what is here may be old. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** Called after each change of the cache. Returns how to stop. */
  onChange(listener: (change: CacheChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Changes from now on; ends with the signal or the cache. */
  changes({ signal }: CallOptions = {}): AsyncIterableIterator<CacheChange, undefined> {
    const stream = new EventStream<CacheChange>({
      max: eventsWaitingMax,
      overflow: () => [{ kind: "missed" }],
      left: () => {
        stop();
        this.#closing.signal.removeEventListener("abort", end);
      },
    });
    const end = (): void => stream.end();
    const stop = this.onChange((change) => stream.push(change));
    this.#closing.signal.addEventListener("abort", end, { once: true });
    if (this.#closing.signal.aborted) stream.end();
    stream.endWith(signal);
    return stream;
  }

  /** Keeps what it has, and follows no more. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#isCurrent = false;
    this.#loaded.reject(new ZooKeeperError("CLOSED", { path: this.#options.path }));
    this.#closing.abort();
    this.#stopListening();
    this.#dirty.clear();
    await this.#watch?.close();
  }

  async #begin(): Promise<void> {
    const { client, path } = this.#options;
    this.#watch = await client.addWatch(path, "persistentRecursive", (event) => {
      if (event.kind === "missed") this.#readAll();
      else this.#read(event.path);
    });
    this.#readAll();
  }

  #readAll(): void {
    this.#isCurrent = false;
    this.#read(this.#options.path);
    for (const path of this.#tree.paths()) this.#dirty.add(path);
    this.#pump();
  }

  #read(path: string): void {
    if (this.#closing.signal.aborted) return;
    this.#dirty.add(path);
    this.#pump();
  }

  #pump(): void {
    while (this.#requests < cacheRequestsMax) {
      const paths: string[] = [];
      for (const path of this.#dirty) {
        if (this.#busy.has(path)) continue;
        paths.push(path);
        if (paths.length === cacheReadsAtOnce) break;
      }
      if (paths.length === 0) return;
      for (const path of paths) {
        this.#dirty.delete(path);
        this.#busy.add(path);
      }
      this.#requests++;
      void this.#fetch(paths);
    }
  }

  async #fetch(paths: readonly string[]): Promise<void> {
    try {
      const { client } = this.#options;
      const asked = paths.flatMap((path) => [reads.data(path), reads.children(path)]);
      const results = await client.multiRead(asked);
      if (this.#closing.signal.aborted) return;
      for (const [at, path] of paths.entries()) {
        this.#take(path, results[2 * at], results[2 * at + 1]);
      }
    } catch (thrown) {
      await this.#failed(paths, thrown);
    } finally {
      this.#requests--;
      for (const path of paths) this.#busy.delete(path);
      this.#settle();
    }
  }

  #settle(): void {
    this.#pump();
    if (this.#requests > 0 || this.#dirty.size > 0 || this.#closing.signal.aborted) return;
    this.#isCurrent = this.#options.client.isConnected;
    this.#loaded.resolve();
  }

  #take(path: string, data: ReadResult | undefined, children: ReadResult | undefined): void {
    if (data?.kind === "error" || children?.kind === "error") {
      const { error } = (data?.kind === "error" ? data : children) as { error: ZooKeeperError };
      // What may not be read is not there for us.
      if (error.code !== "NONODE" && error.code !== "NOAUTH") throw error;
      this.#tree.remove(path);
      return;
    }
    if (data?.kind !== "data" || children?.kind !== "children") return;
    this.#tree.put(path, { data: data.data, stat: data.stat });
    const names = new Set(children.children);
    for (const name of this.#tree.children(path)) {
      if (!names.has(name)) this.#tree.remove(childPath(path, name));
    }
    for (const name of names) {
      const child = childPath(path, name);
      if (this.#tree.get(child) === undefined && !this.#busy.has(child)) this.#dirty.add(child);
    }
  }

  async #failed(paths: readonly string[], thrown: unknown): Promise<void> {
    if (this.#closing.signal.aborted) return;
    if (!isPassing(thrown)) {
      this.#loaded.reject(thrown);
      if (!isZooKeeperError(thrown, "CLOSED")) this.#options.onFailure?.(thrown);
      void this.close();
      return;
    }
    if (!isZooKeeperError(thrown, "CONNECTIONLOSS", "SESSIONEXPIRED")) {
      await pause(retryMs, this.#closing.signal);
    }
    if (!this.#closing.signal.aborted) for (const path of paths) this.#dirty.add(path);
  }

  #emit(change: CacheChange): void {
    for (const listener of this.#listeners) callOut(() => listener(change));
  }
}
