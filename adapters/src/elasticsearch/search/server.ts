import type { Readable } from "node:stream";
import { type Client, errors, type estypes } from "@elastic/elasticsearch";
import { messageOf, ServiceError } from "../../../../kit/src/errors.ts";
import { pause } from "../../../../kit/src/pause.ts";
import { answerBytesMax, busyTriesMax, busyWaitMs, requestsMax } from "./limits.ts";
import { parseAnswer } from "./parse-answer.ts";
import { Turns } from "./turns.ts";

export interface Ask {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly signal?: AbortSignal | undefined;
}

/** An answer was longer than asked for; it was not read to its end. */
export class TooLong extends Error {}

/**
 * Requests to Elasticsearch that read: one that reaches no server is tried once more, at another if there is one. A
 * few are under way at a time, whoever asks; where there is no room for one, it is tried again for some seconds.
 */
export class SearchServer {
  readonly #client: Client;
  readonly #timeoutMs: number;
  readonly #turns = new Turns(requestsMax);

  constructor(client: Client, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** The answer as it came, at most so many bytes. Throws `TooLong`, or `index.unavailable`. */
  async bytes(ask: Ask, bytesMax: number): Promise<Uint8Array> {
    const { method, signal } = ask;
    const deed = () => this.#try(ask, bytesMax);
    for (let tries = 1; ; tries++) {
      try {
        // What frees memory there does not wait for what takes it.
        return await (method === "DELETE" ? deed() : this.#turns.run(deed, signal));
      } catch (thrown) {
        if (signal?.aborted === true) throw unreached(thrown, signal);
        if (!isBusy(thrown) || tries === busyTriesMax) throw thrown;
      }
      await pause(busyWaitMs * 2 ** (tries - 1), signal);
    }
  }

  async #try(ask: Ask, bytesMax: number): Promise<Uint8Array> {
    const { signal } = ask;
    try {
      const { statusCode, body } = await this.#client.transport.request<Readable>(
        {
          method: ask.method,
          path: ask.path,
          querystring: { ...ask.params },
          ...(ask.body === undefined ? {} : { body: ask.body }),
        },
        {
          asStream: true,
          meta: true,
          maxRetries: 1,
          requestTimeout: this.#timeoutMs,
          // What is streamed is not unpacked.
          headers: { "accept-encoding": "identity" },
          ...(signal === undefined ? {} : { signal }),
        },
      );
      const isFine = (statusCode ?? 500) < 300;
      const bytes = await readAll(body, isFine ? bytesMax : errorBytesMax, this.#timeoutMs);
      if (!isFine) throw refusal(statusCode ?? 500, bytes);
      return bytes;
    } catch (thrown) {
      if (thrown instanceof TooLong || thrown instanceof ServiceError) throw thrown;
      throw unreached(thrown, signal);
    }
  }

  /** The answer, parsed. */
  async json<Answer>(ask: Ask): Promise<Answer> {
    return parseAnswer<Answer>(await this.bytes(ask, answerBytesMax));
  }
}

const errorBytesMax = 1 << 20;

async function readAll(body: Readable, bytesMax: number, timeoutMs: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // The client's own timeout ends with the headers.
  const late = setTimeout(
    () => body.destroy(new errors.TimeoutError("the answer stopped")),
    timeoutMs,
  );
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength;
      if (length > bytesMax) throw new TooLong("the answer is longer than asked for");
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(late);
    body.destroy();
  }
  // Memory of its own, that may be moved to another thread.
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** What an answer says that is not fine. A refusal of what we asked is ours to mend, and told as one. */
function refusal(status: number, bytes: Uint8Array): ServiceError {
  const reason = reasonOf(Buffer.from(bytes).toString());
  return new ServiceError("index.unavailable", "Elasticsearch refused to answer", {
    elasticsearchStatus: status,
    reason,
  });
}

function isBusy(thrown: unknown): boolean {
  return thrown instanceof ServiceError && thrown.fields["elasticsearchStatus"] === 429;
}

function reasonOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: Partial<estypes.ErrorCause> };
    const cause = error?.root_cause?.[0] ?? error;
    return String(cause?.reason ?? cause?.type ?? text).slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}

function unreached(thrown: unknown, signal: AbortSignal | undefined): ServiceError {
  if (signal?.aborted === true) {
    if ((signal.reason as Partial<Error> | undefined)?.name === "TimeoutError") {
      return new ServiceError("query.timeout", "the query reached its deadline");
    }
    return new ServiceError("query.cancelled", "the query was cancelled", {}, { cause: thrown });
  }
  return new ServiceError(
    "index.unavailable",
    "Elasticsearch did not answer",
    { reason: messageOf(thrown).slice(0, 300) },
    { cause: thrown },
  );
}
