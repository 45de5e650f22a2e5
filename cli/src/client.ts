import type { Command } from "commander";
import { messageOf } from "../../kit/src/errors.ts";
import { CliExit, type CliIo, usageError } from "./io.ts";
import { harmless } from "./style.ts";

/** Where the service is and how it is asked. */
export interface ServiceOptions {
  readonly url?: string | undefined;
  readonly key?: string | undefined;
  readonly tenant?: string | undefined;
}

/** A problem that the service answered with. */
export interface ServiceProblem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** Its facts as a text, as ` (bodyMaxBytes: 1048576)`; empty without any. */
  readonly facts: string;
  /** All members of the body. */
  readonly body: Readonly<Record<string, unknown>>;
}

export const defaultUrl = "http://127.0.0.1:7070";

/** Bytes of an error answer that are read: a proxy's page needs no more to be told by. */
const problemMaxBytes = 65_536;

/** Adds `--url`, `--key` and `--tenant` to a verb that talks to a service. */
export function withService(command: Command): Command {
  return command
    .option("--url <url>", `the service (LOGKEEP_URL, ${defaultUrl})`)
    .option("--key <token>", "the API key (LOGKEEP_KEY)")
    .option("--tenant <name>", "the tenant, where the key has several");
}

/** Talks HTTP to a running service. */
export class ServiceClient {
  readonly url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: typeof fetch;

  /** Throws a usage error when the URL is none. */
  constructor(io: CliIo, options: ServiceOptions) {
    const text = options.url ?? (io.env["LOGKEEP_URL"] || defaultUrl);
    const url = URL.parse(text.endsWith("/") ? text : `${text}/`);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw usageError(`--url needs http://HOST:PORT, not ${text}`);
    }
    const key = options.key ?? io.env["LOGKEEP_KEY"];
    this.url = url;
    this.#headers = {
      ...(key ? { authorization: `Bearer ${key.trim()}` } : {}),
      ...(options.tenant === undefined ? {} : { "x-logkeep-tenant": options.tenant }),
    };
    this.#fetch = io.fetch ?? fetch;
  }

  /** The URL of a path of the API, with parameters. */
  urlOf(path: string, params: Readonly<Record<string, string | undefined>> = {}): URL {
    // A service behind a proxy may have a path of its own, which stays in front.
    const url = new URL(path.replace(/^\//, ""), this.url);
    for (const [name, value] of Object.entries(params)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  }

  /** The answer, whatever its status. Throws what `fetch` throws. */
  async send(url: URL, init: RequestInit = {}): Promise<Response> {
    const headers = { ...this.#headers, ...(init.headers as Record<string, string> | undefined) };
    return this.#fetch(url, { redirect: "error", ...init, headers });
  }

  /** The answer when it is good. Throws a `CliExit` that says what went wrong and what to do. */
  async ask(url: URL, init: RequestInit = {}): Promise<Response> {
    const response = await this.send(url, init).catch((thrown: unknown) => {
      if (init.signal?.aborted) throw new CliExit(1, "interrupted");
      throw this.unreachable(thrown);
    });
    if (!response.ok) throw failureOf(await problemOf(response));
    return response;
  }

  /** The JSON of a good answer. */
  async json(url: URL, init: RequestInit = {}): Promise<unknown> {
    const response = await this.ask(url, init);
    try {
      return await response.json();
    } catch (thrown) {
      throw new CliExit(1, `the answer of ${url.origin} is not JSON; is it Logkeep?`, {
        cause: thrown,
      });
    }
  }

  /** The failure to reach the service at all. */
  unreachable(thrown: unknown): CliExit {
    const advice = "is it running? (logkeep start; --url or LOGKEEP_URL say where)";
    return new CliExit(1, `cannot reach ${this.url.origin}: ${causeOf(thrown)}; ${advice}`);
  }
}

/** What a bad answer says, be it a problem document or some proxy's page. */
export async function problemOf(response: Response): Promise<ServiceProblem> {
  const text = await textOf(response);
  let body: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) body = parsed as Record<string, unknown>;
  } catch {
    // Not JSON: the status alone has to say it.
  }
  const code = typeof body["code"] === "string" ? body["code"] : "";
  const said = body["detail"] ?? body["title"];
  const detail =
    typeof said === "string" ? harmless(said) : `${response.status} ${response.statusText}`.trim();
  return { status: response.status, code, detail, facts: factsOf(body, detail), body };
}

/** What a problem says beside its sentence; lists of what was rejected are told elsewhere. */
function factsOf(body: Readonly<Record<string, unknown>>, detail: string): string {
  const usual = new Set(["type", "title", "status", "code", "detail", "instance"]);
  const facts = Object.entries(body)
    .filter(([name, value]) => !usual.has(name) && isFact(value))
    .map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : String(value)])
    // A list may be the sentence itself.
    .filter(([, said = ""]) => !detail.includes(said) || said.length < 20)
    .map(([name, said]) => `${name}: ${said}`);
  return facts.length === 0 ? "" : ` (${harmless(facts.join("; "))})`;
}

function isFact(value: unknown): boolean {
  if (Array.isArray(value))
    return value.length > 0 && value.every((one) => typeof one === "string");
  return ["string", "number", "boolean"].includes(typeof value);
}

/** The end of a verb over a problem, with what to do about it. */
export function failureOf({ status, detail: said, facts }: ServiceProblem): CliExit {
  const detail = `${said}${facts}`;
  if (status === 401) return new CliExit(1, `${detail}; give a key with --key or LOGKEEP_KEY`);
  if (status === 403) return new CliExit(1, `${detail}; another key may allow it`);
  return new CliExit(1, status >= 500 ? `the service failed: ${detail}` : detail);
}

/** Why a request did not get through: the innermost reason says most. */
export function causeOf(thrown: unknown): string {
  let at: unknown = thrown;
  for (let depth = 0; depth < 5 && at instanceof Error && at.cause !== undefined; depth++)
    at = at.cause;
  if (at instanceof AggregateError && at.errors.length > 0) at = at.errors[0];
  return messageOf(at) || (at as NodeJS.ErrnoException).code || "unknown";
}

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  if (response.body === null) return text;
  try {
    for await (const chunk of response.body) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (text.length > problemMaxBytes) break;
    }
  } catch {
    // The status is known; a body that breaks off adds nothing.
  }
  return text;
}
