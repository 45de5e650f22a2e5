import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { Notification } from "../src/notification.ts";
import type { Receiver } from "../src/rule.ts";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export type Answer = (request: Received, response: http.ServerResponse) => void;

/** A real HTTP server on loopback that keeps what it gets; ends with its test. */
export class WebhookReceiver {
  readonly requests: Received[] = [];
  connections = 0;
  openNow = 0;
  readonly #server: http.Server;

  private constructor(server: http.Server) {
    this.#server = server;
  }

  static async open(
    t: TestContext,
    answer: Answer = (_, response) => response.end(),
  ): Promise<WebhookReceiver> {
    const server = http.createServer();
    const receiver = new WebhookReceiver(server);
    server.on("connection", (socket) => {
      receiver.connections++;
      receiver.openNow++;
      socket.once("close", () => receiver.openNow--);
    });
    server.on("request", (request, response) => {
      let body = "";
      request.setEncoding("utf8");
      request.on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const received = { method, path: url, headers, body };
        receiver.requests.push(received);
        answer(received, response);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => receiver.close());
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** This server as a rule names it. */
  receiver(secret?: string, host = "127.0.0.1", path = "/hook"): Receiver {
    const url = `http://${host}:${this.port}${path}`;
    return { webhook: secret === undefined ? { url } : { url, secret } };
  }

  /** Closes connections that nothing uses now, as servers do after a while. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

export const notification: Notification = {
  status: "firing",
  rule: "disk is full",
  labels: { severity: "page", host: "h1" },
  count: 7,
  lines: [{ _time: "2026-11-21T07:00:00Z", _msg: "no space left on device – ü" }],
  startsAt: "2026-11-21T07:00:01Z",
  endsAt: null,
  dedupeKey: "r1/{}/1763708401000/firing",
  link: "http://127.0.0.1:7070/#/search?q=disk",
};
