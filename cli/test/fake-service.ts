import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

/** What a test makes of a request before the service answers; true: it has answered. */
export type Interception = (
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
) => boolean | Promise<boolean>;

/** A request as it came. */
export interface Seen {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/**
 * As much of the service as the verbs need to show what they do when it fails: `/api/v1/logs` stores each
 * key once and refuses a key with another body; the rest is what a test says.
 */
export class FakeService {
  readonly seen: Seen[] = [];
  /** What has been stored, in order. */
  readonly records: Readonly<Record<string, unknown>>[] = [];
  intercept: Interception | undefined;
  /** Called before storing; may be slow. */
  beforeStore: (() => Promise<void>) | undefined;
  readonly #server = createServer((request, response) => void this.#handle(request, response));
  readonly #answers = new Map<string, { readonly body: string; readonly answer: string }>();

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Forgets everything. */
  reset(): void {
    this.seen.length = 0;
    this.records.length = 0;
    this.#answers.clear();
    this.intercept = undefined;
    this.beforeStore = undefined;
  }

  /** Stores a request of which the sender never hears. */
  storeQuietly(request: IncomingMessage, raw: Buffer): void {
    const key = String(request.headers["idempotency-key"]);
    const body = gunzipSync(raw).toString();
    if (!this.#answers.has(key)) this.#answers.set(key, { body, answer: this.#take(body) });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    const isGzip = request.headers["content-encoding"] === "gzip";
    const body = (isGzip ? gunzipSync(raw) : raw).toString();
    const url = new URL(request.url ?? "/", "http://service");
    this.seen.push({ method: request.method ?? "", url, headers: request.headers, body });
    if ((await this.intercept?.(request, response, raw)) === true) return;
    if (url.pathname !== "/api/v1/logs") {
      problem(response, 404, "request.not-found", "there is nothing at this path");
      return;
    }
    await this.beforeStore?.();
    this.#store(String(request.headers["idempotency-key"] ?? Math.random()), body, response);
  }

  #store(key: string, body: string, response: ServerResponse): void {
    const known = this.#answers.get(key);
    if (known !== undefined && known.body !== body) {
      problem(response, 422, "ingest.idempotency-mismatch", "the key was used with another body");
      return;
    }
    const answer = known?.answer ?? this.#take(body);
    this.#answers.set(key, { body, answer });
    json(response, 200, answer);
  }

  #take(body: string): string {
    const errors: { line: number; reason: string }[] = [];
    const lines = body.split("\n");
    for (const [index, line] of lines.entries()) {
      const record = JSON.parse(line) as Record<string, unknown>;
      if (String(record["_msg"]).includes("REJECT")) {
        errors.push({ line: index + 1, reason: "the test rejects it" });
      } else {
        this.records.push(record);
      }
    }
    return JSON.stringify({
      accepted: lines.length - errors.length,
      rejected: errors.length,
      errors,
    });
  }
}

export function json(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}

export function problem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = { type: `urn:problem:${code}`, title: code, status, code, detail, ...more };
  const type = { "content-type": "application/problem+json" };
  response.writeHead(status, { ...type, ...headers }).end(JSON.stringify(body));
}
