import { createHmac } from "node:crypto";
import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import type { Closable } from "../../../kit/src/lifecycle.ts";
import { DeliveryError, type Notification } from "../notification.ts";
import type { Sender } from "../ports.ts";
import type { Receiver } from "../rule.ts";
import { AddressRefused, checkLiteral, type GuardOptions, guardedLookup } from "./address-guard.ts";
import { answerBytesMax, connectionsMax, idleConnectionMs, idleConnectionsMax } from "./limits.ts";
import { retryAfterMsOf } from "./retry-after.ts";

export interface WebhookOptions extends GuardOptions {
  /** Bounds the whole exchange: name, connection, request and answer. In milliseconds. */
  readonly timeoutMs: number;
  readonly userAgent: string;
}

/**
 * Sends notifications by POST to the webhooks of receivers. A status of 2xx is taken; 408, 425, 429, 5xx
 * and everything that keeps an answer from coming may go better later; any other, a redirect too, is final.
 */
export function openWebhookSender(options: WebhookOptions): Sender & Closable {
  return new WebhookSender(options);
}

/** The body of a webhook, in the order of the documentation. */
export function webhookBody(notification: Notification): string {
  const { status, rule, labels, count, lines, startsAt, endsAt, dedupeKey, link } = notification;
  return JSON.stringify({
    status,
    rule,
    labels,
    count,
    lines,
    startsAt,
    endsAt,
    dedupeKey,
    link,
  });
}

/** The value of `X-Logkeep-Signature`; `timestamp` is that of `X-Logkeep-Timestamp`. */
export function webhookSignature(secret: string, timestamp: string, body: string): string {
  return `v1=${createHmac("sha256", secret).update(`${timestamp}:${body}`).digest("hex")}`;
}

interface Exchange {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

class WebhookSender implements Sender, Closable {
  readonly #options: WebhookOptions;
  readonly #agents: { readonly "http:": http.Agent; readonly "https:": https.Agent };
  readonly #closing = new AbortController();

  constructor(options: WebhookOptions) {
    this.#options = options;
    const agentOptions = {
      keepAlive: true,
      maxTotalSockets: connectionsMax,
      maxFreeSockets: idleConnectionsMax,
      timeout: idleConnectionMs,
      lookup: guardedLookup(options),
    };
    this.#agents = {
      "http:": new http.Agent(agentOptions),
      "https:": new https.Agent(agentOptions),
    };
  }

  async send(
    { webhook }: Receiver,
    notification: Notification,
    signal: AbortSignal,
  ): Promise<void> {
    const url = this.#urlOf(webhook.url);
    const body = webhookBody(notification);
    const timestamp = String(Math.floor(Date.now() / 1000));
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "user-agent": this.#options.userAgent,
      "x-logkeep-timestamp": timestamp,
      "x-logkeep-dedupe-key": headerTextOf(notification.dedupeKey),
      ...(webhook.secret === undefined
        ? {}
        : { "x-logkeep-signature": webhookSignature(webhook.secret, timestamp, body) }),
    };
    const timeout = AbortSignal.timeout(this.#options.timeoutMs);
    const ends = AbortSignal.any([timeout, signal, this.#closing.signal]);
    const exchange = { url, headers, body, signal: ends };
    try {
      await this.#exchange(exchange, true);
    } catch (thrown) {
      if (thrown instanceof DeliveryError) throw thrown;
      throw failureOf(thrown, timeout.aborted ? this.#options.timeoutMs : undefined);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  #urlOf(text: string): URL {
    const url = URL.parse(text);
    if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
      throw new DeliveryError("the webhook's URL is no http or https URL", { isTransient: false });
    }
    try {
      checkLiteral(url.hostname, this.#options);
    } catch (thrown) {
      throw failureOf(thrown);
    }
    return url;
  }

  /** One request and its answer. Rejects with a `DeliveryError`, or with what the network said. */
  #exchange(exchange: Exchange, mayRepeat: boolean): Promise<void> {
    const { url, headers, body, signal } = exchange;
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const isSecure = url.protocol === "https:";
      const agent = isSecure ? this.#agents["https:"] : this.#agents["http:"];
      const options = { method: "POST", headers, agent };
      const request = isSecure ? https.request(url, options) : http.request(url, options);
      // Once there is an answer, its status decides, however the connection ends.
      let isDecided = false;
      const fail = (thrown: unknown): void => {
        if (!isDecided) reject(thrown);
      };
      // A request that still waits for a connection of its host says nothing when it is destroyed.
      const onAbort = (): void => {
        request.destroy();
        fail(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      request.once("close", () => {
        signal.removeEventListener("abort", onAbort);
        fail(new Error("the connection ended before the answer"));
      });
      request.on("error", (error) => {
        // The receiver closed an idle connection at the moment at which it was taken up again.
        if (mayRepeat && !isDecided && !signal.aborted && isStale(request, error)) {
          isDecided = true;
          this.#exchange(exchange, false).then(resolve, reject);
        } else fail(error);
      });
      request.once("response", (answer) => {
        isDecided = true;
        drain(answer, () => settle(answer, resolve, reject));
      });
      request.end(body);
    });
  }
}

/** Reads the answer to its end, or to as much as may be read, and throws it away. */
function drain(answer: IncomingMessage, onEnd: () => void): void {
  let bytes = 0;
  answer.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > answerBytesMax) answer.destroy();
  });
  // The status is known: how the body ends changes nothing.
  answer.on("error", () => undefined);
  answer.once("close", onEnd);
}

function settle(
  answer: IncomingMessage,
  resolve: () => void,
  reject: (error: DeliveryError) => void,
): void {
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) {
    resolve();
    return;
  }
  const isTransient = status >= 500 || [408, 425, 429].includes(status);
  const retryAfterMs = isTransient
    ? retryAfterMsOf(answer.headers["retry-after"], Date.now())
    : undefined;
  const advice = status >= 300 && status < 400 ? "; redirects are not followed" : "";
  reject(new DeliveryError(`it answered ${status}${advice}`, { isTransient, retryAfterMs }));
}

function isStale(request: ClientRequest, error: NodeJS.ErrnoException): boolean {
  return request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

/** What the network, the guard or a signal said, as whether another attempt is worth it. */
function failureOf(thrown: unknown, timeoutMs?: number): DeliveryError {
  const options = { cause: thrown };
  if (thrown instanceof AddressRefused)
    return new DeliveryError(thrown.message, { isTransient: false }, options);
  if (timeoutMs !== undefined)
    return new DeliveryError(`no answer in ${timeoutMs} ms`, { isTransient: true }, options);
  const { code, name } = thrown as NodeJS.ErrnoException;
  if (name === "AbortError")
    return new DeliveryError("interrupted", { isTransient: true }, options);
  const reason = code === undefined ? "" : ` (${code})`;
  return new DeliveryError(`it cannot be reached${reason}`, { isTransient: true }, options);
}

/** Headers take ASCII only; whoever needs the key to the letter finds it in the body. */
function headerTextOf(text: string): string {
  return text.replace(/[^\x21-\x7e]+/gu, (part) => encodeURIComponent(part.toWellFormed()));
}
