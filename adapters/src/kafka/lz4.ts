import { CodecFault } from "./codec-fault.ts";
import { copyBack } from "./snappy.ts";

const magic = 0x184d2204;

/** Bits of a frame's descriptor. */
const flag = { contentSize: 0x08, contentChecksum: 0x04, blockChecksum: 0x10, dictionary: 0x01 };

/** A block's length has this bit when it lies there as it is. */
const uncompressedBit = 0x8000_0000;

/** Blocks may refer to so much before them. */
const windowBytes = 64 << 10;

/** Decompresses a frame of LZ4, as Kafka producers send it. Checksums are left to Kafka's own. Throws `CodecFault`. */
export function lz4Decompress(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== magic) throw new CodecFault("lz4: no frame");
  const flags = bytes[4] as number;
  if ((flags & flag.dictionary) !== 0) throw new CodecFault("lz4: dictionaries are not supported");
  // Magic, flags, the blocks' size, the content's size, a checksum of these.
  let at = 4 + 2 + ((flags & flag.contentSize) === 0 ? 0 : 8) + 1;
  const blockMax = blockBytesOf(bytes[5] as number);
  let output: Buffer = Buffer.allocUnsafeSlow(Math.min(maxBytes, 4 * bytes.length + blockMax));
  let to = 0;
  for (;;) {
    if (at + 4 > bytes.length) throw new CodecFault("lz4: cut short");
    const word = bytes.readUInt32LE(at);
    at += 4;
    if (word === 0) return output.subarray(0, to);
    const size = word & ~uncompressedBit;
    if (at + size > bytes.length) throw new CodecFault("lz4: a block is cut short");
    output = withRoom(output, to, blockMax, maxBytes);
    const block = bytes.subarray(at, at + size);
    if (word >= uncompressedBit) {
      if (to + size > output.length) throw new CodecFault(`lz4: more than ${maxBytes} bytes`);
      to += block.copy(output, to);
    } else {
      to = decompressBlock(block, output, to, Math.min(output.length, to + blockMax));
    }
    at += size + ((flags & flag.blockChecksum) === 0 ? 0 : 4);
  }
}

function blockBytesOf(descriptor: number): number {
  const id = (descriptor >>> 4) & 7;
  if (id < 4) throw new CodecFault("lz4: no such size of blocks");
  return windowBytes << (2 * (id - 4));
}

function withRoom(output: Buffer, to: number, more: number, maxBytes: number): Buffer {
  if (output.length - to >= more || output.length === maxBytes) return output;
  const larger = Buffer.allocUnsafeSlow(Math.min(maxBytes, Math.max(2 * output.length, to + more)));
  output.copy(larger, 0, 0, to);
  return larger;
}

/** Sequences of literals and a copy; the last has literals only. Returns the output's new end. */
function decompressBlock(bytes: Buffer, output: Buffer, start: number, end: number): number {
  const bounded = output.subarray(0, end);
  let at = 0;
  let to = start;
  const extended = (first: number): number => {
    let length = first;
    if (first !== 15) return length;
    for (;;) {
      if (at >= bytes.length) throw new CodecFault("lz4: a length is cut short");
      const more = bytes[at++] as number;
      length += more;
      if (more !== 255) return length;
    }
  };
  while (at < bytes.length) {
    const token = bytes[at++] as number;
    const literals = extended(token >>> 4);
    if (at + literals > bytes.length || to + literals > end) throw new CodecFault("lz4: a literal");
    bytes.copy(bounded, to, at, at + literals);
    at += literals;
    to += literals;
    if (at === bytes.length) return to;
    if (at + 2 > bytes.length) throw new CodecFault("lz4: cut short");
    const offset = bytes.readUInt16LE(at);
    at += 2;
    to = copyBack(bounded, to, offset, extended(token & 15) + 4);
  }
  return to;
}
