import type { IncomingHttpHeaders } from "node:http";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { DecodeOptions, DecodeResult } from "../job.ts";

/** A request before its body is read. */
export interface ReceiverRequest {
  /** In capitals. */
  readonly method: string;
  /** Without the query string. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** What is sent back, body and all. */
export interface ReceiverAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/**
 * What to do with a request. `decode`: read its body and let a worker decode it. `answer`: send this, whatever
 * the body is. `pass`: it is for somebody else (a browser that asks for `/`).
 */
export type Prepared =
  | {
      readonly kind: "decode";
      readonly options: DecodeOptions;
      readonly idempotencyKey: string | undefined;
      /** A line longer than a record can be ends the request early; undefined where there are no lines. */
      readonly guard: ((chunk: Uint8Array) => void) | undefined;
    }
  | { readonly kind: "answer"; readonly answer: ReceiverAnswer }
  | { readonly kind: "pass" };

/** An endpoint of a protocol: what it takes, and how it answers. */
export interface Receiver {
  readonly name: string;
  readonly methods: readonly ("get" | "head" | "post" | "put")[];
  /** As Express 5 writes them. */
  readonly paths: readonly string[];
  /** What a key must allow; undefined: open to everyone. */
  readonly scope: "write" | undefined;
  /** Throws `ServiceError`, to be answered by `failure`. */
  prepare(request: ReceiverRequest): Prepared;
  /** The answer to a request whose parts are stored; throws `ServiceError` for one that was refused. */
  answer(request: ReceiverRequest, result: DecodeResult, tookMs: number): ReceiverAnswer;
  /** An error in the form that the protocol's clients understand. */
  failure(request: ReceiverRequest, error: ServiceError): ReceiverAnswer;
}

/** Seconds after which a client that was turned away for want of room may come back. */
const retryAfterSeconds = "1";

/** The headers that a status asks for. */
export function headersOfStatus(status: number): Readonly<Record<string, string>> {
  if (status === 429 || status === 503) return { "Retry-After": retryAfterSeconds };
  if (status === 401) return { "WWW-Authenticate": 'Basic realm="logkeep", charset="UTF-8"' };
  return {};
}

/** Throws the error of a request of which nothing is to be stored. */
export function checkDecoded(result: DecodeResult): void {
  if (result.status === "arena-full") {
    throw new ServiceError("ingest.busy", "the memory for records that are not yet sealed is full");
  }
  if (result.error !== undefined) {
    throw new ServiceError(result.error.code, result.error.message, result.error.fields);
  }
}

/** An error in one sentence: its message and the facts beside it. */
export function sentenceOf(error: ServiceError): string {
  const facts = Object.entries(error.fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${String(value)}`);
  return facts.length === 0 ? error.message : `${error.message} (${facts.join(", ")})`;
}
