import assert from "node:assert/strict";
import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Notification } from "../../alerts/src/notification.ts";

export const secret = "a secret of the test";

/** A request that a receiver got, whatever it answered. */
export interface Received {
  readonly notification: Notification;
  readonly path: string;
  /** By `performance.now()`. */
  readonly atMs: number;
  readonly status: number;
}

type Answer = (received: Omit<Received, "status">) => number | Promise<number>;

/** A webhook's receiver. It takes only what is signed as the documentation says. */
export class Receiver {
  readonly received: Received[] = [];
  /** The status of each answer. */
  answer: Answer = () => 200;
  readonly #server = http.createServer((request, response) => void this.#take(request, response));
  #port = 0;

  static async open(): Promise<Receiver> {
    const receiver = new Receiver();
    await receiver.listen();
    return receiver;
  }

  /** On the port that it had before, if it was closed. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  /** Notifications that were answered with 2xx, each as often as it came. */
  get taken(): readonly Notification[] {
    return this.received.filter(({ status }) => status < 300).map((each) => each.notification);
  }

  /** The dedupe keys of what was taken, each once. */
  get keys(): ReadonlySet<string> {
    return new Set(this.taken.map(({ dedupeKey }) => dedupeKey));
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const atMs = performance.now();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    if (!isSigned(request.headers, body)) {
      response.writeHead(401).end();
      return;
    }
    const notification = JSON.parse(body) as Notification;
    const received = { notification, path: request.url ?? "", atMs };
    const status = await this.answer(received);
    this.received.push({ ...received, status });
    response.writeHead(status).end();
  }
}

function isSigned(headers: http.IncomingHttpHeaders, body: string): boolean {
  const timestamp = String(headers["x-logkeep-timestamp"]);
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  const expected = createHmac("sha256", secret).update(`${timestamp}:${body}`).digest("hex");
  const given = String(headers["x-logkeep-signature"]);
  const wanted = Buffer.from(`v1=${expected}`);
  const isSame = given.length === wanted.length && timingSafeEqual(Buffer.from(given), wanted);
  return isSame && age < 60;
}

/** Waits until a claim holds. */
export async function until(
  claim: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 120_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await claim())) {
    assert.ok(performance.now() < end, `not in ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}
