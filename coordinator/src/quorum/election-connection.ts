import type { Socket } from "node:net";

import { WireError } from "../wire/errors.ts";
import { FrameSplitter } from "../wire/frames.ts";
import { electionBytesMax } from "./limits.ts";

export interface ElectionConnectionEvents {
  /** A message without the length before it; a view that is valid during the call. */
  heard(bytes: Buffer): void;
  /** Once, and not after `close`. */
  closed(reason: Error | undefined): void;
}

/** A connection to another peer on the election port, after it was said who is at its ends. */
export class ElectionConnection {
  readonly #socket: Socket;
  readonly #events: ElectionConnectionEvents;
  readonly #splitter = new FrameSplitter(electionBytesMax);
  #isWriting = false;
  #waiting: Buffer | undefined;
  #unansweredSinceMs: number | undefined;
  #isOver = false;

  /** `first`: bytes that came with the initial message. */
  constructor(socket: Socket, events: ElectionConnectionEvents, first?: Buffer) {
    this.#socket = socket;
    this.#events = events;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    socket.on("data", (chunk: Buffer) => this.#data(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("end", () => this.#fail(undefined));
    socket.on("close", () => this.#fail(undefined));
    if (first !== undefined && first.length > 0) setImmediate(() => this.#data(first));
  }

  /** How long it has been spoken to without a word from it. */
  silentMs(nowMs: number): number {
    return this.#unansweredSinceMs === undefined ? 0 : nowMs - this.#unansweredSinceMs;
  }

  /** Of messages that the socket does not take yet only the newest is kept: it says all that the others did. */
  send(message: Buffer): void {
    if (this.#isOver) return;
    this.#unansweredSinceMs ??= performance.now();
    if (this.#isWriting) {
      this.#waiting = message;
      return;
    }
    this.#isWriting = true;
    const frame = Buffer.allocUnsafe(4 + message.length);
    frame.writeInt32BE(message.length);
    message.copy(frame, 4);
    this.#socket.write(frame, () => {
      this.#isWriting = false;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting !== undefined) this.send(waiting);
    });
  }

  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #data(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#unansweredSinceMs = undefined;
    try {
      this.#splitter.push(chunk, (bytes) => {
        if (!this.#isOver) this.#events.heard(bytes);
      });
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
      this.#fail(thrown);
    }
  }

  #fail(reason: Error | undefined): void {
    if (this.#isOver) return;
    this.close();
    this.#events.closed(reason);
  }
}
