import type { Request, Response } from "express";
import { tailParams } from "../../../api/src/params.ts";
import { serviceErrorOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import type { TailSubscription } from "../../../query/src/tail/subscription.ts";
import { parseTail } from "../question.ts";
import type { TailService } from "../tail-service.ts";
import type { App } from "./app.ts";
import { parseParams } from "./query-options.ts";

export interface TailRoutesDeps {
  readonly tails: TailService;
  readonly heartbeatMs: number;
  /** Aborted when the service stops: tails have no end of their own. */
  readonly stopping: AbortSignal;
  readonly logger: Logger;
}

/** Events written in one go. */
const eventsPerWrite = 256;

/** `/api/v1/tail`: matching records as they are committed, as Server-Sent Events. */
export function mountTail(app: App, deps: TailRoutesDeps): void {
  app.mount("get", "/api/v1/tail", "read", async (request, response, identity) => {
    const { query = "*" } = parseParams(tailParams, request);
    const lastEventId = request.headers["last-event-id"];
    const question = parseTail(query, Date.now());
    const id = typeof lastEventId === "string" && lastEventId !== "" ? lastEventId : undefined;
    const subscription = await deps.tails.subscribe(identity.tenant, question, id);
    // Gone while it was begun: nobody would end it.
    if (response.destroyed) deps.tails.unsubscribe(subscription);
    else void new TailConnection(deps, request, response, subscription).run();
  });
}

/** One client: takes events whenever there are some and its socket has room. */
class TailConnection {
  readonly #deps: TailRoutesDeps;
  readonly #response: Response;
  readonly #subscription: TailSubscription;
  readonly #gone = new AbortController();
  #wakeRoom: () => void = () => undefined;
  #droppedTold = 0;
  #isScheduled = false;

  constructor(
    deps: TailRoutesDeps,
    request: Request,
    response: Response,
    subscription: TailSubscription,
  ) {
    this.#deps = deps;
    this.#response = response;
    this.#subscription = subscription;
    const leave = (): void => this.#gone.abort();
    request.once("close", leave);
    response.once("close", leave).on("error", leave);
  }

  async run(): Promise<void> {
    const { tails, heartbeatMs, stopping, logger } = this.#deps;
    const response = this.#response;
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-store",
      "X-Accel-Buffering": "no",
    });
    // A client that breaks off before the first record can still resume without a gap.
    response.write(`event: start\nid: ${this.#subscription.id}\ndata: {}\n\n`);
    response.on("drain", () => this.#schedule());
    this.#subscription.onReady(() => this.#schedule());
    const heartbeat = setInterval(() => response.write(": still here\n\n"), heartbeatMs);
    const stop = (): void => void response.end();
    stopping.addEventListener("abort", stop, { once: true });
    const { signal } = this.#gone;
    const gone = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    try {
      await tails.replay(this.#subscription, () => this.#room(), signal);
      await gone;
    } catch (thrown) {
      const error = serviceErrorOf(thrown);
      if (!signal.aborted) {
        logger.warn({ err: thrown }, "a tail could not be resumed");
        response.end(
          `event: error\ndata: ${JSON.stringify({ code: error.code, detail: error.message })}\n\n`,
        );
      }
    } finally {
      clearInterval(heartbeat);
      stopping.removeEventListener("abort", stop);
      tails.unsubscribe(this.#subscription);
      this.#wakeRoom();
    }
  }

  /** Events of one turn of the loop are written together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#write();
    });
  }

  #write(): void {
    const response = this.#response;
    while (!this.#gone.signal.aborted && !response.writableNeedDrain) {
      const events = this.#subscription.take(eventsPerWrite);
      const { dropped } = this.#subscription;
      if (dropped > this.#droppedTold) {
        response.write(
          `event: dropped\ndata: ${JSON.stringify({ dropped: dropped - this.#droppedTold })}\n\n`,
        );
        this.#droppedTold = dropped;
      }
      if (events.length === 0) break;
      response.write(
        events
          .map(({ id, record }) => `event: record\nid: ${id}\ndata: ${textOf(record)}\n\n`)
          .join(""),
      );
    }
    if (this.#subscription.hasRoom) this.#wakeRoom();
    // The client comes again with its last id, which brings what it has missed.
    if (this.#subscription.isBroken && !response.writableNeedDrain) response.end();
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeRoom = resolve;
      if (this.#gone.signal.aborted || this.#subscription.hasRoom) resolve();
    });
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
