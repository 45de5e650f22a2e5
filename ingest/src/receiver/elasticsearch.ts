import type { ServiceError } from "../../../kit/src/errors.ts";
import type { DecodeResult } from "../job.ts";
import {
  checkDecoded,
  headersOfStatus,
  type Prepared,
  type Receiver,
  type ReceiverAnswer,
  type ReceiverRequest,
  sentenceOf,
} from "./receiver.ts";
import { mediaTypeOf, prepareDecode, unsupportedMedia } from "./request-options.ts";

/** Every Elasticsearch path also stands behind this. */
export const elasticPrefix = "/elasticsearch";

const bulkTypes = new Set([
  "",
  "application/json",
  "application/x-ndjson",
  "application/vnd.elasticsearch+json",
  "application/vnd.elasticsearch+x-ndjson",
]);

/** The types of errors that clients of Elasticsearch know, by status. */
const errorTypes: Readonly<Record<number, string>> = {
  400: "illegal_argument_exception",
  401: "security_exception",
  403: "security_exception",
  404: "resource_not_found_exception",
  413: "content_too_long_exception",
  415: "media_type_header_exception",
  429: "es_rejected_execution_exception",
  503: "unavailable_shards_exception",
};

/** `_bulk` of Elasticsearch. */
export const bulkReceiver: Receiver = {
  name: "elasticsearch-bulk",
  methods: ["post", "put"],
  paths: withPrefix(["/_bulk", "/:index/_bulk"]),
  scope: "write",

  prepare(request: ReceiverRequest): Prepared {
    const mediaType = mediaTypeOf(request.headers);
    if (!bulkTypes.has(mediaType)) {
      throw unsupportedMedia(mediaType, ["application/x-ndjson", "application/json"]);
    }
    return prepareDecode(request, {
      protocol: "elasticsearch-bulk",
      timeFields: ["@timestamp", "_time"],
      msgFields: ["message", "_msg"],
      index: indexOf(request.path),
    });
  },

  /** The order of members matters: Fluent Bit looks for `"errors":false,"items":[` in what may be cut off. */
  answer(request: ReceiverRequest, result: DecodeResult, tookMs: number): ReceiverAnswer {
    checkDecoded(result);
    const took = Math.max(0, Math.round(tookMs));
    const head = Buffer.from(`{"took":${took},"errors":${result.itemErrors === true},"items":[`);
    const body = Buffer.concat([head, result.items ?? new Uint8Array(0), Buffer.from("]}")]);
    return elasticAnswer(request, 200, body);
  },

  failure: elasticFailure,
};

/** An answer as Elasticsearch heads it: its clients refuse one that does not name the product. */
export function elasticAnswer(
  request: ReceiverRequest,
  status: number,
  body: string | Uint8Array | object,
): ReceiverAnswer {
  const headers = {
    "X-Elastic-Product": "Elasticsearch",
    "Content-Type": contentTypeFor(request),
    ...headersOfStatus(status),
  };
  const isPrinted = typeof body === "string" || body instanceof Uint8Array;
  return { status, headers, body: isPrinted ? body : JSON.stringify(body) };
}

export function elasticFailure(request: ReceiverRequest, error: ServiceError): ReceiverAnswer {
  const { status } = error;
  const type = errorTypes[status] ?? "exception";
  const cause = { type, reason: sentenceOf(error) };
  return elasticAnswer(request, status, { error: { root_cause: [cause], ...cause }, status });
}

/** The same paths, and each behind `/elasticsearch`. */
export function withPrefix(paths: readonly string[]): readonly string[] {
  return paths.flatMap((path) => [path, `${elasticPrefix}${path === "/" ? "" : path}`]);
}

/** Clients that ask for a version of the API get the type back they asked for. */
function contentTypeFor(request: ReceiverRequest): string {
  const asked = /application\/vnd\.elasticsearch\+json\s*;\s*compatible-with=(\d{1,2})/i.exec(
    request.headers.accept ?? "",
  );
  if (asked === null) return "application/json";
  return `application/vnd.elasticsearch+json;compatible-with=${asked[1]}`;
}

function indexOf(path: string): string | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  const names = parts[0] === elasticPrefix.slice(1) ? parts.slice(1) : parts;
  if (names.length < 2) return undefined;
  try {
    return decodeURIComponent(names[0] ?? "");
  } catch {
    return names[0];
  }
}
