import { ServiceError } from "../../../../kit/src/errors.ts";
import type { SearchAnswer } from "./hits-block.ts";
import { answerBytesMax, closeTimeoutMs, keepAliveExtraMs, keepAliveMaxMs } from "./limits.ts";
import { parseAnswer } from "./parse-answer.ts";
import type { SearchServer } from "./server.ts";

export interface PointInTimeOptions {
  readonly server: SearchServer;
  /** Of indices that there are, at least one. */
  readonly names: string;
  /** How long the question may take that this is for. */
  readonly timeoutMs: number;
}

type SearchBody = Readonly<Record<string, unknown>>;

/** A state of a tenant's indices as a question sees it, kept by Elasticsearch until it is closed. */
export class PointInTime {
  readonly #server: SearchServer;
  readonly #keepAlive: string;
  #id: string;
  #closed: Promise<void> | undefined;

  private constructor(server: SearchServer, id: string, keepAlive: string) {
    this.#server = server;
    this.#id = id;
    this.#keepAlive = keepAlive;
  }

  static async open(
    { server, names, timeoutMs }: PointInTimeOptions,
    signal: AbortSignal | undefined,
  ): Promise<PointInTime> {
    const keepAliveMs = Math.min(timeoutMs + keepAliveExtraMs, keepAliveMaxMs);
    const keepAlive = `${Math.ceil(keepAliveMs / 1000)}s`;
    const open = (params: Readonly<Record<string, string>>) =>
      server.json<{ readonly id: string }>({
        method: "POST",
        path: `/${names}/_pit`,
        params: { keep_alive: keepAlive, ignore_unavailable: "true", ...params },
        signal,
      });
    const { id } = await open(partialAllowed).catch((thrown: unknown) => {
      if (isUnknownParameter(thrown)) return open({});
      throw thrown;
    });
    return new PointInTime(server, id, keepAlive);
  }

  /** The id under which it goes on, as each answer tells it. */
  renew(id: string | undefined): void {
    this.#id = id ?? this.#id;
  }

  /** The answer to a search, as it came. Throws `TooLong` beyond so many bytes. */
  search(body: SearchBody, bytesMax: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#server.bytes({ ...this.#ask(body), signal }, bytesMax);
  }

  /** The answer to a search without documents. */
  async aggregate<Answer extends SearchAnswer>(
    body: SearchBody,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const bytes = await this.search({ size: 0, ...body }, answerBytesMax, signal);
    const answer = parseAnswer<Answer>(bytes);
    this.renew(answer.pit_id);
    return answer;
  }

  /** Lets Elasticsearch forget it. Never fails: it ends by itself, if a little later. */
  close(): Promise<void> {
    this.#closed ??= this.#server
      .json({
        method: "DELETE",
        path: "/_pit",
        body: { id: this.#id },
        signal: AbortSignal.timeout(closeTimeoutMs),
      })
      .then(
        () => undefined,
        () => undefined,
      );
    return this.#closed;
  }

  #ask(body: SearchBody) {
    return {
      method: "POST",
      path: "/_search",
      body: { ...body, pit: { id: this.#id, keep_alive: this.#keepAlive } },
    } as const;
  }
}

/** Some shards may be out of reach: the answer says so. Not known to the earlier releases of 8. */
const partialAllowed = { allow_partial_search_results: "true" } as const;

function isUnknownParameter(thrown: unknown): boolean {
  return (
    thrown instanceof ServiceError &&
    String(thrown.fields["reason"]).includes("allow_partial_search_results")
  );
}
