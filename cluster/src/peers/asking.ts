import {
  type ErrorCode,
  type ErrorFields,
  errorCodes,
  ServiceError,
} from "../../../kit/src/errors.ts";
import { type FrameKind, frameKinds, malformed } from "./frame.ts";
import { exchangesMax, messageBytesMax, streamWindowBytes } from "./limits.ts";
import { type NamedMessage, packMessage } from "./message.ts";
import type { Outbox, Outgoing } from "./outbox.ts";
import type { CallOptions, PeerMessage } from "./peers.ts";

/** What this side asked and has no whole answer to. */
interface Asked {
  readonly outgoing: Outgoing;
  received(kind: FrameKind, message: NamedMessage | undefined): void;
  failed(error: unknown): void;
}

/** The asking side of a link: its calls and streams, each until it is answered, given up, or the link ends. */
export class Asking {
  readonly #outbox: Outbox;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;
  #ended: string | undefined;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** See `Peers.call`. */
  call(
    method: string,
    message: PeerMessage,
    { signal, timeoutMs, sent }: CallOptions,
  ): Promise<PeerMessage> {
    return new Promise((resolve, reject) => {
      const asked = {
        received: (kind: FrameKind, answer: NamedMessage | undefined) => {
          if (kind !== frameKinds.answer || answer === undefined) throw malformed("answer", kind);
          settle();
          resolve(answer);
        },
        failed: (error: unknown) => {
          settle();
          reject(error);
        },
      } as const;
      let id: number;
      try {
        signal?.throwIfAborted();
        id = this.#ask(frameKinds.call, method, message, asked, sent);
      } catch (thrown) {
        sent?.();
        throw thrown;
      }
      const giveUp = (): void => this.#giveUp(id, signal?.reason);
      const timer = setTimeout(() => {
        this.#giveUp(id, undefined, `no answer within ${timeoutMs} ms`);
      }, timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
        this.#asked.delete(id);
      };
      signal?.addEventListener("abort", giveUp);
    });
  }

  /** See `Peers.stream`. */
  async *stream(
    method: string,
    message: PeerMessage,
    { signal }: { readonly signal?: AbortSignal },
  ): AsyncGenerator<PeerMessage> {
    signal?.throwIfAborted();
    const arrived = new Arrived();
    const id = this.#ask(frameKinds.stream, method, message, {
      received: (kind, item) => arrived.received(kind, item),
      failed: (error) => arrived.failed(error),
    });
    const giveUp = (): void => this.#giveUp(id, signal?.reason);
    signal?.addEventListener("abort", giveUp);
    // Credit goes back in quarters of the window, so that small items do not cost a frame each.
    let taken = 0;
    try {
      for (;;) {
        const item = await arrived.next();
        if (item === undefined) return;
        taken += item.size;
        if (taken >= streamWindowBytes / 4) {
          this.#outbox.control(frameKinds.credit, id, taken);
          taken = 0;
        }
        yield item;
      }
    } finally {
      signal?.removeEventListener("abort", giveUp);
      if (!arrived.isOver) this.#cancel(id);
      this.#asked.delete(id);
    }
  }

  /** An answer or a piece of one. Throws `peer.malformed`. */
  received(kind: FrameKind, exchange: number, message: NamedMessage | undefined): void {
    // One that was given up, whose answer was on its way.
    const asked = this.#asked.get(exchange);
    if (asked === undefined) return;
    if (kind === frameKinds.failure) asked.failed(errorOf(message as NamedMessage));
    else asked.received(kind, message);
  }

  /** The link has ended: whatever was asked fails. */
  end(reason: string): void {
    this.#ended = reason;
    for (const asked of [...this.#asked.values()]) {
      asked.failed(unavailable(reason, asked.outgoing.hasBegun));
    }
    this.#asked.clear();
  }

  #ask(
    kind: FrameKind,
    method: string,
    message: PeerMessage,
    asked: Omit<Asked, "outgoing">,
    sent?: () => void,
  ): number {
    if (this.#ended !== undefined) throw unavailable(this.#ended, false);
    if (this.#asked.size >= exchangesMax) throw unavailable("too many calls are under way", false);
    const packed = packMessage(method, message, sent !== undefined);
    const id = this.#newId();
    const outgoing = this.#outbox.push("exchanges", kind, id, packed, sent);
    if (outgoing === undefined) throw unavailable("the queue to the node is full", false);
    this.#asked.set(id, { ...asked, outgoing });
    return id;
  }

  #newId(): number {
    do {
      this.#lastId = (this.#lastId % 0xffffffff) + 1;
    } while (this.#asked.has(this.#lastId));
    return this.#lastId;
  }

  #giveUp(id: number, reason: unknown, late = "given up"): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#cancel(id);
    asked.failed(reason ?? unavailable(late, asked.outgoing.hasBegun));
  }

  #cancel(id: number): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    if (asked.outgoing.hasBegun) this.#outbox.follow(frameKinds.cancel, id);
    else asked.outgoing.drop();
  }
}

/** Items of a stream that have not been taken yet. */
class Arrived {
  readonly #items: NamedMessage[] = [];
  #bytes = 0;
  #error: unknown;
  /** Whether the peer has nothing more to say. */
  isOver = false;
  #wake: (() => void) | undefined;

  received(kind: FrameKind, item: NamedMessage | undefined): void {
    if (kind === frameKinds.end) {
      this.isOver = true;
    } else {
      if (kind !== frameKinds.item || item === undefined) throw malformed("item", kind);
      this.#bytes += item.size;
      if (this.#bytes > 2 * streamWindowBytes + messageBytesMax)
        throw malformed("window", item.size);
      this.#items.push(item);
    }
    this.#wake?.();
  }

  failed(error: unknown): void {
    this.#error = error;
    this.isOver = true;
    this.#wake?.();
  }

  /** Undefined after the last. Throws what the peer answered instead, once all before it were taken. */
  async next(): Promise<NamedMessage | undefined> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        this.#bytes -= item.size;
        return item;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export function unavailable(reason: string, sent: boolean): ServiceError {
  return new ServiceError("peer.unavailable", "the node cannot be asked", { reason, sent });
}

interface WireError {
  readonly code: string;
  readonly message: string;
  readonly fields: ErrorFields;
}

/** An error as it goes over the wire: the message of a failure. */
export function failureMessage(error: ServiceError): PeerMessage {
  const { code, message, fields } = error;
  return { head: { code, message, fields } satisfies WireError, bytes: [] };
}

/** A code that this version does not know is `internal`. */
function errorOf({ head }: PeerMessage): ServiceError {
  if (typeof head !== "object" || head === null) throw malformed("failure", typeof head);
  const { code, message, fields } = head as Partial<WireError>;
  const isKnown = typeof code === "string" && Object.hasOwn(errorCodes, code);
  return new ServiceError(
    isKnown ? (code as ErrorCode) : "internal",
    String(message ?? "the peer failed"),
    typeof fields === "object" && fields !== null ? fields : {},
  );
}
