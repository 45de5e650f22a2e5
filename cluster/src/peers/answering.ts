import { ServiceError, serviceErrorOf } from "../../../kit/src/errors.ts";
import { failureMessage } from "./asking.ts";
import { type FrameKind, frameKinds, malformed } from "./frame.ts";
import { exchangesMax, failureTextMax, streamWindowBytes } from "./limits.ts";
import { type NamedMessage, packMessage } from "./message.ts";
import type { Outbox } from "./outbox.ts";
import type { CallHandler, PeerAnswer, PeerIdentity, PeerMessage, StreamHandler } from "./peers.ts";
import type { ReceiveMemory } from "./receive-memory.ts";

/** Who answers a method. */
export type Handler =
  | { readonly kind: "call"; readonly guests: boolean; readonly handler: CallHandler }
  | { readonly kind: "stream"; readonly guests: boolean; readonly handler: StreamHandler };

/** A question of the peer under way here. */
class Answer {
  readonly abort = new AbortController();
  /** Bytes that a stream may still send. */
  credit = streamWindowBytes;
  wake: (() => void) | undefined;
}

/** The answering side of a link. */
export class Answering {
  readonly #outbox: Outbox;
  readonly #from: PeerIdentity;
  readonly #handlerOf: (method: string) => Handler | undefined;
  readonly #memory: ReceiveMemory;
  readonly #answers = new Map<number, Answer>();

  constructor(
    outbox: Outbox,
    from: PeerIdentity,
    handlerOf: (method: string) => Handler | undefined,
    memory: ReceiveMemory,
  ) {
    this.#outbox = outbox;
    this.#from = from;
    this.#handlerOf = handlerOf;
    this.#memory = memory;
  }

  /** Throws `peer.malformed`. */
  received(
    kind: FrameKind,
    exchange: number,
    message: NamedMessage | undefined,
    value: number,
  ): void {
    const known = this.#answers.get(exchange);
    if (kind === frameKinds.cancel) {
      known?.abort.abort(new ServiceError("peer.unavailable", "the peer gave up"));
      known?.wake?.();
      return;
    }
    if (kind === frameKinds.credit) {
      // One that is answered already needs none.
      if (known === undefined) return;
      known.credit += value;
      if (known.credit > streamWindowBytes) throw malformed("credit", value);
      known.wake?.();
      return;
    }
    if (known !== undefined || message === undefined) throw malformed("exchange", exchange);
    void this.#answer(kind, exchange, message);
  }

  /** The link has ended: nobody waits for what is under way. */
  end(reason: string): void {
    for (const { abort, wake } of this.#answers.values()) {
      abort.abort(new ServiceError("peer.unavailable", "the link has ended", { reason }));
      wake?.();
    }
    this.#answers.clear();
  }

  async #answer(kind: FrameKind, exchange: number, message: NamedMessage): Promise<void> {
    const answer = new Answer();
    const isBusy = this.#answers.size >= exchangesMax;
    this.#answers.set(exchange, answer);
    try {
      const handler = this.#find(kind, message.name, isBusy);
      if (handler.kind === "call") {
        const result = await handler.handler(this.#from, message, answer.abort.signal);
        await this.#send(answer, frameKinds.answer, exchange, result);
      } else {
        await this.#stream(answer, exchange, handler.handler, message);
      }
    } catch (thrown) {
      await this.#fail(answer, exchange, serviceErrorOf(thrown));
    } finally {
      this.#answers.delete(exchange);
      this.#memory.give(message.memory);
    }
  }

  /** What cannot go over a link, as a field of megabytes, is left out of what the peer is told. */
  async #fail(answer: Answer, exchange: number, error: ServiceError): Promise<void> {
    try {
      await this.#send(answer, frameKinds.failure, exchange, failureMessage(error));
    } catch {
      const short = new ServiceError(error.code, error.message.slice(0, failureTextMax));
      await this.#send(answer, frameKinds.failure, exchange, failureMessage(short));
    }
  }

  #find(kind: FrameKind, method: string, isBusy: boolean): Handler {
    const handler = this.#handlerOf(method);
    const isFitting = handler?.kind === (kind === frameKinds.call ? "call" : "stream");
    const isAllowed = this.#from.cluster !== undefined || handler?.guests === true;
    if (handler === undefined || !isFitting || !isAllowed || isBusy) {
      const reason = isBusy ? "too many calls are under way" : "the method is not served";
      const facts = { method, reason, sent: false };
      throw new ServiceError("peer.unavailable", "the node does not answer this", facts);
    }
    return handler;
  }

  /** Asks the handler for no more than the peer has room for. */
  async #stream(
    answer: Answer,
    exchange: number,
    handler: StreamHandler,
    message: PeerMessage,
  ): Promise<void> {
    const { signal } = answer.abort;
    for await (const item of handler(this.#from, message, signal)) {
      if (!(await this.#send(answer, frameKinds.item, exchange, item))) return;
      while (answer.credit <= 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          answer.wake = resolve;
        });
      }
      if (signal.aborted) return;
    }
    this.#outbox.follow(frameKinds.end, exchange);
  }

  /** False: nobody waits for it any more. */
  async #send(
    answer: Answer,
    kind: FrameKind,
    exchange: number,
    message: PeerAnswer,
  ): Promise<boolean> {
    const { signal } = answer.abort;
    const { sent } = message;
    let isTaken = false;
    try {
      if (signal.aborted) return false;
      const packed = packMessage("", message, sent !== undefined);
      answer.credit -= packed.size;
      while (this.#outbox.push("exchanges", kind, exchange, packed, sent) === undefined) {
        await this.#outbox.whenRoom();
        if (signal.aborted) return false;
      }
      isTaken = true;
      return true;
    } finally {
      if (!isTaken) sent?.();
    }
  }
}
