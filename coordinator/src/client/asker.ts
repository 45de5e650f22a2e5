import type { Codec } from "../wire/codec.ts";
import { frameBytesMax } from "../wire/limits.ts";
import type { JuteReader } from "../wire/reader.ts";
import { RequestHeader } from "../wire/records.ts";
import { JuteWriter } from "../wire/writer.ts";
import { errorCodeOf, ZooKeeperError } from "./errors.ts";
import type { Request } from "./request-queue.ts";
import type { Session } from "./session.ts";

export interface AskOptions {
  readonly signal?: AbortSignal;
  /** For errors; without the client's chroot. */
  readonly path?: string;
  /** Called as soon as the reply is read, before the next frame is looked at. */
  readonly onReply?: (error: number) => void;
}

/** Makes a promise of a request: encodes it, submits it, decodes the reply. */
export class Asker {
  readonly #session: Session;
  readonly #writer = new JuteWriter();

  constructor(session: Session) {
    this.#session = session;
  }

  ask<Q, A>(
    type: number,
    query: Codec<Q>,
    body: Q,
    answer: Codec<A>,
    options: AskOptions,
  ): Promise<A> {
    const { signal, path } = options;
    const at = path === undefined ? {} : { path };
    return new Promise<A>((resolve, reject) => {
      signal?.throwIfAborted();
      const abort = (): void => {
        this.#session.withdraw(request);
        reject(signal?.reason);
      };
      const settle = (): void => signal?.removeEventListener("abort", abort);
      const request: Request = {
        frame: this.#frame(type, query, body, at),
        path,
        replied: (error, reader) => {
          settle();
          if (signal?.aborted !== true) options.onReply?.(error);
          if (error !== 0) reject(new ZooKeeperError(errorCodeOf(error), at));
          else this.#answer(answer, reader, resolve, reject);
        },
        failed: (error) => {
          settle();
          reject(error);
        },
      };
      this.#session.submit(request);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** A reply that cannot be read ends the connection too, after its own promise. */
  #answer<A>(
    answer: Codec<A>,
    reader: JuteReader,
    resolve: (value: A) => void,
    reject: (error: unknown) => void,
  ): void {
    let value: A;
    try {
      value = answer.read(reader);
    } catch (thrown) {
      reject(new ZooKeeperError("MARSHALLINGERROR", { isOutcomeUnknown: true }, { cause: thrown }));
      throw thrown;
    }
    resolve(value);
  }

  #frame<Q>(type: number, query: Codec<Q>, body: Q, at: { readonly path?: string }): Buffer {
    const writer = this.#writer;
    writer.reset();
    const start = writer.frameStart();
    RequestHeader.write(writer, { xid: 0, type });
    query.write(writer, body);
    writer.frameEnd(start);
    // A server closes the connection over a frame that is too long, which would hit every other request.
    if (writer.length - 4 > frameBytesMax) throw new ZooKeeperError("MARSHALLINGERROR", at);
    return writer.copy();
  }
}
