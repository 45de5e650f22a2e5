import { systemClock } from "../../../kit/src/clock.ts";
import { type Codec, int, record } from "../wire/codec.ts";
import {
  addWatchModes,
  createModes,
  opCodes,
  versionAny,
  watcherTypes,
} from "../wire/constants.ts";
import { MultiRequest, MultiResponse } from "../wire/multi.ts";
import type { Acl, Stat } from "../wire/records.ts";
import * as records from "../wire/records.ts";
import { aclOpen } from "./acl.ts";
import { Asker, type AskOptions } from "./asker.ts";
import { errorCodeOf, isZooKeeperError, ZooKeeperError } from "./errors.ts";
import { sessionTimeoutMsDefault } from "./limits.ts";
import { type MultiStep, multiFailure, type StepResult, stepInner, stepOuter } from "./multi.ts";
import type { CallOptions, ClientOptions, CreateOptions, Watch, WatchOptions } from "./options.ts";
import { Chroot, checkPath, parseConnectString } from "./paths.ts";
import { Session, type SessionEvent } from "./session.ts";
import type { OneShotKind, PersistentKind, WatchEvent, Watcher } from "./watches.ts";

export type { CallOptions, ClientOptions, CreateOptions, Watch, WatchOptions } from "./options.ts";

const Empty: Codec<undefined> = { read: () => undefined, write: () => undefined };
const AddWatchResponse = record({ error: int });

/**
 * A ZooKeeper client: one session over a list of servers, kept alive, moved to another server when one fails, and
 * begun anew after expiry. Calls reject with `ZooKeeperError`. Calls made without a connection wait for one; those on
 * the wire when it breaks reject with CONNECTIONLOSS, outcome unknown.
 */
export class ZooKeeperClient {
  /** What stands before every path at the server; "" for nothing. */
  readonly chroot: string;
  readonly #options: ClientOptions;
  readonly #session: Session;
  readonly #chroot: Chroot;
  readonly #ask: Asker;

  /**
   * Begins to connect at once. Throws BADARGUMENTS for a connect string that cannot be read. `shared` is for `atRoot`.
   */
  constructor(options: ClientOptions, shared?: Session) {
    const { servers, chroot } = parseConnectString(options.connect);
    this.chroot = shared === undefined ? chroot : "";
    this.#chroot = new Chroot(this.chroot);
    this.#session =
      shared ??
      new Session({
        servers,
        timeoutMs: options.sessionTimeoutMs ?? sessionTimeoutMsDefault,
        clock: options.clock ?? systemClock,
        random: options.random ?? Math.random,
      });
    this.#ask = new Asker(this.#session);
    this.#options = options;
  }

  /** The same session with the server's own paths; closing it closes this one. */
  atRoot(): ZooKeeperClient {
    return new ZooKeeperClient(this.#options, this.#session);
  }

  get isConnected(): boolean {
    return this.#session.isConnected;
  }

  /** 0 before the first session and between two. */
  get sessionId(): bigint {
    return this.#session.id;
  }

  /** As negotiated. */
  get sessionTimeoutMs(): number {
    return this.#session.timeoutMs;
  }

  /** Returns how to stop listening. */
  onSession(listener: (event: SessionEvent) => void): () => void {
    return this.#session.listen(listener);
  }

  /** Resolves while there is a connection; rejects with CLOSED or the signal's reason. */
  async connected({ signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#session.isClosed) throw new ZooKeeperError("CLOSED");
    if (this.#session.isConnected) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = this.#session.listen((event) => {
      if (event.kind === "connected") resolve();
      if (event.kind === "closed") reject(new ZooKeeperError("CLOSED"));
    });
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await promise;
    } finally {
      stop();
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Makes a znode and says its path (a sequential one has a number behind) and Stat. */
  async create(
    path: string,
    data: Uint8Array | null = null,
    options: CreateOptions = {},
  ): Promise<{ readonly path: string; readonly stat: Stat }> {
    const { mode = "persistent", acl = aclOpen, ttlMs } = options;
    checkPath(path, { isSequential: mode.includes("equential") });
    const body = { path: this.#chroot.outer(path), data, acl, flags: createModes[mode] };
    const made =
      ttlMs === undefined
        ? await this.#ask.ask(
            mode === "container" ? opCodes.createContainer : opCodes.create2,
            records.CreateRequest,
            body,
            records.Create2Response,
            { ...options, path },
          )
        : await this.#ask.ask(
            opCodes.createTTL,
            records.CreateTtlRequest,
            { ...body, ttlMs: BigInt(ttlMs) },
            records.Create2Response,
            { ...options, path },
          );
    return { path: this.#chroot.inner(made.path), stat: made.stat };
  }

  async delete(path: string, version = versionAny, options: CallOptions = {}): Promise<void> {
    await this.#at(opCodes.delete, records.VersionRequest, { path, version }, Empty, options);
  }

  /** Null when there is no znode. */
  async exists(path: string, options: WatchOptions = {}): Promise<Stat | null> {
    try {
      const reply = await this.#read(
        opCodes.exists,
        path,
        records.StatResponse,
        options,
        (error) => (error === 0 ? "data" : errorCodeOf(error) === "NONODE" ? "exists" : undefined),
      );
      return reply.stat;
    } catch (thrown) {
      if (isZooKeeperError(thrown, "NONODE")) return null;
      throw thrown;
    }
  }

  async getData(
    path: string,
    options: WatchOptions = {},
  ): Promise<{ readonly data: Buffer | null; readonly stat: Stat }> {
    const watched = (error: number): OneShotKind | undefined => (error === 0 ? "data" : undefined);
    const reply = await this.#read(opCodes.getData, path, OwnedData, options, watched);
    return reply;
  }

  setData(
    path: string,
    data: Uint8Array | null,
    version = versionAny,
    options: CallOptions = {},
  ): Promise<Stat> {
    const body = { path, data, version };
    return this.#stat(opCodes.setData, records.SetDataRequest, body, options);
  }

  async getAcl(
    path: string,
    options: CallOptions = {},
  ): Promise<{ readonly acl: readonly Acl[]; readonly stat: Stat }> {
    return this.#at(opCodes.getACL, records.PathRequest, { path }, records.AclResponse, options);
  }

  /** `aclVersion`: of the ACL, as `aversion` in the Stat. */
  setAcl(
    path: string,
    acl: readonly Acl[],
    aclVersion = versionAny,
    options: CallOptions = {},
  ): Promise<Stat> {
    const body = { path, acl, version: aclVersion };
    return this.#stat(opCodes.setACL, records.SetAclRequest, body, options);
  }

  /** Names, in no particular order. */
  async getChildren(
    path: string,
    options: WatchOptions = {},
  ): Promise<{ readonly children: readonly string[]; readonly stat: Stat }> {
    return this.#read(opCodes.getChildren2, path, records.Children2Response, options, (error) =>
      error === 0 ? "children" : undefined,
    );
  }

  /**
   * All or nothing, in one txn. Rejects with the code and index of the operation that failed; `steps` makes
   * operations.
   */
  async multi(
    steps: readonly MultiStep[],
    options: CallOptions = {},
  ): Promise<readonly StepResult[]> {
    const ops = steps.map((step) => stepOuter(step, this.#chroot));
    const results = await this.#ask.ask(opCodes.multi, MultiRequest, ops, MultiResponse, options);
    const failure = multiFailure(results, steps);
    if (failure !== undefined) throw failure;
    return results.map((result) => stepInner(result, this.#chroot));
  }

  /** Waits until the server has everything that was committed when it was asked. */
  async sync(path = "/", options: CallOptions = {}): Promise<void> {
    await this.#at(opCodes.sync, records.PathRequest, { path }, records.PathResponse, options);
  }

  /** The paths of this session's ephemerals below a prefix. */
  async getEphemerals(prefix = "/", options: CallOptions = {}): Promise<readonly string[]> {
    const body = { path: prefix };
    const { getEphemerals } = opCodes;
    const reply = await this.#at(
      getEphemerals,
      records.PathRequest,
      body,
      records.EphemeralsResponse,
      options,
    );
    return reply.paths.map((path) => this.#chroot.inner(path));
  }

  /** Adds an identity, for example `digest` with `user:password`, for this and later connections. */
  addAuth(scheme: string, auth: string | Uint8Array): Promise<void> {
    const bytes = typeof auth === "string" ? Buffer.from(auth) : auth;
    if (this.#session.isClosed) return Promise.reject(new ZooKeeperError("CLOSED"));
    return this.#session.credentials.add(scheme, bytes, this.#session.isConnected);
  }

  /**
   * Watches a path (its data, its children, its coming and going) or with `persistentRecursive` everything at and below it, for
   * good. After each reconnect the watcher gets `missed`.
   */
  async addWatch(
    path: string,
    mode: PersistentKind,
    watcher: Watcher,
    options: CallOptions = {},
  ): Promise<Watch> {
    const outer = this.#chroot.outer(path);
    const inner = (event: WatchEvent): void =>
      watcher({ ...event, path: this.#chroot.inner(event.path) });
    const body = { path, mode: addWatchModes[mode] };
    const onReply = (error: number): void => {
      if (error === 0) this.#session.watches.add(mode, outer, inner);
    };
    await this.#at(opCodes.addWatch, records.AddWatchRequest, body, AddWatchResponse, {
      ...options,
      onReply,
    });
    return { close: () => this.#removeWatch(path, mode, inner) };
  }

  /** Ends the session (its ephemerals go) and the connection. Requests that wait reject with CLOSED. */
  close(): Promise<void> {
    return this.#session.close();
  }

  async #removeWatch(path: string, mode: PersistentKind, watcher: Watcher): Promise<void> {
    const { isPathWatched } = this.#session.watches.remove(mode, this.#chroot.outer(path), watcher);
    // The request takes every watch of the path away, so while there are others the server's stays.
    if (isPathWatched || this.#session.isClosed) return;
    const body = { path, type: watcherTypes.any };
    try {
      await this.#at(opCodes.removeWatches, records.WatcherRequest, body, Empty, {});
    } catch (thrown) {
      // Gone with its connection, or never set on this one: then there is nothing to remove.
      if (!isZooKeeperError(thrown)) throw thrown;
    }
  }

  async #stat<Q extends { readonly path: string }>(
    op: number,
    codec: Codec<Q>,
    body: Q,
    options: CallOptions,
  ): Promise<Stat> {
    return (await this.#at(op, codec, body, records.StatResponse, options)).stat;
  }

  #read<A>(
    op: number,
    path: string,
    answer: Codec<A>,
    options: WatchOptions,
    watched: (error: number) => OneShotKind | undefined,
  ): Promise<A> {
    const { watch } = options;
    const body = { path, watch: watch !== undefined };
    if (watch === undefined) return this.#at(op, records.WatchedRequest, body, answer, options);
    const onReply = (error: number): void => {
      const kind = watched(error);
      if (kind === undefined) return;
      this.#session.watches.add(kind, this.#chroot.outer(path), (event) =>
        watch({ ...event, path: this.#chroot.inner(event.path) }),
      );
    };
    return this.#at(op, records.WatchedRequest, body, answer, { ...options, onReply });
  }

  #at<Q extends { readonly path: string }, A>(
    op: number,
    codec: Codec<Q>,
    body: Q,
    answer: Codec<A>,
    options: AskOptions,
  ): Promise<A> {
    const { path } = body;
    checkPath(path);
    const outer = { ...body, path: this.#chroot.outer(path) };
    return this.#ask.ask(op, codec, outer, answer, { ...options, path });
  }
}

/** Data in a buffer of its own, since a reply's bytes are reused. */
const OwnedData: Codec<{ readonly data: Buffer | null; readonly stat: Stat }> = {
  read: (from) => {
    const { data, stat } = records.DataResponse.read(from);
    return { data: data === null ? null : Buffer.from(data), stat };
  },
  write: (to, value) => records.DataResponse.write(to, value),
};
