import { assert } from "../../../kit/src/assert.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import { fragmentBytes, frameHeaderBytes, messageBytesMax } from "./limits.ts";

/**
 * What a frame is. `message` and below carry a message or a fragment of one; the others are their header alone.
 * Numbers are of the wire and never change.
 */
export const frameKinds = {
  message: 1,
  call: 2,
  stream: 3,
  answer: 4,
  failure: 5,
  item: 6,
  end: 7,
  cancel: 8,
  credit: 9,
  heartbeat: 10,
} as const;
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

/** Whether frames of this kind are pieces of messages. */
export function carriesMessage(kind: FrameKind): boolean {
  return kind <= frameKinds.item;
}

/**
 * The header of a frame, 16 bytes, little-endian: bytes that follow (u32), kind (u8), flags (u8: 1 packed with zstd, 2 the
 * message goes on in another frame), two zero bytes, exchange (u32), value (u32).
 */
export interface FrameHeader {
  readonly bytes: number;
  readonly kind: FrameKind;
  readonly isPacked: boolean;
  readonly hasMore: boolean;
  /** The call or stream it belongs to, by a number of the side that asked; 0 for one-way messages. */
  readonly exchange: number;
  /** First of a message: the bytes of the whole. `credit`: bytes that may be sent beyond. Else 0. */
  readonly value: number;
}

const flagPacked = 1;
const flagMore = 2;

/** What zstd adds at most to a fragment that it cannot shrink; such a fragment is not sent packed. */
const payloadBytesMax = fragmentBytes;

export function writeFrameHeader(to: Buffer, at: number, header: FrameHeader): void {
  assert(header.bytes <= payloadBytesMax, "a frame is no longer than a fragment");
  to.writeUInt32LE(header.bytes, at);
  to[at + 4] = header.kind;
  to[at + 5] = (header.isPacked ? flagPacked : 0) | (header.hasMore ? flagMore : 0);
  to.writeUInt16LE(0, at + 6);
  to.writeUInt32LE(header.exchange, at + 8);
  to.writeUInt32LE(header.value, at + 12);
}

/** Throws `peer.malformed`. */
export function readFrameHeader(from: Buffer, at: number): FrameHeader {
  const bytes = from.readUInt32LE(at);
  const kind = from[at + 4] as number;
  const flags = from[at + 5] as number;
  const value = from.readUInt32LE(at + 12);
  if (kind < frameKinds.message || kind > frameKinds.heartbeat) throw malformed("kind", kind);
  if (flags > (flagPacked | flagMore)) throw malformed("flags", flags);
  if (from.readUInt16LE(at + 6) !== 0) throw malformed("reserved", from.readUInt16LE(at + 6));
  if (bytes > payloadBytesMax) throw malformed("bytes", bytes);
  const header: FrameHeader = {
    bytes,
    kind: kind as FrameKind,
    isPacked: (flags & flagPacked) !== 0,
    hasMore: (flags & flagMore) !== 0,
    exchange: from.readUInt32LE(at + 8),
    value,
  };
  if (!carriesMessage(header.kind) && (bytes !== 0 || flags !== 0)) throw malformed("bytes", bytes);
  if (carriesMessage(header.kind) && (bytes === 0 || value > messageBytesMax)) {
    throw malformed("value", value);
  }
  return header;
}

/** What bytes of the wire break: the link ends. */
export function malformed(what: string, found: number | string): ServiceError {
  return new ServiceError("peer.malformed", "a peer sent what cannot be read", { what, found });
}

export interface FrameSink {
  header(header: FrameHeader): void;
  /** Bytes behind the header, in order; valid during the call. */
  piece(bytes: Buffer): void;
  /** The frame is whole. */
  end(): void;
}

/** Cuts a stream of bytes into frames, without keeping any of them. Throws `peer.malformed`. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #header = Buffer.alloc(frameHeaderBytes);
  #headerFilled = 0;
  #left = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const take = Math.min(this.#left, chunk.length - at);
        this.#sink.piece(chunk.subarray(at, at + take));
        at += take;
        this.#left -= take;
        if (this.#left === 0) this.#sink.end();
        continue;
      }
      const take = Math.min(frameHeaderBytes - this.#headerFilled, chunk.length - at);
      chunk.copy(this.#header, this.#headerFilled, at, at + take);
      at += take;
      this.#headerFilled += take;
      if (this.#headerFilled < frameHeaderBytes) continue;
      this.#headerFilled = 0;
      const header = readFrameHeader(this.#header, 0);
      this.#left = header.bytes;
      this.#sink.header(header);
      if (header.bytes === 0) this.#sink.end();
    }
  }
}
