import type { IncomingHttpHeaders } from "node:http";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { DecodeOptions, Encoding, Protocol } from "../job.ts";
import {
  extraFieldsMax,
  extraValueMaxBytes,
  fieldNameMaxBytes,
  idempotencyKeyMaxBytes,
  streamFieldsMax,
  timeFieldsMax,
} from "../limits.ts";
import { reservedNames } from "../pipeline/field-roles.ts";
import { guardFor } from "./line-guard.ts";
import type { Prepared, ReceiverRequest } from "./receiver.ts";

const encodingNames: Readonly<Record<string, Encoding>> = {
  "": "identity",
  identity: "identity",
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate",
  zstd: "zstd",
};

const charsets = new Set(["utf-8", "utf8", "us-ascii", "ascii"]);

/** What a protocol takes where the request says nothing. */
export interface OptionDefaults {
  readonly protocol: Protocol;
  readonly timeFields: readonly string[];
  readonly msgFields: readonly string[];
  readonly index?: string | undefined;
}

/** The decoding that a request asks for by its query parameters and headers. */
export function prepareDecode(request: ReceiverRequest, defaults: OptionDefaults): Prepared {
  const { query, headers } = request;
  const options: DecodeOptions = {
    protocol: defaults.protocol,
    encoding: encodingOf(headers),
    streamFields: fieldList(query, "stream", streamFieldsMax),
    timeFields: withFallback(fieldList(query, "time", timeFieldsMax), defaults.timeFields),
    msgFields: withFallback(fieldList(query, "msg", timeFieldsMax), defaults.msgFields),
    extra: extraOf(query),
    index: defaults.index,
  };
  const idempotencyKey = idempotencyKeyOf(headers);
  return { kind: "decode", options, idempotencyKey, guard: guardFor(options) };
}

/** The media type without parameters, in lower case; empty where there is none. */
export function mediaTypeOf(headers: IncomingHttpHeaders): string {
  const [type = "", ...params] = (headers["content-type"] ?? "").split(";");
  for (const param of params) {
    const [name = "", value = ""] = param.split("=");
    if (name.trim().toLowerCase() !== "charset") continue;
    const charset = value.trim().replace(/^"|"$/g, "").toLowerCase();
    if (!charsets.has(charset)) {
      throw new ServiceError("request.media-type", "the charset must be UTF-8", { charset });
    }
  }
  return type.trim().toLowerCase();
}

/** The error for a media type that an endpoint does not take. */
export function unsupportedMedia(mediaType: string, supported: readonly string[]): ServiceError {
  const what = "the content type is not supported here";
  return new ServiceError("request.media-type", what, { mediaType, supported });
}

function encodingOf(headers: IncomingHttpHeaders): Encoding {
  const name = (headers["content-encoding"] ?? "").trim().toLowerCase();
  const encoding = Object.hasOwn(encodingNames, name) ? encodingNames[name] : undefined;
  if (encoding !== undefined) return encoding;
  const what = `Content-Encoding "${name.slice(0, 64)}" not supported`;
  throw new ServiceError("request.media-type", what, { supported: ["gzip", "zstd", "deflate"] });
}

/** The names in a parameter, separated by commas; undefined where it is not given. */
function fieldList(
  query: URLSearchParams,
  parameter: string,
  namesMax: number,
): readonly string[] | undefined {
  const text = query.get(parameter);
  if (text === null) return undefined;
  const names = new Set(
    text
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  );
  for (const name of names) checkName(parameter, name);
  if (names.size <= namesMax) return [...names];
  throw new ServiceError("request.malformed", "the parameter names too many fields", {
    parameter,
    namesMax,
  });
}

function checkName(parameter: string, name: string): void {
  if (name.isWellFormed() && Buffer.byteLength(name) <= fieldNameMaxBytes) return;
  const what = "the parameter names a field whose name is too long or no text";
  throw new ServiceError("request.malformed", what, { parameter, fieldNameMaxBytes });
}

/** What the request names comes first; what the protocol has stays behind it. */
function withFallback(
  names: readonly string[] | undefined,
  fallback: readonly string[],
): readonly string[] {
  return names === undefined ? fallback : [...new Set([...names, ...fallback])];
}

function extraOf(query: URLSearchParams): readonly (readonly [string, string])[] {
  const extra = new Map<string, string>();
  for (const [parameter, value] of query) {
    if (!parameter.startsWith("extra.")) continue;
    const name = parameter.slice("extra.".length);
    checkName(parameter.slice(0, 64), name);
    if (name === "" || reservedNames.some((each) => each === name)) {
      const what = "this field cannot be added";
      throw new ServiceError("request.malformed", what, { parameter });
    }
    if (Buffer.byteLength(value) > extraValueMaxBytes) {
      const what = "the value of the parameter is too long";
      throw new ServiceError("request.malformed", what, { parameter, extraValueMaxBytes });
    }
    extra.set(name, value);
  }
  if (extra.size > extraFieldsMax) {
    throw new ServiceError("request.malformed", "too many fields are added", { extraFieldsMax });
  }
  return [...extra];
}

function idempotencyKeyOf(headers: IncomingHttpHeaders): string | undefined {
  const header = headers["idempotency-key"];
  if (header === undefined) return undefined;
  const key = Array.isArray(header) ? header.join(",") : header;
  if (key !== "" && Buffer.byteLength(key) <= idempotencyKeyMaxBytes) return key;
  throw new ServiceError("request.malformed", "the Idempotency-Key must have 1 to 256 bytes");
}
