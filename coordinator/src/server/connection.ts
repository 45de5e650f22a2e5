import type { Socket } from "node:net";

import { FrameSplitter } from "../wire/frames.ts";
import type { Id } from "../wire/records.ts";
import { JuteWriter } from "../wire/writer.ts";
import {
  closeWithinMs,
  connectionQueueMax,
  unsentBytesFatal,
  unsentBytesMax,
  writerBytesKept,
} from "./limits.ts";
import type { SaslDigest } from "./sasl-digest.ts";
import { LatencyStats } from "./stats.ts";

/** A request that waits its turn: each is answered after those before it. */
export type Waiting =
  /** A write on its way; its commit answers it. `bytes`: of a request that was forwarded. */
  | {
      readonly kind: "write";
      readonly xid: number;
      readonly type: number;
      readonly at: number;
      readonly bytes: number;
    }
  /** A write that is not proposed: answered in its turn. */
  | {
      readonly kind: "refused";
      readonly error: number;
      readonly xid: number;
      readonly type: number;
      readonly at: number;
    }
  /** A read behind a write; `frame` is a copy. */
  | { readonly kind: "read"; readonly frame: Buffer; readonly at: number }
  /** A sync: answered once the leader has, and all before it is applied. */
  | { readonly kind: "sync"; readonly frame: Buffer; readonly at: number; isDone: boolean };

/** What a connection tells its server. A frame may be a view of what was read: it is to be copied where it is kept. */
export interface ConnectionEvents {
  onFrame(connection: Connection, frame: Buffer): void;
  onDirty(connection: Connection): void;
  onClose(connection: Connection): void;
}

/**
 * One client's socket: frames in, answers out in one write a turn, requests in order. What a
 * request means is the server's business.
 */
export class Connection {
  readonly address: string;
  readonly port: number;
  readonly establishedMs: number;
  readonly stats = new LatencyStats();
  /** Every identity it has; its address is the first. */
  ids: readonly Id[];
  /** What its certificate proved; empty without TLS. */
  certificateIds: readonly Id[] = [];
  /** Its exchange of SASL, once that has begun. */
  sasl: SaslDigest | undefined;
  /** 0n until its session is there. */
  sessionId = 0n;
  timeoutMs = 0;
  state: "fresh" | "connecting" | "open" | "closing" = "fresh";
  /** Whether its ConnectRequest had the `readOnly` byte, and so its answer has. */
  knowsReadOnly = false;
  /** Its server had no leader when it came, and answers reads only. */
  isReadOnly = false;
  /** It speaks TLS at a port where others do not. */
  isSecured = false;
  /** Nothing has come yet: only then can it be a four-letter word. */
  isUntouched = true;
  lastType = 0;
  lastCxid = -1;
  lastZxid = 0;
  lastResponseMs = 0;
  /** Something came since the last step of session time. */
  isHeard = false;
  /** Txns through this zxid are not of its requests, whoever they say they are of. */
  attachedZxid = 0;
  readonly waiting: Waiting[] = [];
  readonly #splitter: FrameSplitter;
  #socket: Socket;
  /** TLS reads the socket, and is not through its handshake. */
  #isSecuring = false;
  readonly #events: ConnectionEvents;
  readonly #out = new JuteWriter();
  /** Copies of frames that came before they could be answered; never more than one read of the socket brings. */
  #held: Buffer[] = [];
  #heldDone = 0;
  #heldSinceMs = 0;
  #isDirty = false;
  #isPausedByHost = false;
  #isClosed = false;

  /** `frameBytes`: of the longest request that is taken. */
  constructor(socket: Socket, events: ConnectionEvents, nowMs: number, frameBytes: number) {
    this.#splitter = new FrameSplitter(frameBytes);
    this.#socket = socket;
    this.#events = events;
    this.establishedMs = nowMs;
    // A client of IPv4 at a socket of both kinds.
    this.address = (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
    this.port = socket.remotePort ?? 0;
    this.ids = [{ scheme: "ip", id: this.address }];
    socket.setNoDelay(true);
    this.#watch(socket);
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** Gives the socket to TLS, with the bytes that were read: nothing is read or written here until there is one of TLS. */
  beginSecuring(bytes: Buffer): Socket {
    this.#isSecuring = true;
    const socket = this.#socket;
    // Flowing on it would lose what is put back.
    socket.pause();
    socket.unshift(Buffer.from(bytes));
    return socket;
  }

  /** Goes on over TLS. */
  secured(socket: Socket): void {
    this.#isSecuring = false;
    this.isSecured = true;
    this.#socket = socket;
    this.#watch(socket);
    this.#readingDecide();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether its requests wait for us, so that its silence says nothing about its client. */
  get isHeldBack(): boolean {
    return this.socket.isPaused() && !this.#isClosed;
  }

  /** Requests that are held back. */
  get heldCount(): number {
    return this.#held.length - this.#heldDone;
  }

  /** Since when, by the monotonic clock: all of them came with one read of the socket. Undefined when none was. */
  get heldSinceMs(): number | undefined {
    return this.#held.length === 0 ? undefined : this.#heldSinceMs;
  }

  /** Where answers are written; they leave at the end of the turn. */
  get out(): JuteWriter {
    this.#markDirty();
    return this.#out;
  }

  /** Cuts bytes into frames. Throws a `WireError` for a frame that is too long. */
  receive(chunk: Buffer): void {
    this.#splitter.push(chunk, (frame) => {
      if (this.#isClosed || this.state === "closing") return;
      // What cannot be answered now waits: before the session is there, or while too much is unsent.
      if (this.#held.length > 0 || this.#isBlocked) this.#hold(frame);
      else this.#events.onFrame(this, frame);
    });
    this.#readingDecide();
  }

  /** The session is there: what was held back is read now. */
  open(): void {
    this.state = "open";
    this.#heldProceed();
  }

  enqueue(waiting: Waiting): void {
    this.waiting.push(waiting);
  }

  /** Stops or goes on reading by what waits here, what is unsent, and whether the server as a whole is busy. */
  hostBusy(isBusy: boolean): void {
    this.#isPausedByHost = isBusy;
    if (isBusy) this.#readingDecide();
    else this.#heldProceed();
  }

  /** Something that waited was answered: reading may go on, unless the client takes nothing. */
  proceed(): void {
    if (this.#unsentBytes > unsentBytesFatal) this.close();
    else this.#readingDecide();
  }

  flush(): void {
    this.#isDirty = false;
    if (this.#isClosed) return;
    if (this.#out.length > 0) this.#out.sendTo(this.socket, writerBytesKept);
    if (this.#unsentBytes > unsentBytesFatal) this.close();
    else this.#heldProceed();
    if (this.state === "closing" && !this.#isClosed) this.socket.end(() => this.socket.destroy());
  }

  /** Closes once what was answered so far is sent. */
  closeAfterFlush(): void {
    this.state = "closing";
    this.#markDirty();
    // A client that takes neither the answer nor the end is not waited for.
    setTimeout(() => this.close(), closeWithinMs).unref();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.state = "closing";
    this.socket.destroy();
    this.#events.onClose(this);
  }

  get #unsentBytes(): number {
    return this.#out.length + this.socket.writableLength;
  }

  get #isBlocked(): boolean {
    return (
      this.#isPausedByHost || this.state === "connecting" || this.#unsentBytes > unsentBytesMax
    );
  }

  #hold(frame: Buffer): void {
    if (this.#held.length === 0) this.#heldSinceMs = performance.now();
    this.#held.push(Buffer.from(frame));
  }

  /** Answers what was held back, as far as there is room for the answers. */
  #heldProceed(): void {
    let count = 0;
    for (const frame of this.#held) {
      if (this.#isBlocked || this.#isClosed || this.state === "closing") break;
      count++;
      this.#heldDone = count;
      this.#events.onFrame(this, frame);
    }
    this.#heldDone = 0;
    if (count > 0) this.#held = this.#held.slice(count);
    this.#readingDecide();
  }

  #watch(socket: Socket): void {
    socket.on("error", () => this.close());
    socket.on("close", () => this.close());
    socket.on("end", () => this.close());
    socket.on("drain", () => this.#heldProceed());
  }

  #markDirty(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#events.onDirty(this);
  }

  #readingDecide(): void {
    if (this.#isClosed || this.#isSecuring) return;
    const wantsPause =
      this.#isBlocked || this.#held.length > 0 || this.waiting.length > connectionQueueMax;
    if (wantsPause && !this.socket.isPaused()) this.socket.pause();
    else if (!wantsPause && this.socket.isPaused()) this.socket.resume();
  }
}
