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

const protobufTypes = ["application/x-protobuf", "application/protobuf"];

/** Codes of google.rpc.Status for what is answered by HTTP status. */
const rpcCodes: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  408: 4,
  413: 3,
  415: 3,
  422: 3,
  429: 8,
  503: 14,
};
const rpcUnavailable = 14;

/** OTLP/HTTP logs, protobuf and JSON; answered in what was asked in. */
export const otlpReceiver: Receiver = {
  name: "otlp-logs",
  methods: ["post"],
  paths: ["/v1/logs", "/otlp/v1/logs"],
  scope: "write",

  prepare(request: ReceiverRequest): Prepared {
    const mediaType = mediaTypeOf(request.headers);
    const isProtobuf = protobufTypes.includes(mediaType);
    if (!isProtobuf && mediaType !== "application/json") {
      throw unsupportedMedia(mediaType, ["application/x-protobuf", "application/json"]);
    }
    return prepareDecode(request, {
      protocol: isProtobuf ? "otlp-protobuf" : "otlp-json",
      timeFields: [],
      msgFields: ["_msg", "message"],
    });
  },

  /** `partial_success` is left out where everything is stored. */
  answer(request: ReceiverRequest, result: DecodeResult): ReceiverAnswer {
    checkDecoded(result);
    const { rejected, errors } = result;
    const first = errors[0];
    const message = first === undefined ? "" : `record ${first.line}: ${first.reason}`;
    if (isJson(request)) {
      const partial = { rejectedLogRecords: String(rejected), errorMessage: message };
      return json(200, rejected === 0 ? {} : { partialSuccess: partial });
    }
    if (rejected === 0) return protobuf(200, Buffer.alloc(0));
    const partial = Buffer.concat([varintField(1, rejected), bytesField(2, Buffer.from(message))]);
    return protobuf(200, bytesField(1, partial));
  },

  /** Clients send again after 429, 502, 503 and 504 only: a failure of ours is 503. */
  failure(request: ReceiverRequest, error: ServiceError): ReceiverAnswer {
    const status = error.status === 500 ? 503 : error.status;
    const code = rpcCodes[status] ?? rpcUnavailable;
    const message = sentenceOf(error);
    if (isJson(request)) return json(status, { code, message });
    return protobuf(
      status,
      Buffer.concat([varintField(1, code), bytesField(2, Buffer.from(message))]),
    );
  },
};

function isJson(request: ReceiverRequest): boolean {
  const type = (request.headers["content-type"] ?? "").toLowerCase();
  return type.trimStart().startsWith("application/json");
}

function json(status: number, body: object): ReceiverAnswer {
  const headers = { "Content-Type": "application/json", ...headersOfStatus(status) };
  return { status, headers, body: JSON.stringify(body) };
}

function protobuf(status: number, body: Uint8Array): ReceiverAnswer {
  const headers = { "Content-Type": "application/x-protobuf", ...headersOfStatus(status) };
  return { status, headers, body };
}

function varintField(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)]);
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}
