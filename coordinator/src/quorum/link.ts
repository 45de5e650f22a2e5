import type { Socket } from "node:net";
import type { LeaderMessage, LearnerMessage, LinkId } from "../core/messages.ts";
import { readShared } from "../server/shared-reads.ts";
import { WireError } from "../wire/errors.ts";
import { PacketSplitter } from "../wire/quorum.ts";
import type { TxnBytes } from "../wire/txn-bytes.ts";
import { JuteWriter } from "../wire/writer.ts";
import { ImageReceiver } from "./image-receiver.ts";
import { ImageSender } from "./image-sender.ts";
import { LeaderWire } from "./leader-wire.ts";
import type { LearnerWire } from "./learner-wire.ts";
import { linkWriterBytesKept, packetLimits, unnamedBytesMax } from "./limits.ts";
import type { ForwardedRequest, ImageSink, ImageSource, QuorumMessage } from "./ports.ts";
import { leaveInTime } from "./sockets.ts";

/** What a link tells its network. */
export interface LinkEvents {
  /** The other side has said who it is. */
  named(link: Link): void;
  messages(link: Link, messages: readonly QuorumMessage[]): void;
  imageBegin(link: Link, zxid: number): ImageSink;
  /** It is gone, for this reason; once, and never after `close`. */
  down(link: Link, reason: Error | undefined): void;
}

export interface LinkParts {
  readonly wire: LeaderWire | LearnerWire;
  /** Bytes that may wait for the other side. */
  readonly bytesMax: number;
}

/**
 * One connection between a learner and a leader. What is sent is gathered until `flush`; an image is sent as its reader
 * takes it, and what is sent after it waits.
 */
export class Link {
  readonly id: LinkId;
  /** In place of the one that it was made of. */
  readonly socket: Socket;
  readonly #wire: LeaderWire | LearnerWire;
  readonly #bytesMax: number;
  readonly #events: LinkEvents;
  readonly #splitter = new PacketSplitter(packetLimits);
  #writer = new JuteWriter();
  /** An image that is on its way out. */
  #sender: ImageSender | undefined;
  /** An image that comes in. */
  #receiver: ImageReceiver | undefined;
  #isOver = false;

  constructor(id: LinkId, socket: Socket, { wire, bytesMax }: LinkParts, events: LinkEvents) {
    this.id = id;
    this.socket = readShared(socket, (chunk) => this.#data(chunk));
    this.#wire = wire;
    this.#bytesMax = bytesMax;
    this.#events = events;
    this.socket.setNoDelay(true);
    this.socket.setKeepAlive(true, 10_000);
    this.socket.on("error", (error) => this.fail(error));
    this.socket.on("close", () => this.fail(undefined));
    this.socket.on("end", () => this.fail(undefined));
  }

  /** This side answers a learner, rather than a leader. */
  get isLeading(): boolean {
    return this.#wire instanceof LeaderWire;
  }

  send(message: QuorumMessage): void {
    if (this.#isOver) return;
    if (this.#wire instanceof LeaderWire) {
      this.#wire.write(message as LeaderMessage<TxnBytes>, this.#writer);
    } else this.#wire.write(message as LearnerMessage<ForwardedRequest>, this.#writer);
  }

  sendImage(zxid: number, image: ImageSource): void {
    if (this.#isOver || this.#sender !== undefined) {
      image.abandon();
      return;
    }
    this.send({ kind: "snap", zxid });
    this.flush();
    const after = () => {
      this.#sender = undefined;
      this.flush();
    };
    this.#sender = new ImageSender(this.socket, image, after);
  }

  /** One write for all that was sent since the last, unless an image is still on its way. */
  flush(): void {
    if (this.#isOver || this.#writer.length === 0) return;
    if (this.socket.writableLength + this.#writer.length > this.#bytesMax) {
      // Not at once: whoever sends is not to be called back meanwhile.
      setImmediate(() => this.fail(new Error("the other side is too slow")));
      this.#writer = new JuteWriter();
      return;
    }
    if (this.#sender !== undefined) return;
    this.#writer.sendTo(this.socket, linkWriterBytesKept);
  }

  /** No event follows. */
  close(): void {
    if (this.#isOver) return;
    this.flush();
    this.#finish();
    leaveInTime(this.socket);
  }

  fail(reason: Error | undefined): void {
    if (this.#isOver) return;
    this.#finish();
    this.socket.destroy();
    this.#events.down(this, reason);
  }

  #finish(): void {
    this.#isOver = true;
    this.#sender?.abandon();
    this.#receiver?.abandon();
    this.#sender = undefined;
    this.#receiver = undefined;
  }

  #data(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#splitter.push(chunk);
    this.#read();
    this.#splitter.keep();
  }

  /** Takes in what has come, until an image begins: what follows that waits for it. */
  #read(): void {
    try {
      if (this.#receiver === undefined) this.#readPackets();
      else this.#receiver.push(Buffer.from(this.#splitter.rest()));
    } catch (thrown) {
      if (!(thrown instanceof WireError)) throw thrown;
      this.fail(thrown);
    }
  }

  #readPackets(): void {
    for (;;) {
      const packet = this.#splitter.next();
      if (packet === undefined) {
        this.#strangerCheck();
        break;
      }
      if (this.#wire instanceof LeaderWire) {
        const wasNamed = this.#wire.isNamed;
        this.#wire.read(packet);
        if (!wasNamed) this.#events.named(this);
        if (this.#isOver) return;
        continue;
      }
      const snap = this.#wire.read(packet);
      if (snap === undefined) continue;
      this.#tell();
      if (!this.#isOver) this.#receive(snap);
      return;
    }
    this.#tell();
  }

  /** Who has not said who it is gets no memory for more than that takes. */
  #strangerCheck(): void {
    if (!(this.#wire instanceof LeaderWire) || this.#wire.isNamed) return;
    const { pending } = this.#splitter;
    if (pending <= unnamedBytesMax) return;
    throw new WireError("length", `${pending} bytes of one that has not said who it is`, 0);
  }

  #tell(): void {
    const messages = this.#wire.take();
    if (messages.length > 0 && !this.#isOver) this.#events.messages(this, messages);
  }

  #receive(zxid: number): void {
    const sink = this.#events.imageBegin(this, zxid);
    this.#receiver = new ImageReceiver(this.socket, sink, {
      done: (rest) => {
        if (this.#isOver) return;
        this.#receiver = undefined;
        (this.#wire as LearnerWire).snapped(zxid);
        this.#splitter.push(rest);
        this.#read();
      },
      failed: (error) => this.fail(error),
    });
    this.#read();
  }
}
