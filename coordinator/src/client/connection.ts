import type { Socket } from "node:net";

import type { Clock } from "../../../kit/src/clock.ts";
import { decode, encode } from "../wire/codec.ts";
import { opCodes, xids } from "../wire/constants.ts";
import { FrameSplitter } from "../wire/frames.ts";
import { ConnectRequest, ConnectResponse, RequestHeader } from "../wire/records.ts";
import { JuteWriter } from "../wire/writer.ts";
import { type ClientSecurity, dial } from "./dial.ts";
import { answerBytesMax, lapseShare } from "./limits.ts";
import type { Target } from "./server-list.ts";

/** What a connection tells the session that holds it. Nothing comes after `closed`. */
export interface ConnectionHost {
  /** The server's answer to the first frame; its timeout is 0 when the session is not known. */
  attached(response: ConnectResponse): void;
  /** A frame after that; valid during the call only. Throwing closes the connection. */
  frame(bytes: Buffer): void;
  /** The server was reached, and TLS with it failed; `closed` follows. */
  insecure(cause: Error): void;
  /** The connection stands, but nothing proves that the server has heard of us for most of the session's timeout. */
  lapsed(): void;
  closed(cause: Error | undefined): void;
}

/**
 * One TCP connection to one server: dials, presents the session, cuts frames, keeps the session alive by pings
 * and gives up on a server that is silent for two thirds of the timeout. It never tries again.
 */
export class Connection {
  readonly #host: ConnectionHost;
  readonly #clock: Clock;
  readonly #socket: Socket;
  /** Whether it speaks TLS. */
  readonly isSecured: boolean;
  readonly #splitter = new FrameSplitter(answerBytesMax);
  #isReached = false;
  #attached = false;
  #closed = false;
  #outgoing: Buffer[] = [];
  #flushing = false;
  #receivedMs: number;
  #sentMs: number;
  #heardMs: number;
  #framesSent = 0;
  #framesAnswered = 0;
  /** A moment of sending whose answer is awaited. */
  #mark: { readonly framesSent: number; readonly ms: number } | undefined;
  #timer: NodeJS.Timeout;

  constructor(
    target: Target,
    request: ConnectRequest,
    host: ConnectionHost,
    options: {
      readonly connectTimeoutMs: number;
      readonly clock: Clock;
      readonly security: ClientSecurity | undefined;
    },
  ) {
    this.#host = host;
    this.isSecured = options.security !== undefined;
    this.#clock = options.clock;
    this.#heardMs = this.#receivedMs = this.#sentMs = options.clock.monotonicMs();
    this.#socket = dial(target, options.security, () =>
      this.write(framed(encode(ConnectRequest, request))),
    );
    this.#socket.once("connect", () => {
      this.#isReached = true;
    });
    this.#socket.on("data", (chunk: Buffer) => this.#received(chunk));
    this.#socket.on("error", (error) => this.#failed(error));
    this.#socket.on("close", () => this.close());
    this.#timer = setTimeout(
      () => this.close(new Error("the server did not answer in time")),
      options.connectTimeoutMs,
    );
  }

  /**
   * The latest known moment, by the monotonic clock, at which something left that has reached the server: it keeps the session
   * at least for its timeout from then on.
   */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Sends a frame with its length. What is written in one turn of the loop leaves in one write. */
  write(frame: Buffer): void {
    this.#outgoing.push(frame);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  close(cause?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#host.closed(cause);
  }

  /** A server that does not believe us says so after the client's part of the handshake, in place of an answer. */
  #failed(error: Error): void {
    const isOfTls = this.isSecured && this.#isReached && !this.#attached;
    if (isOfTls && !this.#closed) this.#host.insecure(error);
    this.close(error);
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#closed) return;
    this.#sentMs = this.#clock.monotonicMs();
    this.#framesSent += this.#outgoing.length;
    this.#mark ??= { framesSent: this.#framesSent, ms: this.#sentMs };
    this.#socket.cork();
    for (const frame of this.#outgoing) this.#socket.write(frame);
    this.#socket.uncork();
    this.#outgoing = [];
  }

  #received(chunk: Buffer): void {
    this.#receivedMs = this.#clock.monotonicMs();
    try {
      this.#splitter.push(chunk, (bytes) => {
        if (this.#closed) return;
        this.#count(bytes);
        if (this.#attached) this.#host.frame(bytes);
        else this.#attach(decode(ConnectResponse, bytes));
      });
    } catch (thrown) {
      this.close(thrown as Error);
    }
  }

  /** Each frame has one answer; when as many are there as were sent by then, one of them left at the mark or later. */
  #count(bytes: Buffer): void {
    if (this.#attached && bytes.length >= 4 && bytes.readInt32BE(0) === xids.event) return;
    this.#framesAnswered++;
    if (this.#mark === undefined || this.#framesAnswered < this.#mark.framesSent) return;
    this.#heardMs = this.#mark.ms;
    this.#mark = undefined;
  }

  #attach(response: ConnectResponse): void {
    this.#attached = true;
    clearTimeout(this.#timer);
    if (response.timeoutMs > 0) this.#watchOver(response.timeoutMs);
    this.#host.attached(response);
  }

  #watchOver(timeoutMs: number): void {
    const stepMs = Math.max(5, Math.floor(timeoutMs / 6));
    let hasLapsed = false;
    this.#timer = setInterval(() => {
      const now = this.#clock.monotonicMs();
      if (now - this.#sentMs >= stepMs * 2 - 1) this.write(pingFrame);
      // After a pause of this process the answers may lie unread in the socket: read before judging.
      if (now - this.#receivedMs > stepMs * 4)
        setImmediate(() => setImmediate(() => this.#judge(stepMs * 4)));
      const isLapsed = now - this.#heardMs >= timeoutMs * lapseShare - stepMs;
      if (isLapsed && !hasLapsed) this.#host.lapsed();
      hasLapsed = isLapsed;
    }, stepMs);
  }

  #judge(silenceMsMax: number): void {
    if (this.#clock.monotonicMs() - this.#receivedMs <= silenceMsMax) return;
    this.close(new Error("the server is silent"));
  }
}

const pingFrame = framed(encode(RequestHeader, { xid: xids.ping, type: opCodes.ping }));

function framed(bytes: Uint8Array): Buffer {
  const writer = new JuteWriter(bytes.length + 4);
  writer.buffer(bytes);
  return writer.copy();
}
