import { constants, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { ServiceError } from "../../kit/src/errors.ts";
import { viewOf } from "../../storage/src/format/words.ts";
import type { Encoding } from "./job.ts";
import { bodyMaxBytes, inflateFreeBytes, inflateRatioMax, zstdFramesMax } from "./limits.ts";

/**
 * Memory is taken in steps while inflating, and a bomb is noticed within one. A body that fits the first step need not
 * be put together from several, which costs as much as a third of inflating it.
 */
const stepMinBytes = 64 << 10;
const stepMaxBytes = 4 << 20;

/** Inflated bytes for each compressed one that a format that does not say it is expected to have. */
const usualRatio = 8;

/**
 * Inflates a body in one turn; for workers. Throws `request.too-large` past the limits of size and ratio and
 * `request.malformed` for what is damaged or cut short.
 */
export function inflate(
  body: Uint8Array,
  encoding: Encoding,
  inflatedMaxBytes: number = bodyMaxBytes,
): Uint8Array {
  if (encoding === "identity") return body;
  if (body.length === 0) return body;
  const maxOutputLength = Math.min(inflatedMaxBytes, bytesByRatio(body.length));
  try {
    const chunkSize = stepFor(body, encoding);
    return inflateWith(body, encoding, { maxOutputLength, chunkSize });
  } catch (thrown) {
    throw refusalOf(thrown, encoding, maxOutputLength);
  }
}

/** RFC 9659: over HTTP a frame's window is at most 8 MiB; a decoder sets the memory aside that the frame claims. */
const zstdWindowLogMax = 23;

/** Bytes that a compressed body of this length may become. */
function bytesByRatio(compressedBytes: number): number {
  return Math.max(inflateFreeBytes, compressedBytes * inflateRatioMax);
}

/** A step that holds all of the body, as far as can be told. */
function stepFor(body: Uint8Array, encoding: Encoding): number {
  // RFC 1952: the last four bytes are the length, for what that is worth. A step that is filled is followed by another.
  const isSaid = encoding === "gzip" && body.length >= 4;
  const expected = isSaid
    ? viewOf(body).getUint32(body.length - 4, true) + 1
    : body.length * usualRatio;
  return Math.max(stepMinBytes, Math.min(stepMaxBytes, expected));
}

interface Options {
  readonly maxOutputLength: number;
  readonly chunkSize: number;
}

function inflateWith(
  body: Uint8Array,
  encoding: Exclude<Encoding, "identity">,
  options: Options,
): Uint8Array {
  switch (encoding) {
    case "gzip":
      return gunzipSync(body, options);
    case "deflate":
      // HTTP means zlib's format by this name; some clients send the bare stream.
      return isZlib(body) ? inflateSync(body, options) : inflateRawSync(body, options);
    case "zstd":
      return unzstd(body, options);
  }
}

/** A zstd body may be several frames, and Node reads one at a time. */
function unzstd(body: Uint8Array, options: Options): Uint8Array {
  const frames: Buffer[] = [];
  let room = options.maxOutputLength;
  for (let at = 0; at < body.length; ) {
    if (frames.length === zstdFramesMax) {
      throw new ServiceError("request.malformed", "the body has too many frames", {
        zstdFramesMax,
      });
    }
    // The types of Node do not know what `info` does to the result.
    const frame = zstdDecompressSync(body.subarray(at), {
      // Frames keep their memory until the last is read; there may be thousands.
      chunkSize: frames.length === 0 ? options.chunkSize : stepMinBytes,
      maxOutputLength: Math.max(1, room),
      params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLogMax },
      info: true,
    }) as unknown as {
      readonly buffer: Buffer;
      readonly engine: { readonly bytesWritten: number };
    };
    frames.push(frame.buffer);
    room -= frame.buffer.length;
    // A frame has at least a header, so this ends; were nothing consumed, nothing more could be.
    at += frame.engine.bytesWritten > 0 ? frame.engine.bytesWritten : body.length;
  }
  return frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames);
}

function isZlib(body: Uint8Array): boolean {
  const first = body[0] ?? 0;
  const second = body[1] ?? 0;
  return (first & 15) === 8 && ((first << 8) | second) % 31 === 0;
}

function refusalOf(thrown: unknown, encoding: Encoding, bytesMax: number): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (code === "ERR_BUFFER_TOO_LARGE") {
    const what = "the body is too large when inflated";
    return new ServiceError("request.too-large", what, { inflatedMaxBytes: bytesMax });
  }
  const reason =
    code === "Z_BUF_ERROR" ? "the compressed body is cut short" : "the compressed body is damaged";
  return new ServiceError("request.malformed", reason, { encoding }, { cause: thrown });
}
