import { deserialize, serialize } from "node:v8";
import { assert } from "../../../kit/src/assert.ts";
import { messageOf, ServiceError } from "../../../kit/src/errors.ts";
import { malformed } from "./frame.ts";
import {
  frameHeaderBytes,
  headBytesMax,
  messageBytesMax,
  nameBytesMax,
  piecesMax,
} from "./limits.ts";
import type { PeerMessage } from "./peers.ts";

/** A message as it was received. */
export interface NamedMessage extends PeerMessage {
  /** The method or channel; empty in answers. */
  readonly name: string;
  readonly size: number;
  /** What its arrays lie in. */
  readonly memory: Buffer;
}

const fixedBytes = 8;

/** A message as it is sent: `first`, which begins with room for a frame's header, and the arrays where they lie. */
export interface PackedMessage {
  readonly first: Buffer;
  readonly rest: readonly Uint8Array[];
  /** Bytes on the wire, without frames' headers. */
  readonly size: number;
}

/**
 * A message behind room for a frame's header: length of the head (u32), number of byte arrays (u16), length of
 * the name (u8), a zero byte, the length of each array (u32), the name, the head as `v8.serialize` writes it, the arrays. Little-endian.
 * The arrays are copied, or with `inPlace` left where they are. Throws `request.too-large`.
 */
export function packMessage(
  name: string,
  { head, bytes }: PeerMessage,
  inPlace = false,
): PackedMessage {
  const nameBytes = Buffer.byteLength(name);
  assert(nameBytes <= nameBytesMax, "a method's or channel's name is short");
  const headPacked = head === undefined ? undefined : serialize(head);
  const headLength = headPacked?.length ?? 0;
  const before = fixedBytes + 4 * bytes.length + nameBytes + headLength;
  let size = before;
  for (const each of bytes) size += each.length;
  if (size > messageBytesMax || headLength > headBytesMax || bytes.length > piecesMax) {
    const facts = { size, head: headLength, arrays: bytes.length };
    throw new ServiceError("request.too-large", "a message to a peer is too large", facts);
  }
  const first = Buffer.allocUnsafe(frameHeaderBytes + (inPlace ? before : size));
  let at = frameHeaderBytes;
  first.writeUInt32LE(headLength, at);
  first.writeUInt16LE(bytes.length, at + 4);
  first[at + 6] = nameBytes;
  first[at + 7] = 0;
  at += fixedBytes;
  for (const { length } of bytes) at = first.writeUInt32LE(length, at);
  at += first.write(name, at);
  if (headPacked !== undefined) at += headPacked.copy(first, at);
  if (inPlace) return { first, rest: bytes.filter(({ length }) => length > 0), size };
  for (const each of bytes) {
    first.set(each, at);
    at += each.length;
  }
  return { first, rest: [], size };
}

/** Reads the message in the first `size` bytes of `memory`, in which its arrays then lie. Throws `peer.malformed`. */
export function unpackMessage(memory: Buffer, size = memory.length): NamedMessage {
  const packed = memory.subarray(0, size);
  if (packed.length < fixedBytes) throw malformed("length", packed.length);
  const headLength = packed.readUInt32LE(0);
  const count = packed.readUInt16LE(4);
  const nameBytes = packed[6] as number;
  if (headLength > headBytesMax) throw malformed("head", headLength);
  if (count > piecesMax) throw malformed("arrays", count);
  if (nameBytes > nameBytesMax) throw malformed("name", nameBytes);
  const nameAt = fixedBytes + 4 * count;
  const headAt = nameAt + nameBytes;
  let at = headAt + headLength;
  if (at > packed.length) throw malformed("length", packed.length);
  const bytes: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const length = packed.readUInt32LE(fixedBytes + 4 * i);
    if (at + length > packed.length) throw malformed("array", length);
    bytes.push(packed.subarray(at, at + length));
    at += length;
  }
  if (at !== packed.length) throw malformed("length", packed.length);
  const name = packed.toString("utf8", nameAt, headAt);
  const head =
    headLength === 0 ? undefined : readHead(packed.subarray(headAt, headAt + headLength));
  return { name, head, bytes, size, memory };
}

function readHead(bytes: Buffer): unknown {
  try {
    return deserialize(bytes);
  } catch (thrown) {
    throw malformed("head", messageOf(thrown));
  }
}
