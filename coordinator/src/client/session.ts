import type { Clock } from "../../../kit/src/clock.ts";
import { type OpCode, opCodes, xids } from "../wire/constants.ts";
import { WireError } from "../wire/errors.ts";
import { JuteReader } from "../wire/reader.ts";
import type { ConnectResponse } from "../wire/records.ts";
import { ReplyHeader, WatcherEvent } from "../wire/records.ts";
import { Connection } from "./connection.ts";
import { Credentials } from "./credentials.ts";
import type { SecurityOf } from "./dial.ts";
import { EnsembleProbe } from "./ensemble-probe.ts";
import { ZooKeeperError } from "./errors.ts";
import * as limits from "./limits.ts";
import type { ServerAddress } from "./paths.ts";
import { type Request, RequestQueue } from "./request-queue.ts";
import type { SaslUser } from "./sasl.ts";
import { SaslLogin } from "./sasl-login.ts";
import { type Random, type Resolve, ServerList, type Target } from "./server-list.ts";
import type { SessionEvent } from "./session-events.ts";
import { setWatchesFrames } from "./set-watches.ts";
import { callOut, WatchRegistry } from "./watches.ts";

export type { SessionEvent } from "./session-events.ts";

export interface SessionOptions {
  readonly servers: readonly ServerAddress[];
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Which server is tried first, and how long to wait. */
  readonly random: Random;
  readonly resolve: Resolve;
  readonly securityOf: SecurityOf;
  readonly sasl: SaslUser | undefined;
  /** Whether a server that only reads will do until one is found that takes writes. */
  readonly canBeReadOnly: boolean;
}

/** Holds a session over connections to one server after the other, and begins a new one after expiry. */
export class Session {
  readonly watches = new WatchRegistry();
  readonly credentials: Credentials;
  readonly #options: SessionOptions;
  readonly #servers: ServerList;
  readonly #queue = new RequestQueue();
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  #connection: Connection | undefined;
  #target: Target | undefined;
  #login: SaslLogin | undefined;
  #probe: EnsembleProbe | undefined;
  #isAttached = false;
  #isReadOnly = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #id = 0n;
  #password: Uint8Array = Buffer.alloc(16);
  #timeoutMs: number;
  #zxidSeen = 0n;
  /** Rounds over all servers without a good connection. */
  #failedRounds = 0;
  #attachedMs = 0;
  #dialTimer: NodeJS.Timeout | undefined;
  #lapseTimer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs;
    this.#servers = new ServerList(options.servers, options.random, options.resolve);
    this.credentials = new Credentials(
      (frame) => {
        if (this.#isAttached) this.#connection?.write(frame);
      },
      (scheme) => this.#emit({ kind: "authFailed", scheme }),
    );
    void this.#dial();
  }

  /** Whether requests are answered, be it only reads. */
  get isConnected(): boolean {
    return this.#isAttached;
  }

  get isReadOnly(): boolean {
    return this.#isAttached && this.#isReadOnly;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** 0 before the first session and between two. */
  get id(): bigint {
    return this.#id;
  }

  /** As negotiated; before that, as asked for. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** The server that is connected. */
  get server(): ServerAddress | undefined {
    return this.#isAttached ? this.#target?.server : undefined;
  }

  listen(listener: (event: SessionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends it now or when there is a connection. Throws BUSY or CLOSED. */
  submit(request: Request): void {
    if (this.#isClosed) throw new ZooKeeperError("CLOSED");
    this.#queue.add(request);
    this.#pump();
  }

  /** Takes back a request that has not been sent. */
  withdraw(request: Request): void {
    this.#queue.drop(request);
  }

  /** Other servers from now on; moves there when that is our share of the balance, unless it stays while it may. */
  replaceServers(servers: readonly ServerAddress[], stays: boolean): void {
    const isToMove = this.#servers.replace(servers, this.#target?.server, stays);
    if (isToMove) this.#connection?.close(new Error("the ensemble is another"));
    else if (this.#isToBeSecured()) this.#connection?.close(new Error("TLS is to be spoken"));
  }

  #isToBeSecured(): boolean {
    const { server } = this.#target ?? {};
    if (server === undefined || this.#connection?.isSecured !== false) return false;
    return this.#options.securityOf(server) !== undefined;
  }

  /** Ends the session at the server, if one can be reached now, and then the connection. */
  close(): Promise<void> {
    // Before anything else: closing the connection comes back here as a lost one.
    this.#isClosed = true;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#dialTimer);
    clearTimeout(this.#lapseTimer);
    this.#probe?.stop();
    this.#queue.failWaiting("CLOSED");
    if (this.#isAttached) await this.#endSession();
    this.#connection?.close();
    this.#queue.failInFlight("CLOSED");
    this.credentials.failAll();
    this.#emit({ kind: "closed" });
    this.#listeners.clear();
  }

  #endSession(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limits.closeTimeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const frame = Buffer.alloc(12);
      frame.writeInt32BE(8, 0);
      frame.writeInt32BE(opCodes.closeSession satisfies OpCode, 8);
      this.#queue.add({ frame, path: undefined, replied: done, failed: done });
      this.#pump();
    });
  }

  #pump(): void {
    if (!this.#isAttached) return;
    for (;;) {
      const frame = this.#queue.next();
      if (frame === undefined) return;
      this.#connection?.write(frame);
    }
  }

  /** Tries the next server, or waits when each had its turn. */
  async #dial(): Promise<void> {
    const target = await this.#servers.next();
    if (this.#isClosed) return;
    if (target === undefined) {
      this.#failedRounds++;
      this.#dialTimer = setTimeout(() => void this.#dial(), this.#waitMs());
      return;
    }
    const { clock, canBeReadOnly } = this.#options;
    const security = this.#options.securityOf(target.server);
    const request = {
      protocolVersion: 0,
      lastZxidSeen: this.#zxidSeen,
      timeoutMs: this.#options.timeoutMs,
      sessionId: this.#id,
      password: this.#password,
      readOnly: canBeReadOnly,
    };
    const connection: Connection = new Connection(
      target,
      request,
      {
        attached: (response) => this.#answered(connection, response),
        frame: (bytes) => this.#frame(bytes),
        lapsed: () => this.#emit({ kind: "lapsed" }),
        insecure: (cause) => this.#emit({ kind: "tlsFailed", server: target.server, cause }),
        closed: (cause) => this.#lost(connection, cause),
      },
      { connectTimeoutMs: this.#connectTimeoutMs(), clock, security },
    );
    this.#target = target;
    this.#connection = connection;
  }

  #answered(connection: Connection, response: ConnectResponse): void {
    if (response.timeoutMs <= 0) {
      this.#expire();
      connection.close(new Error("the session has expired"));
      return;
    }
    const { sasl } = this.#options;
    if (sasl === undefined) {
      this.#attached(connection, response);
      return;
    }
    this.#login = new SaslLogin(sasl, connection, () => {
      this.#login = undefined;
      this.#attached(connection, response);
    });
  }

  #attached(connection: Connection, response: ConnectResponse): void {
    this.#isReadOnly = response.readOnly === true;
    const isNew = this.#id === 0n && !this.#isReadOnly;
    // A session that began at a server which only reads is known to nobody else.
    if (!this.#isReadOnly) {
      this.#id = response.sessionId;
      this.#password = Buffer.from(response.password ?? Buffer.alloc(16));
    }
    this.#timeoutMs = response.timeoutMs;
    this.#isAttached = true;
    this.#attachedMs = this.#options.clock.monotonicMs();
    clearTimeout(this.#lapseTimer);
    // In this order: rights before requests, watches before the reads that rely on them.
    for (const frame of this.credentials.frames()) connection.write(frame);
    for (const frame of setWatchesFrames(this.watches.pieces(), this.#zxidSeen)) {
      connection.write(frame);
    }
    if (this.#isReadOnly) this.#readOnly(connection);
    else this.#emit({ kind: "connected", sessionId: this.#id, timeoutMs: this.#timeoutMs, isNew });
    this.watches.missed("persistent");
    this.#pump();
  }

  #readOnly(connection: Connection): void {
    this.#emit({ kind: "readOnly" });
    this.#probe = new EnsembleProbe(this.#servers, this.#options.securityOf, (target) => {
      connection.close(new Error("there is a server that takes writes"));
      this.#servers.beginWith(target);
    });
  }

  #frame(bytes: Buffer): void {
    const reader = new JuteReader(bytes);
    const { xid, zxid, error } = ReplyHeader.read(reader);
    switch (xid) {
      case xids.ping:
        return;
      case xids.event: {
        // The zxid is not taken as seen: another event of the same txn may still be on its way, and
        // after a reconnect the server would believe that we have it.
        const { type, path } = WatcherEvent.read(reader);
        this.watches.fire(type, path, zxid > 0n ? zxid : undefined);
        return;
      }
      case xids.auth:
        this.credentials.replied(error);
        return;
      case xids.setWatches:
        if (error !== 0) throw new WireError("type", "the server refuses to set watches", 0);
        return;
    }
    if (this.#login !== undefined) {
      if (!this.#login.replied(error, reader)) this.#refused();
      return;
    }
    const request = this.#queue.reply(xid);
    if (request === undefined) throw new WireError("type", `a reply to nothing, xid ${xid}`, 0);
    if (zxid > this.#zxidSeen) this.#zxidSeen = zxid;
    request.replied(error, reader);
    this.#pump();
  }

  /** A password that is not right is not right elsewhere either, and nothing may go out without it. */
  #refused(): void {
    this.#emit({ kind: "authFailed", scheme: "sasl" });
    this.#queue.failWaiting("AUTHFAILED");
    void this.close();
  }

  #lost(connection: Connection, cause: Error | undefined): void {
    this.#connection = undefined;
    this.#login = undefined;
    this.#probe?.stop();
    const wasAttached = this.#isAttached;
    this.#isAttached = false;
    this.credentials.connectionLost();
    this.#queue.failInFlight(this.#isClosed ? "CLOSED" : "CONNECTIONLOSS");
    if (this.#isClosed) return;
    if (wasAttached) {
      this.#beginRound();
      this.#lapseAfter(connection.heardMs);
      this.#emit({ kind: "suspended", reason: cause?.message });
    }
    // A listener may have closed the client.
    if (this.#isClosed) return;
    // A server that hangs up without an answer has no quorum or is behind us: the next one is tried at once.
    const isBad = wasAttached && this.#failedRounds > 0;
    this.#dialTimer = setTimeout(() => void this.#dial(), isBad ? this.#waitMs() : 0);
  }

  /** A connection that was good for a while is made again at once; one that was not, after the first wait. */
  #beginRound(): void {
    const heldMs = this.#options.clock.monotonicMs() - this.#attachedMs;
    this.#failedRounds = heldMs >= limits.goodConnectionMs ? 0 : 1;
    this.#servers.beginAfter(this.#target?.server);
  }

  #lapseAfter(heardMs: number): void {
    if (this.#id === 0n) return;
    const dueMs = heardMs + this.#timeoutMs * limits.lapseShare;
    const lapse = (): void => this.#emit({ kind: "lapsed" });
    // After a pause of this process it may be due already.
    const inMs = Math.max(0, dueMs - this.#options.clock.monotonicMs());
    this.#lapseTimer = setTimeout(lapse, inMs);
  }

  #connectTimeoutMs(): number {
    const shareMs = (this.#timeoutMs * 2) / (3 * this.#servers.count);
    return Math.max(limits.connectTimeoutMsMin, Math.min(limits.connectTimeoutMsMax, shareMs));
  }

  /** Longer with each round, and drawn. */
  #waitMs(): number {
    const longest = Math.min(limits.backoffMsMax, this.#timeoutMs / 3);
    const waitMs = limits.backoffMsMin * 2 ** Math.min(this.#failedRounds - 1, 16);
    return Math.min(longest, waitMs) * (0.5 + this.#options.random() / 2);
  }

  #expire(): void {
    const sessionId = this.#id;
    this.#id = 0n;
    this.#password = Buffer.alloc(16);
    this.#failedRounds = 0;
    if (this.#target !== undefined) this.#servers.beginWith(this.#target);
    clearTimeout(this.#lapseTimer);
    this.#queue.failWaiting("SESSIONEXPIRED");
    this.#emit({ kind: "expired", sessionId });
    this.watches.missed("oneShot");
  }

  #emit(event: SessionEvent): void {
    for (const listener of this.#listeners) callOut(() => listener(event));
  }
}
