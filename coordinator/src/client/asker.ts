import type { Codec } from "../wire/codec.ts";
import { opCodes } from "../wire/constants.ts";
import { frameBytesMax } from "../wire/limits.ts";
import type { JuteReader } from "../wire/reader.ts";
import { PathRequest, PathResponse, RequestHeader } from "../wire/records.ts";
import { JuteWriter } from "../wire/writer.ts";
import { errorCodeOf, ZooKeeperError } from "./errors.ts";
import { type Chroot, checkPath } from "./paths.ts";
import type { Request } from "./request-queue.ts";
import type { Session } from "./session.ts";

export interface AskOptions {
  readonly signal?: AbortSignal;
  /** For errors; without the client's chroot. */
  readonly path?: string;
  readonly isLinearizable?: boolean;
  /** Called as soon as the reply is read, before the next frame is looked at. */
  readonly onReply?: (error: number) => void;
}

/** Makes a promise of a request: encodes it, submits it, decodes the reply. */
export class Asker {
  readonly #session: Session;
  readonly #chroot: Chroot;
  readonly #writer = new JuteWriter();

  constructor(session: Session, chroot: Chroot) {
    this.#session = session;
    this.#chroot = chroot;
  }

  /** Asks about a path. Rejects with BADARGUMENTS for one that is none. */
  async at<Q extends { readonly path: string }, A>(
    type: number,
    query: Codec<Q>,
    body: Q,
    answer: Codec<A>,
    options: AskOptions,
  ): Promise<A> {
    const { path } = body;
    checkPath(path);
    const outer = { ...body, path: this.#chroot.outer(path) };
    return this.ask(type, query, outer, answer, { ...options, path });
  }

  async ask<Q, A>(
    type: number,
    query: Codec<Q>,
    body: Q,
    answer: Codec<A>,
    options: AskOptions,
  ): Promise<A> {
    if (options.isLinearizable !== true) return this.#ask(type, query, body, answer, options);
    const { sync } = opCodes;
    const path = this.#chroot.outer("/");
    // Should the read go out on a later connection, its server is at least where this sync's was: none is
    // taken that is behind what we have seen.
    const [, reply] = await Promise.all([
      this.#ask(sync, PathRequest, { path }, PathResponse, pick(options)),
      this.#ask(type, query, body, answer, options),
    ]);
    return reply;
  }

  #ask<Q, A>(
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

function pick({ signal, path }: AskOptions): AskOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(path === undefined ? {} : { path }) };
}
