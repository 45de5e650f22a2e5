import { systemClock } from "../../../kit/src/clock.ts";
import type { Codec } from "../wire/codec.ts";
import { createModes, opCodes, versionAny } from "../wire/constants.ts";
import { MultiRequest, MultiResponse } from "../wire/multi.ts";
import type { Acl, Stat } from "../wire/records.ts";
import * as records from "../wire/records.ts";
import { aclOpen } from "./acl.ts";
import { Asker } from "./asker.ts";
import { securityOf } from "./dial.ts";
import { Ensemble } from "./ensemble.ts";
import { errorCodeOf, isZooKeeperError, ZooKeeperError } from "./errors.ts";
import { EventStream } from "./event-stream.ts";
import { sessionEventsWaitingMax, sessionTimeoutMsDefault } from "./limits.ts";
import { type MultiStep, multiFailure, type StepResult, stepInner, stepOuter } from "./multi.ts";
import type {
  CallOptions,
  ChangesOptions,
  ClientOptions,
  CreateOptions,
  ReadOptions,
  Watch,
  WatchOptions,
} from "./options.ts";
import { Chroot, checkPath, parseConnectString } from "./paths.ts";
import { type ReadResult, type ReadStep, readInner, readOuter } from "./reads.ts";
import { resolveAll } from "./server-list.ts";
import { Session, type SessionEvent } from "./session.ts";
import type { PersistentKind, WatchEvent, Watcher } from "./watches.ts";
import { Watching } from "./watching.ts";
import { OwnedData, type ZnodeData } from "./znode-data.ts";

export type { CallOptions, ClientOptions, CreateOptions, Watch, WatchOptions } from "./options.ts";

const Empty: Codec<undefined> = { read: () => undefined, write: () => undefined };

/**
 * A ZooKeeper client: one session over a list of servers, kept alive, moved to another server when one fails, and
 * begun anew after expiry. Calls reject with `ZooKeeperError`. Calls made without a connection wait for one; those on
 * the wire when it breaks reject with CONNECTIONLOSS, outcome unknown.
 */
export class ZooKeeperClient {
  /** What stands before every path at the server; "" for nothing. */
  readonly chroot: string;
  /** The ensemble's members and their change. */
  readonly ensemble: Ensemble;
  readonly #options: ClientOptions;
  readonly #session: Session;
  readonly #chroot: Chroot;
  readonly #ask: Asker;
  readonly #watching: Watching;

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
        resolve: options.resolve ?? resolveAll,
        securityOf: securityOf(options.tls),
        sasl: options.sasl,
        canBeReadOnly: options.canBeReadOnly ?? false,
      });
    this.#ask = new Asker(this.#session, this.#chroot);
    this.#watching = new Watching(this.#session, this.#chroot, this.#ask);
    const asRoot = new Asker(this.#session, Chroot.none);
    const watching = new Watching(this.#session, Chroot.none, asRoot);
    this.ensemble = new Ensemble(this.#session, asRoot, watching);
    this.#options = options;
  }

  /** The same session with the server's own paths; closing it closes this one. */
  atRoot(): ZooKeeperClient {
    return new ZooKeeperClient(this.#options, this.#session);
  }

  /** Whether requests are answered now, be it reads alone. */
  get isConnected(): boolean {
    return this.#session.isConnected;
  }

  get isReadOnly(): boolean {
    return this.#session.isReadOnly;
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

  /**
   * What becomes of the session from now on, ending with `closed`. A reader that falls behind loses the oldest events.
   */
  sessionEvents({ signal }: CallOptions = {}): AsyncIterableIterator<SessionEvent, undefined> {
    const stream = new EventStream<SessionEvent>({
      max: sessionEventsWaitingMax,
      overflow: (waiting) => waiting.slice(1),
      left: () => stop(),
    });
    const stop = this.#session.listen((event) => {
      stream.push(event);
      if (event.kind === "closed") stream.end();
    });
    if (this.#session.isClosed) stream.end();
    stream.endWith(signal);
    return stream;
  }

  /** Resolves while there is a connection; rejects with CLOSED, AUTHFAILED (SASL) or the signal's reason. */
  async connected({ signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#session.isClosed) throw new ZooKeeperError("CLOSED");
    if (this.#session.isConnected) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = this.#session.listen((event) => {
      if (event.kind === "connected" || event.kind === "readOnly") resolve();
      if (event.kind === "authFailed" && event.scheme === "sasl") {
        reject(new ZooKeeperError("AUTHFAILED"));
      }
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
    await this.#ask.at(opCodes.delete, records.VersionRequest, { path, version }, Empty, options);
  }

  /** Null when there is no znode. */
  async exists(path: string, options: WatchOptions = {}): Promise<Stat | null> {
    try {
      const reply = await this.#watching.read(
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

  getData(path: string, options: WatchOptions = {}): Promise<ZnodeData> {
    return this.#watching.read(opCodes.getData, path, OwnedData, options, (error) =>
      error === 0 ? "data" : undefined,
    );
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
    options: ReadOptions = {},
  ): Promise<{ readonly acl: readonly Acl[]; readonly stat: Stat }> {
    const { AclResponse, PathRequest } = records;
    return this.#ask.at(opCodes.getACL, PathRequest, { path }, AclResponse, options);
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
    const { getChildren2 } = opCodes;
    return this.#watching.read(getChildren2, path, records.Children2Response, options, (error) =>
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

  /** As of one moment, in the order asked; a read that fails does not fail the others. `reads` makes them. */
  async multiRead(
    asked: readonly ReadStep[],
    options: ReadOptions = {},
  ): Promise<readonly ReadResult[]> {
    const ops = asked.map((step) => readOuter(step, this.#chroot));
    const { multiRead } = opCodes;
    // Results are copied while the reply's bytes are there.
    const Results: Codec<readonly ReadResult[]> = {
      read: (from) => MultiResponse.read(from).map((result, at) => readInner(result, asked[at])),
      write: () => undefined,
    };
    return this.#ask.ask(multiRead, MultiRequest, ops, Results, options);
  }

  /** Waits until the server has everything that was committed when it was asked. */
  async sync(path = "/", options: CallOptions = {}): Promise<void> {
    await this.#ask.at(opCodes.sync, records.PathRequest, { path }, records.PathResponse, options);
  }

  /** The paths of this session's ephemerals below a prefix. */
  async getEphemerals(prefix = "/", options: CallOptions = {}): Promise<readonly string[]> {
    const body = { path: prefix };
    const { getEphemerals } = opCodes;
    const { EphemeralsResponse, PathRequest } = records;
    const reply = await this.#ask.at(getEphemerals, PathRequest, body, EphemeralsResponse, options);
    return reply.paths.map((path) => this.#chroot.inner(path));
  }

  /** How many znodes there are below a path, at every depth. */
  async getAllChildrenNumber(path: string, options: ReadOptions = {}): Promise<number> {
    const { getAllChildrenNumber: op } = opCodes;
    const { CountResponse, PathRequest } = records;
    return (await this.#ask.at(op, PathRequest, { path }, CountResponse, options)).count;
  }

  /** The identities that the server knows this connection by. */
  async whoAmI(
    options: CallOptions = {},
  ): Promise<readonly { readonly scheme: string; readonly user: string }[]> {
    const { WhoAmIResponse } = records;
    return (await this.#ask.ask(opCodes.whoAmI, Empty, undefined, WhoAmIResponse, options)).ids;
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
    return this.#watching.add(path, mode, watcher, options);
  }

  /**
   * The changes of a path, or of everything at and below it, as they come: `for await`, until the signal, `break` or the client's
   * end. Resolves once the watch is set, so a read after it misses nothing; `missed`, which comes first, says to read. Who falls
   * behind by more than 10,000 is told `missed` in their place.
   */
  changes(
    path: string,
    options: ChangesOptions = {},
  ): Promise<AsyncIterableIterator<WatchEvent, undefined>> {
    return this.#watching.changes(path, options);
  }

  /**
   * Takes another list of servers (`host:port,…`; the chroot stays), and moves to another of them if that is this
   * client's share, so that servers which are added get theirs. With `stays` it keeps its server as long as that is listed. A
   * connection without TLS to a server that is now to be spoken to by it is made anew.
   */
  updateServers(servers: string, { stays = false }: { readonly stays?: boolean } = {}): void {
    const { servers: parsed, chroot } = parseConnectString(servers);
    if (chroot !== "" && chroot !== this.chroot) {
      throw new ZooKeeperError("BADARGUMENTS", { path: chroot });
    }
    this.#session.replaceServers(parsed, stays);
  }

  /** Ends the session (its ephemerals go) and the connection. Requests that wait reject with CLOSED. */
  close(): Promise<void> {
    return this.#session.close();
  }

  async #stat<Q extends { readonly path: string }>(
    op: number,
    codec: Codec<Q>,
    body: Q,
    options: CallOptions,
  ): Promise<Stat> {
    return (await this.#ask.at(op, codec, body, records.StatResponse, options)).stat;
  }
}
