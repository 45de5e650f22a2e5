import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of a request: it is passed on, its answer is broken off, or never comes. */
export type Fate = "pass" | "cut" | "silent";

/** Stands before the real server, counts what it answers to searches, and makes trouble as it is told to. */
export class SearchProxy {
  /** Asked for each request, by its method and path. */
  fate: (request: string) => Fate = () => "pass";
  /** Bytes of answers to searches. */
  searchBytes = 0;
  /** Points in time that were opened, and that were closed. */
  opened = 0;
  closed = 0;
  readonly #server: http.Server;
  readonly #target: string;

  private constructor(target: string) {
    this.#target = target;
    this.#server = http.createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(target: string): Promise<SearchProxy> {
    const proxy = new SearchProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "GET", url = "/" } = request;
    const fate = this.fate(`${method} ${url}`);
    if (fate === "silent") return;
    const body = Buffer.concat(chunks);
    const answer = await fetch(this.#target + url, {
      method,
      headers: { "Content-Type": "application/json" },
      ...(body.length === 0 ? {} : { body }),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (url.startsWith("/_search")) this.searchBytes += bytes.length;
    if (url.includes("/_pit")) {
      if (method === "DELETE") this.closed++;
      else this.opened++;
    }
    response.writeHead(answer.status, {
      "Content-Type": answer.headers.get("content-type") ?? "application/json",
      "X-Elastic-Product": "Elasticsearch",
      "Content-Length": bytes.length,
    });
    if (fate === "cut") {
      response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
    } else response.end(bytes);
  }
}
