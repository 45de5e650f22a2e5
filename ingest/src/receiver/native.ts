import { problemOf, ServiceError } from "../../../kit/src/errors.ts";
import type { DecodeResult, Protocol } from "../job.ts";
import {
  checkDecoded,
  headersOfStatus,
  type Prepared,
  type Receiver,
  type ReceiverAnswer,
  type ReceiverRequest,
} from "./receiver.ts";
import { mediaTypeOf, prepareDecode, unsupportedMedia } from "./request-options.ts";

const protocolOfMedia: Readonly<Record<string, Protocol>> = {
  "": "json-lines",
  "application/x-ndjson": "json-lines",
  "application/ndjson": "json-lines",
  "application/jsonl": "json-lines",
  "application/x-jsonlines": "json-lines",
  "application/stream+json": "json-lines",
  "application/json": "json",
  "text/plain": "text",
};

const parameters = new Set(["stream", "time", "msg"]);

/** `POST /api/v1/logs`: JSON lines, JSON or text. */
export const nativeReceiver: Receiver = {
  name: "logs",
  methods: ["post"],
  paths: ["/api/v1/logs"],
  scope: "write",

  prepare(request: ReceiverRequest): Prepared {
    for (const parameter of request.query.keys()) {
      // A misspelt parameter would store records in a way nobody asked for.
      if (parameters.has(parameter) || parameter.startsWith("extra.")) continue;
      const what = "there is no such parameter";
      throw new ServiceError("request.malformed", what, { parameter: parameter.slice(0, 64) });
    }
    const mediaType = mediaTypeOf(request.headers);
    const isKnown = Object.hasOwn(protocolOfMedia, mediaType);
    const protocol = isKnown ? protocolOfMedia[mediaType] : undefined;
    if (protocol === undefined) {
      const supported = ["application/x-ndjson", "application/json", "text/plain"];
      throw unsupportedMedia(mediaType.slice(0, 64), supported);
    }
    return prepareDecode(request, { protocol, timeFields: ["_time"], msgFields: ["_msg"] });
  },

  answer(_: ReceiverRequest, result: DecodeResult): ReceiverAnswer {
    checkDecoded(result);
    const { accepted, rejected, errors } = result;
    const counts = { accepted, rejected, errors };
    if (accepted > 0 || rejected === 0) return json(200, counts);
    const what = "no record of the request can be stored";
    const problem = problemOf(new ServiceError("ingest.nothing-acceptable", what));
    return json(400, { ...problem, ...counts }, "application/problem+json");
  },

  failure(_: ReceiverRequest, error: ServiceError): ReceiverAnswer {
    return json(error.status, problemOf(error), "application/problem+json");
  },
};

function json(status: number, body: object, type = "application/json"): ReceiverAnswer {
  const headers = { "Content-Type": type, ...headersOfStatus(status) };
  return { status, headers, body: JSON.stringify(body) };
}
