import type { ZooKeeperClient } from "../../coordinator/src/client/client.ts";
import { isZooKeeperError } from "../../coordinator/src/client/errors.ts";
import { childPath } from "../../coordinator/src/client/paths.ts";
import {
  type CacheChange,
  type CachedZnode,
  TreeCache,
} from "../../coordinator/src/recipes/tree-cache.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import { pause } from "../../kit/src/pause.ts";
import { followRetryMs, followRetryMsMax } from "./limits.ts";

/** Of one znode; `added` for those that were there already. */
export type ZnodeChange = Exclude<CacheChange, { readonly kind: "missed" }>;

export interface FollowedTreeOptions {
  readonly client: ZooKeeperClient;
  /** The znode at its top. */
  readonly path: string;
  /** Above which it cannot be followed. */
  readonly znodesMax: number;
  /** Told of each znode that is there before `open` resolves, then of each change. */
  readonly take: (change: ZnodeChange) => void;
  readonly logger: Logger;
  /** The first wait before it begins anew, in milliseconds, which doubles up to `followRetryMsMax`; `followRetryMs` unless told. */
  readonly retryMs?: number;
}

/**
 * A part of the tree, followed for as long as the process lives: a cache of it that fails for good is made anew, and what has changed
 * meanwhile is told as any change.
 */
export class FollowedTree implements Closable {
  readonly #options: FollowedTreeOptions;
  readonly #closing = new AbortController();
  /** What was told of is in it, also once it has failed. */
  #cache: TreeCache | undefined;
  #openedMs = 0;
  #retryMs: number;

  private constructor(options: FollowedTreeOptions) {
    this.#options = options;
    this.#retryMs = options.retryMs ?? followRetryMs;
  }

  /** Rejects as `TreeCache.open`. */
  static async open(options: FollowedTreeOptions, signal?: AbortSignal): Promise<FollowedTree> {
    const tree = new FollowedTree(options);
    await tree.#begin(signal);
    return tree;
  }

  /** False from the loss of the connection, or a failure, until everything was read again. */
  get isCurrent(): boolean {
    return this.#cache?.isCurrent === true;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#cache?.close();
  }

  async #begin(signal: AbortSignal | undefined): Promise<void> {
    const { client, path, znodesMax, take } = this.#options;
    let failure: { readonly thrown: unknown } | undefined;
    let isTaken = false;
    const onFailure = (thrown: unknown): void => {
      failure = { thrown };
      if (isTaken) void this.#renew(thrown);
    };
    const options = { client, path, znodesMax, onFailure };
    const cache = await TreeCache.open(options, signal === undefined ? {} : { signal });
    // In the turns since it was read.
    if (failure !== undefined) throw failure.thrown;
    if (this.#closing.signal.aborted) {
      await cache.close();
      return;
    }
    const before = this.#cache;
    this.#cache = cache;
    isTaken = true;
    this.#openedMs = performance.now();
    // All in one turn: nothing comes in between, and nothing is missed.
    for (const change of changesBetween(before, cache, path)) take(change);
    cache.onChange((change) => {
      if (change.kind !== "missed") take(change);
    });
  }

  /** Nobody waits for it. */
  async #renew(cause: unknown): Promise<void> {
    const { logger, path, retryMs = followRetryMs } = this.#options;
    const { signal } = this.#closing;
    if (performance.now() - this.#openedMs > followRetryMsMax) this.#retryMs = retryMs;
    for (let err = cause; ; ) {
      const waitMs = this.#retryMs;
      this.#retryMs = Math.min(2 * waitMs, followRetryMsMax);
      const facts = { err, path, retryMs: waitMs };
      logger.error(facts, "topology is not followed: what is known of it is old, reading it anew");
      if (await pause(waitMs, signal, { ref: false })) return;
      try {
        await this.#begin(signal);
        logger.info({ path }, "topology is followed again");
        return;
      } catch (thrown) {
        if (signal.aborted || isZooKeeperError(thrown, "CLOSED")) return;
        err = thrown;
      }
    }
  }
}

/** What makes of one state, or of nothing, another: first what is gone, from the leaves up, then from the top down. */
function* changesBetween(
  before: TreeCache | undefined,
  now: TreeCache,
  path: string,
): Generator<ZnodeChange> {
  if (before !== undefined) {
    for (const [at, znode] of [...walk(before, path)].reverse()) {
      if (now.get(at) === undefined) yield { kind: "removed", path: at, znode };
    }
  }
  for (const [at, znode] of walk(now, path)) {
    const known = before?.get(at);
    if (known === undefined) yield { kind: "added", path: at, znode };
    else if (!isSame(known, znode)) yield { kind: "changed", path: at, znode };
  }
}

function isSame({ stat: before }: CachedZnode, { stat: now }: CachedZnode): boolean {
  return before.czxid === now.czxid && before.mzxid === now.mzxid;
}

function* walk(cache: TreeCache, path: string): Generator<readonly [string, CachedZnode]> {
  const znode = cache.get(path);
  if (znode !== undefined) yield [path, znode];
  for (const name of cache.children(path)) yield* walk(cache, childPath(path, name));
}
