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
  /** Of the whole, packed or not. */
  readonly size: number;
}

const fixedBytes = 8;

/**
 * The bytes of a message behind room for a frame's header: length of the head (u32), number of byte arrays (u16), length of
 * the name (u8), a zero byte, the length of each array (u32), the name, the head as `v8.serialize` writes it, the arrays. Little-endian.
 * Throws `request.too-large`.
 */
export function packMessage(name: string, { head, bytes }: PeerMessage): Buffer {
  const nameBytes = Buffer.byteLength(name);
  assert(nameBytes <= nameBytesMax, "a method's or channel's name is short");
  const headPacked = head === undefined ? undefined : serialize(head);
  const headLength = headPacked?.length ?? 0;
  let size = fixedBytes + 4 * bytes.length + nameBytes + headLength;
  for (const each of bytes) size += each.length;
  if (size > messageBytesMax || headLength > headBytesMax || bytes.length > piecesMax) {
    const facts = { size, head: headLength, arrays: bytes.length };
    throw new ServiceError("request.too-large", "a message to a peer is too large", facts);
  }
  const packed = Buffer.allocUnsafe(frameHeaderBytes + size);
  let at = frameHeaderBytes;
  packed.writeUInt32LE(headLength, at);
  packed.writeUInt16LE(bytes.length, at + 4);
  packed[at + 6] = nameBytes;
  packed[at + 7] = 0;
  at += fixedBytes;
  for (const { length } of bytes) at = packed.writeUInt32LE(length, at);
  at += packed.write(name, at);
  if (headPacked !== undefined) at += headPacked.copy(packed, at);
  for (const each of bytes) {
    packed.set(each, at);
    at += each.length;
  }
  return packed;
}

/** Reads a message, whose arrays then lie in `packed`. Throws `peer.malformed`. */
export function unpackMessage(packed: Buffer): NamedMessage {
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
  return { name, head, bytes, size: packed.length };
}

function readHead(bytes: Buffer): unknown {
  try {
    return deserialize(bytes);
  } catch (thrown) {
    throw malformed("head", messageOf(thrown));
  }
}
