import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the proxy does with a `_bulk` request: passes it on, answers in its place, or half of it. */
export type Mood =
  | "pass"
  | "busy"
  | "unavailable"
  | "half"
  | "cut"
  | "lost-answer"
  | "silent"
  | "page"
  | "endless";

/** Stands before the real server, and makes trouble with its `_bulk` requests as it is told to. */
export class TroubleProxy {
  /** Asked for each `_bulk` request, which are counted from 0. */
  mood: (count: number) => Mood = () => "pass";
  bulks = 0;
  readonly #server: http.Server;
  readonly #target: string;

  private constructor(target: string) {
    this.#target = target;
    this.#server = http.createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(target: string): Promise<TroubleProxy> {
    const proxy = new TroubleProxy(target);
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
    const body = Buffer.concat(chunks);
    const isBulk = request.url?.startsWith("/_bulk") === true;
    switch (isBulk ? this.mood(this.bulks++) : "pass") {
      case "pass":
        return this.#pass(request, body, response);
      case "busy":
        return refuse(response, 429);
      case "unavailable":
        return refuse(response, 503);
      case "half":
        return this.#half(request, body, response);
      case "cut":
        return void response.destroy();
      case "lost-answer":
        await this.#ask(request, body);
        return void response.destroy();
      case "silent":
        return;
      case "page":
        return void response.writeHead(400, { "Content-Type": "text/html" }).end("<html></html>");
      case "endless":
        return endless(response);
    }
  }

  async #pass(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    const answer = await this.#ask(request, body);
    response.writeHead(answer.status, {
      "Content-Type": answer.headers.get("content-type") ?? "application/json",
      "X-Elastic-Product": "Elasticsearch",
    });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }

  /** Passes the first half of the items on, and says of the others that there is no room. */
  async #half(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    const lines = body.toString().trimEnd().split("\n");
    const taken = 2 * Math.floor(lines.length / 4);
    const items: unknown[] = [];
    if (taken > 0) {
      const answer = await this.#ask(request, Buffer.from(`${lines.slice(0, taken).join("\n")}\n`));
      items.push(...((await answer.json()) as { items: unknown[] }).items);
    }
    const error = { type: "es_rejected_execution_exception", reason: "the queue is full" };
    for (let i = taken; i < lines.length; i += 2) items.push({ create: { status: 429, error } });
    response.writeHead(200, headers);
    response.end(JSON.stringify({ items }));
  }

  #ask(request: IncomingMessage, body: Buffer): Promise<Response> {
    const { method = "GET", url = "/" } = request;
    return fetch(this.#target + url, {
      method,
      headers: { "Content-Type": "application/json" },
      ...(body.length === 0 ? {} : { body }),
    });
  }
}

const headers = { "Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch" };

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, headers);
  response.end(JSON.stringify({ error: { type: "busy", reason: "later" }, status }));
}

/** Goes on until whoever asked has had enough. */
function endless(response: ServerResponse): void {
  response.writeHead(200, headers);
  const blanks = Buffer.alloc(1 << 20, " ");
  const write = (): void => {
    while (!response.destroyed && response.write(blanks));
  };
  response.on("drain", write);
  write();
}
