import type { Socket } from "node:net";
import { Redis, type RedisOptions } from "ioredis";
import { messageOf } from "../../../kit/src/errors.ts";
import type { Logger } from "../../../kit/src/logger.ts";
import { commandMsMax, reconnectMsMax, silentMsMax, warnMsMin } from "./limits.ts";

/**
 * The connections to one Redis, which come back by themselves. None of their errors is thrown: an outage is told
 * once to the log, and its end.
 */
export class RedisConnections {
  /** Its commands fail at once while Redis is away. */
  readonly commands: Redis;
  /** Its commands wait while Redis is away, as workers need it. */
  readonly jobs: Redis;
  readonly #all = new Set<Redis>();
  readonly #logger: Logger;
  #isAway = false;
  #warnedMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  /** `onReady` is called whenever both are connected, again after each outage. */
  constructor(url: string, { logger, onReady }: { logger: Logger; onReady: () => void }) {
    this.#logger = logger;
    const options = {
      maxRetriesPerRequest: null,
      socketTimeout: silentMsMax,
      retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 10), reconnectMsMax),
      // A replica that was the primary: the name leads to the new one.
      reconnectOnError: (error: Error) =>
        error.message.startsWith("READONLY") ? (2 as const) : false,
    } satisfies RedisOptions;
    const failing = { enableOfflineQueue: false, commandTimeout: commandMsMax };
    this.commands = this.#follow(new Redis(url, { ...options, ...failing }));
    this.jobs = this.#follow(new Redis(url, options));
    for (const redis of [this.commands, this.jobs]) {
      redis.on("ready", () => {
        if (!this.isReady) return;
        if (this.#isAway) this.#logger.info({}, "redis is back");
        this.#isAway = false;
        onReady();
      });
    }
  }

  get isReady(): boolean {
    return this.commands.status === "ready" && this.jobs.status === "ready";
  }

  /** Tells the log what went wrong, but not over and over. */
  report(thrown: unknown, event: string): void {
    if (this.#isClosed) return;
    const nowMs = performance.now();
    const fields = { reason: messageOf(thrown) };
    if (nowMs - this.#warnedMs < warnMsMin) {
      this.#logger.debug(fields, event);
      return;
    }
    this.#warnedMs = nowMs;
    this.#logger.warn(fields, event);
  }

  /** Ends all of them at once; what waits for an answer is rejected. */
  close(): void {
    this.#isClosed = true;
    for (const redis of this.#all) redis.disconnect();
  }

  #follow(redis: Redis): Redis {
    this.#all.add(redis);
    redis.on("error", (error) => this.#onError(error));
    redis.on("end", () => this.#all.delete(redis));
    hearEveryError(redis);
    // Workers make a second connection of each, to wait on.
    const duplicate = redis.duplicate.bind(redis);
    redis.duplicate = (override) => this.#follow(duplicate(override));
    const connect = redis.connect.bind(redis);
    // A worker that ends late would bring its connection back.
    redis.connect = (callback) =>
      this.#isClosed ? Promise.reject(new Error("the scheduler is closed")) : connect(callback);
    const disconnect = redis.disconnect.bind(redis);
    redis.disconnect = (reconnect) => {
      const isBetween = redis.status === "reconnecting" && reconnect !== true;
      disconnect(reconnect);
      if (!isBetween) return;
      // Ended between two attempts, it would say nothing to those that wait for its end or for an answer. An attempt
      // that is broken off before it begins does.
      connect().catch(() => undefined);
      disconnect();
    };
    return redis;
  }

  #onError(error: Error): void {
    if (this.#isClosed) return;
    const fields = { reason: messageOf(error) || (error as NodeJS.ErrnoException).code };
    if (this.#isAway || this.commands.status === "ready") {
      this.#logger.debug(fields, "connection to redis failed");
      return;
    }
    this.#isAway = true;
    this.#logger.warn(fields, "redis is away; alerts wait for it");
  }
}

/**
 * ioredis hears the first error of a socket. One that is ended in the midst of a TLS handshake may fail once more, by the
 * alert that the server answers with: unheard, that would end the process.
 */
function hearEveryError(redis: Redis): void {
  const connector = redis["connector"];
  const connect = connector.connect.bind(connector);
  const hear = (stream: Socket): Socket => stream.on("error", () => undefined);
  connector.connect = async (emit: Parameters<typeof connect>[0]) => hear(await connect(emit));
  // The first connection was asked for as the client was made, and its socket is made before this runs.
  process.nextTick(() => {
    const stream = connector["stream"];
    if (stream) hear(stream);
  });
}
