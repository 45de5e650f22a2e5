import type { Socket } from "node:net";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { freed } from "../../../kit/src/freed.ts";
import { Answering, type Handler } from "./answering.ts";
import { Asking } from "./asking.ts";
import { type AssembledSink, Assembly } from "./assembly.ts";
import { type FrameKind, frameKinds } from "./frame.ts";
import { heartbeatMs, linkDeadMs } from "./limits.ts";
import { type NamedMessage, packMessage } from "./message.ts";
import { Outbox } from "./outbox.ts";
import type { Keep, PeerIdentity, PeerLink, PeerMessage } from "./peers.ts";
import type { ReceiveMemory } from "./receive-memory.ts";

export interface LinkOptions {
  readonly id: number;
  readonly socket: Socket;
  readonly identity: PeerIdentity;
  /** Whether this side dialled. */
  readonly isDialled: boolean;
  readonly pack: boolean;
  /** What came behind the handshake. */
  readonly rest: Buffer;
  /** Shared by all links. */
  readonly memory: ReceiveMemory;
  readonly events: LinkEvents;
}

/** What a link asks of whoever holds it. */
export interface LinkEvents {
  handlerOf(method: string): Handler | undefined;
  message(link: PeerLink, message: NamedMessage, keep: Keep): void;
  /** One-way messages may be sent again, after one was refused. */
  room(link: Link): void;
  /** Once, after everything under way has failed. */
  ended(link: Link, reason: ServiceError): void;
}

/** Own heartbeats without a word of the peer; at the next it is dead. */
const silentBeatsMax = linkDeadMs / heartbeatMs;

/** One connection after its handshake: calls, streams and one-way messages of both sides, and heartbeats. */
export class Link implements PeerLink, AssembledSink {
  readonly id: number;
  readonly identity: PeerIdentity;
  readonly isDialled: boolean;
  readonly #options: LinkOptions;
  readonly #outbox: Outbox;
  readonly #asking: Asking;
  readonly #answering: Answering;
  readonly #assembly: Assembly;
  readonly #timer: NodeJS.Timeout;
  /** Own heartbeats since the peer was heard. */
  #silentBeats = 0;
  #isEnded = false;

  constructor(options: LinkOptions) {
    const { id, socket, identity, isDialled, pack, events, memory } = options;
    this.id = id;
    this.identity = identity;
    this.isDialled = isDialled;
    this.#options = options;
    this.#outbox = new Outbox(socket, { pack, onRoom: () => events.room(this) });
    this.#asking = new Asking(this.#outbox);
    const handlerOf = (method: string) => events.handlerOf(method);
    this.#answering = new Answering(this.#outbox, identity, handlerOf, memory);
    this.#assembly = new Assembly(this, memory);
    this.#timer = setInterval(() => this.#beat(), heartbeatMs);
  }

  /** Begins to read; whoever holds the link knows it by then. */
  begin(): void {
    const { socket, rest } = this.#options;
    socket.on("error", (error) => this.#broken(messageOf(error)));
    socket.on("end", () => this.#broken("the peer closed the connection"));
    socket.on("close", () => this.#broken("the connection is closed"));
    if (socket.destroyed) {
      this.#broken("the connection is closed");
      return;
    }
    if (rest.length > 0) this.#read(rest);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.resume();
  }

  call(...args: Parameters<Asking["call"]>): Promise<PeerMessage> {
    return this.#asking.call(...args);
  }

  stream(...args: Parameters<Asking["stream"]>): AsyncIterable<PeerMessage> {
    return this.#asking.stream(...args);
  }

  /** False: the queue is full, or the link has ended. */
  send(channel: string, message: PeerMessage, sent?: () => void): boolean {
    if (this.#isEnded) return false;
    const packed = packMessage(channel, message, sent !== undefined);
    return this.#outbox.push("oneWay", frameKinds.message, 0, packed, sent) !== undefined;
  }

  /** Bytes that wait for the connection. */
  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  end(reason: ServiceError): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearInterval(this.#timer);
    this.#options.socket.destroy();
    this.#outbox.close();
    this.#asking.end(reason.message);
    this.#answering.end(reason.message);
    this.#options.events.ended(this, reason);
  }

  received(
    kind: FrameKind,
    exchange: number,
    message: NamedMessage | undefined,
    value: number,
  ): void {
    switch (kind) {
      case frameKinds.heartbeat:
        return;
      case frameKinds.message:
        this.#oneWay(message as NamedMessage);
        return;
      case frameKinds.call:
      case frameKinds.stream:
      case frameKinds.cancel:
      case frameKinds.credit:
        this.#answering.received(kind, exchange, message, value);
        return;
      case frameKinds.answer:
      case frameKinds.failure:
      case frameKinds.item:
      case frameKinds.end:
        this.#asking.received(kind, exchange, message);
        return;
    }
  }

  #oneWay(message: NamedMessage): void {
    const { events, memory } = this.#options;
    let holders = 1;
    const give = (): void => {
      if (--holders === 0) memory.give(message.memory);
    };
    events.message(this, message, () => {
      holders++;
      return give;
    });
    give();
  }

  #read(chunk: Buffer): void {
    if (this.#isEnded) return;
    this.#silentBeats = 0;
    try {
      this.#assembly.push(chunk);
      freed(chunk);
    } catch (thrown) {
      // What a listener throws is a fault of ours and no peer's.
      if (!(thrown instanceof ServiceError) || thrown.code !== "peer.malformed") throw thrown;
      this.end(thrown);
    }
  }

  #beat(): void {
    // Counted in own beats and not by a clock: while this process does not get on, its lateness is not the peer's silence.
    this.#silentBeats++;
    // What the peer said may lie in the socket, which is read before the second of these.
    if (this.#silentBeats > silentBeatsMax) setImmediate(() => setImmediate(() => this.#judge()));
    // Where bytes wait for the peer to read, they are what it will hear.
    if (!this.#options.socket.writableNeedDrain) this.#outbox.control(frameKinds.heartbeat, 0);
  }

  #judge(): void {
    if (this.#silentBeats > silentBeatsMax) this.#broken("nothing was heard of the peer");
  }

  #broken(reason: string): void {
    this.end(new ServiceError("peer.unavailable", reason));
  }
}
