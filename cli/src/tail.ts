import { type Command, Option } from "commander";
import { pause } from "../../kit/src/pause.ts";
import { backoffMs, retryAfterMs } from "./backoff.ts";
import {
  causeOf,
  failureOf,
  problemOf,
  ServiceClient,
  type ServiceOptions,
  withService,
} from "./client.ts";
import { CliExit, type CliIo, print } from "./io.ts";
import { type Row, recordText, valueText } from "./record-text.ts";
import { queryFailure } from "./search.ts";
import { type ServerEvent, SseParser } from "./sse.ts";
import { harmless, styleOf } from "./style.ts";

/** The service sends something every 15 s; three silent beats mean the connection is dead. */
const silenceMaxMs = 45_000;

const backoff = { firstMs: 250, maxMs: 10_000 };

/** Adds `tail`. */
export function registerTail(program: Command, io: CliIo): void {
  withService(program.command("tail"))
    .description("follow matching records as they are stored; reconnects without a gap")
    .argument("[query]", "what to follow", "*")
    .addOption(
      new Option("-o, --output <form>", "text on a terminal, else ndjson").choices([
        "text",
        "ndjson",
      ]),
    )
    .addHelpText(
      "after",
      `
Examples:
  logkeep tail
  logkeep tail 'level:error'
  logkeep tail '{service="api"}' --output ndjson | jq -r ._msg`,
    )
    .action((query: string, options: TailOptions) => new Tail(io, query, options).run());
}

interface TailOptions extends ServiceOptions {
  readonly output?: "text" | "ndjson";
}

class Tail {
  readonly #io: CliIo;
  readonly #query: string;
  readonly #options: TailOptions;
  readonly #client: ServiceClient;
  #lastId = "";
  #failures = 0;

  constructor(io: CliIo, query: string, options: TailOptions) {
    this.#io = io;
    this.#query = query;
    this.#options = options;
    this.#client = new ServiceClient(io, options);
  }

  /** Follows until interrupted. Throws a `CliExit` when trying again cannot help. */
  async run(): Promise<void> {
    const { signal, stdout, stderr } = this.#io;
    let isFirst = true;
    while (!signal.aborted && !stdout.destroyed) {
      const outcome = await this.#follow(isFirst);
      if (signal.aborted || stdout.destroyed) return;
      isFirst &&= !outcome.hasConnected;
      this.#failures = outcome.hasConnected ? 1 : this.#failures + 1;
      const waitMs = Math.max(outcome.waitMs ?? 0, backoffMs(this.#failures, backoff));
      // One line a break, not one a try.
      if (this.#failures === 1) await print(stderr, `tail: ${outcome.reason}; reconnecting\n`);
      if (await pause(waitMs, signal)) return;
    }
  }

  async #follow(isFirst: boolean): Promise<Outcome> {
    const silence = new AbortController();
    const timer = setTimeout(
      () => silence.abort(new Error("the service fell silent")),
      silenceMaxMs,
    );
    try {
      const response = await this.#connect(AbortSignal.any([this.#io.signal, silence.signal]));
      if (!response.ok) return await this.#refused(response);
      this.#failures = 0;
      return await this.#read(response, () => timer.refresh());
    } catch (thrown) {
      if (thrown instanceof CliExit) throw thrown;
      const isSilent = silence.signal.aborted;
      const reason = isSilent ? "the service fell silent" : causeOf(thrown);
      // A service that was never there is more likely a wrong URL than a break.
      if (isFirst && !isSilent && !this.#io.signal.aborted) throw this.#client.unreachable(thrown);
      return { hasConnected: false, reason };
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  #connect(signal: AbortSignal): Promise<Response> {
    const url = this.#client.urlOf("/api/v1/tail", { query: this.#query });
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.#lastId !== "") headers["last-event-id"] = this.#lastId;
    return this.#client.send(url, { headers, signal });
  }

  async #refused(response: Response): Promise<Outcome> {
    const problem = await problemOf(response);
    const mayPass = problem.status === 429 || problem.status === 408 || problem.status >= 500;
    if (!mayPass) {
      throw problem.status === 400
        ? queryFailure(this.#query, problem, this.#io)
        : failureOf(problem);
    }
    const waitMs = retryAfterMs(response.headers.get("retry-after"), Date.now());
    return { hasConnected: false, reason: problem.detail, waitMs };
  }

  async #read(response: Response, onSign: () => void): Promise<Outcome> {
    const parser = new SseParser();
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) {
        onSign();
        for (const event of parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }))) {
          await this.#take(event);
          if (parser.lastId !== "") this.#lastId = parser.lastId;
        }
        if (parser.lastId !== "") this.#lastId = parser.lastId;
      }
    } catch (thrown) {
      if (thrown instanceof CliExit) throw thrown;
      return { hasConnected: true, reason: causeOf(thrown), waitMs: parser.retryMs };
    }
    return { hasConnected: true, reason: "the connection ended", waitMs: parser.retryMs };
  }

  async #take({ event, data }: ServerEvent): Promise<void> {
    const { stdout, stderr, isTTY } = this.#io;
    switch (event) {
      case "record": {
        const isText = (this.#options.output ?? (isTTY ? "text" : "ndjson")) === "text";
        const row = objectOf(data);
        await print(
          stdout,
          isText ? `${recordText(row, styleOf(this.#io, isTTY))}\n` : `${data}\n`,
        );
        return;
      }
      case "dropped":
        await print(
          stderr,
          `tail: too slow, ${valueText(objectOf(data)["dropped"]) || "some"} records dropped\n`,
        );
        return;
      case "error": {
        const { code, detail } = objectOf(data);
        const reason = harmless(valueText(detail)) || "the service ended the tail";
        throw isFinal(valueText(code)) ? new CliExit(1, reason) : new Error(reason);
      }
    }
  }
}

/** Whether coming back would meet the same error: the query or the key is at fault, not the moment. */
function isFinal(code: string): boolean {
  return /^(auth|query|tenant|request)\./.test(code) && !/\.(busy|timeout|partial)$/.test(code);
}

interface Outcome {
  readonly hasConnected: boolean;
  readonly reason: string;
  readonly waitMs?: number | undefined;
}

function objectOf(data: string): Row {
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value === "object" && value !== null) return value as Row;
  } catch {
    // Told below.
  }
  throw new CliExit(1, "the tail sent what is no JSON; is it Logkeep?");
}
