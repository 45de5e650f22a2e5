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

/** Rejected entries that an answer names. */
const namedMax = 10;

/** Loki's push, in JSON. */
export const lokiReceiver: Receiver = {
  name: "loki-push",
  methods: ["post"],
  paths: ["/loki/api/v1/push"],
  scope: "write",

  prepare(request: ReceiverRequest): Prepared {
    const mediaType = mediaTypeOf(request.headers);
    if (mediaType !== "application/json") throw unsupportedMedia(mediaType, ["application/json"]);
    return prepareDecode(request, { protocol: "loki-json", timeFields: [], msgFields: ["_msg"] });
  },

  /** As Loki: 400 where entries were rejected, though the others are stored; shippers send none of it again. */
  answer(_: ReceiverRequest, result: DecodeResult): ReceiverAnswer {
    checkDecoded(result);
    const { accepted, rejected, errors } = result;
    if (rejected === 0) return { status: 204, headers: {}, body: "" };
    const named = errors.slice(0, namedMax).map(({ line, reason }) => `entry ${line}: ${reason}`);
    const more = rejected > named.length ? [`and ${rejected - named.length} more`] : [];
    const head = `${rejected} of ${accepted + rejected} entries were rejected, the others are stored`;
    return text(400, [head, ...named, ...more].join("\n"));
  },

  /**
   * What a repetition cannot mend is 400, a body that is too large too: Fluent Bit sends anything else again,
   * for ever.
   */
  failure(_: ReceiverRequest, error: ServiceError): ReceiverAnswer {
    const { status } = error;
    return text(
      status === 413 || status === 415 || status === 422 ? 400 : status,
      sentenceOf(error),
    );
  },
};

/** What shippers and proxies of Loki ask before they push. */
export const lokiReadyReceiver: Receiver = {
  ...lokiReceiver,
  name: "loki-ready",
  methods: ["get", "head"],
  paths: ["/ready", "/loki/api/v1/status/buildinfo"],
  scope: undefined,

  prepare(request: ReceiverRequest): Prepared {
    if (request.path === "/ready") return { kind: "answer", answer: text(200, "ready") };
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ version: "3.7.0", revision: "", branch: "", goVersion: "" });
    return { kind: "answer", answer: { status: 200, headers, body } };
  },
};

function text(status: number, body: string): ReceiverAnswer {
  const headers = { "Content-Type": "text/plain; charset=utf-8", ...headersOfStatus(status) };
  return { status, headers, body: `${body}\n` };
}
