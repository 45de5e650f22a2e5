import type { Clock } from "../../../kit/src/clock.ts";
import { type OpCode, opCodes, xids } from "../wire/constants.ts";
import { WireError } from "../wire/errors.ts";
import { JuteReader } from "../wire/reader.ts";
import type { ConnectResponse } from "../wire/records.ts";
import { ReplyHeader, WatcherEvent } from "../wire/records.ts";
import { Connection } from "./connection.ts";
import { Credentials } from "./credentials.ts";
import { ZooKeeperError } from "./errors.ts";
import { backoffMsMax, backoffMsMin, closeTimeoutMs, connectTimeoutMsMax } from "./limits.ts";
import type { ServerAddress } from "./paths.ts";
import { type Request, RequestQueue } from "./request-queue.ts";
import { setWatchesFrames } from "./set-watches.ts";
import { callOut, WatchRegistry } from "./watches.ts";

/**
 * What becomes of the session. `suspended`: no connection, ephemerals live on until the server's timeout.
 * `expired`: its ephemerals and one-shot watches are gone; a new session follows by itself. `closed`: by `close`, the last.
 */
export type SessionEvent =
  | {
      readonly kind: "connected";
      readonly sessionId: bigint;
      readonly timeoutMs: number;
      /** False when an earlier session of this client goes on. */
      readonly isNew: boolean;
    }
  | { readonly kind: "suspended"; readonly reason: string | undefined }
  | { readonly kind: "expired"; readonly sessionId: bigint }
  | { readonly kind: "closed" };

export interface SessionOptions {
  readonly servers: readonly ServerAddress[];
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** A number in [0, 1): which server first, and how long to wait. */
  readonly random: () => number;
}

/** After this long a connection counts as a good one, and its loss does not slow the next attempt. */
const goodConnectionMs = 500;

/** Holds a session over connections to one server after the other, and begins a new one after expiry. */
export class Session {
  readonly watches = new WatchRegistry();
  readonly credentials: Credentials;
  readonly #options: SessionOptions;
  readonly #queue = new RequestQueue();
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  #connection: Connection | undefined;
  #isAttached = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #id = 0n;
  #password: Uint8Array = Buffer.alloc(16);
  #timeoutMs: number;
  #zxidSeen = 0n;
  #serverIndex: number;
  #failuresInRow = 0;
  #attachedMs = 0;
  #dialTimer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs;
    this.#serverIndex = Math.floor(options.random() * options.servers.length);
    this.credentials = new Credentials((frame) => {
      if (this.#isAttached) this.#connection?.write(frame);
    });
    this.#dial();
  }

  get isConnected(): boolean {
    return this.#isAttached;
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

  /** Ends the session at the server, if one can be reached now, and then the connection. */
  close(): Promise<void> {
    // Before anything else: closing the connection comes back here as a lost one.
    this.#isClosed = true;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#dialTimer);
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
      const timer = setTimeout(resolve, closeTimeoutMs);
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

  #dial(): void {
    const { servers, clock } = this.#options;
    const address = servers[this.#serverIndex % servers.length] as ServerAddress;
    this.#serverIndex++;
    const request = {
      protocolVersion: 0,
      lastZxidSeen: this.#zxidSeen,
      timeoutMs: this.#options.timeoutMs,
      sessionId: this.#id,
      password: this.#password,
      readOnly: false,
    };
    const connectTimeoutMs = Math.min(connectTimeoutMsMax, this.#timeoutMs);
    const connection: Connection = new Connection(
      address,
      request,
      {
        attached: (response) => this.#attached(connection, response),
        frame: (bytes) => this.#frame(bytes),
        closed: (cause) => this.#lost(cause),
      },
      { connectTimeoutMs, clock },
    );
    this.#connection = connection;
  }

  #attached(connection: Connection, response: ConnectResponse): void {
    if (response.timeoutMs <= 0) {
      this.#expire();
      connection.close(new Error("the session has expired"));
      return;
    }
    const isNew = this.#id === 0n;
    this.#id = response.sessionId;
    this.#password = Buffer.from(response.password ?? Buffer.alloc(16));
    this.#timeoutMs = response.timeoutMs;
    this.#isAttached = true;
    this.#attachedMs = this.#options.clock.monotonicMs();
    // In this order: rights before requests, watches before the reads that rely on them.
    for (const frame of this.credentials.frames()) connection.write(frame);
    for (const frame of setWatchesFrames(this.watches.pieces(), this.#zxidSeen)) {
      connection.write(frame);
    }
    this.#emit({ kind: "connected", sessionId: this.#id, timeoutMs: this.#timeoutMs, isNew });
    this.watches.missed("persistent");
    this.#pump();
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
    const request = this.#queue.reply(xid);
    if (request === undefined) throw new WireError("type", `a reply to nothing, xid ${xid}`, 0);
    if (zxid > this.#zxidSeen) this.#zxidSeen = zxid;
    request.replied(error, reader);
    this.#pump();
  }

  #lost(cause: Error | undefined): void {
    this.#connection = undefined;
    const wasAttached = this.#isAttached;
    this.#isAttached = false;
    this.credentials.connectionLost();
    this.#failuresInRow = wasAttached ? this.#failuresAfterLoss() : this.#failuresInRow + 1;
    this.#queue.failInFlight(this.#isClosed ? "CLOSED" : "CONNECTIONLOSS");
    if (this.#isClosed) return;
    if (wasAttached) this.#emit({ kind: "suspended", reason: cause?.message });
    // A listener may have closed the client.
    if (!this.#isClosed) this.#dialTimer = setTimeout(() => this.#dial(), this.#waitMs());
  }

  /** A connection that was good for a while is made again at once; one that was not, after the first wait. */
  #failuresAfterLoss(): number {
    const heldMs = this.#options.clock.monotonicMs() - this.#attachedMs;
    return heldMs >= goodConnectionMs ? 0 : this.#options.servers.length;
  }

  /** No wait until every server has failed once; then longer with each round, and drawn. */
  #waitMs(): number {
    const rounds = Math.floor(this.#failuresInRow / this.#options.servers.length);
    if (rounds === 0) return 0;
    const longest = Math.min(backoffMsMax, this.#timeoutMs / 3);
    const waitMs = Math.min(longest, backoffMsMin * 2 ** Math.min(rounds - 1, 16));
    return waitMs * (0.5 + this.#options.random() / 2);
  }

  #expire(): void {
    const sessionId = this.#id;
    this.#id = 0n;
    this.#password = Buffer.alloc(16);
    this.#failuresInRow = -1;
    this.#queue.failWaiting("SESSIONEXPIRED");
    this.#emit({ kind: "expired", sessionId });
    this.watches.missed("oneShot");
  }

  #emit(event: SessionEvent): void {
    for (const listener of this.#listeners) callOut(() => listener(event));
  }
}
