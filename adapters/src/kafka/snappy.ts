import { CodecFault } from "./codec-fault.ts";

/** What Java's producers put in front of blocks of snappy; others send one block as it is. */
const framed = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const framedHeaderBytes = 16;

/** Decompresses what a Kafka producer sends as `snappy`. Throws `CodecFault`. */
export function snappyDecompress(bytes: Buffer, maxBytes: number): Buffer {
  if (!bytes.subarray(0, framed.length).equals(framed)) return decompressBlock(bytes, maxBytes);
  const blocks: Buffer[] = [];
  let total = 0;
  for (let at = framedHeaderBytes; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw new CodecFault("snappy: a block's length is cut short");
    const length = bytes.readUInt32BE(at);
    at += 4;
    if (at + length > bytes.length) throw new CodecFault("snappy: a block is cut short");
    const block = decompressBlock(bytes.subarray(at, at + length), maxBytes - total);
    blocks.push(block);
    total += block.length;
    at += length;
  }
  return Buffer.concat(blocks, total);
}

/** One block: its length as a varint, then literals and copies of what came before. */
function decompressBlock(bytes: Buffer, maxBytes: number): Buffer {
  let { value: length, at } = readLength(bytes);
  if (length > maxBytes) throw new CodecFault(`snappy: more than ${maxBytes} bytes`);
  const output = Buffer.allocUnsafeSlow(length);
  let to = 0;
  while (at < bytes.length) {
    const tag = bytes[at++] as number;
    if ((tag & 3) === 0) {
      let size = (tag >>> 2) + 1;
      if (size > 60) {
        const width = size - 60;
        if (at + width > bytes.length) throw new CodecFault("snappy: cut short");
        size = bytes.readUIntLE(at, width) + 1;
        at += width;
      }
      if (at + size > bytes.length || to + size > length) throw new CodecFault("snappy: a literal");
      bytes.copy(output, to, at, at + size);
      at += size;
      to += size;
      continue;
    }
    const width = (tag & 3) === 1 ? 1 : (tag & 3) === 2 ? 2 : 4;
    if (at + width > bytes.length) throw new CodecFault("snappy: cut short");
    const low = bytes.readUIntLE(at, width);
    at += width;
    const offset = width === 1 ? ((tag >>> 5) << 8) | low : low;
    const size = width === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    to = copyBack(output, to, offset, size);
  }
  if (to !== length) throw new CodecFault("snappy: shorter than it says");
  return output;
}

function readLength(bytes: Buffer): { value: number; at: number } {
  let value = 0;
  for (let at = 0; at < 5 && at < bytes.length; at++) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) return { value, at: at + 1 };
  }
  throw new CodecFault("snappy: no length");
}

/** Repeats what stands `offset` bytes before; it may reach into what it writes itself. Returns the new end. */
export function copyBack(output: Buffer, to: number, offset: number, size: number): number {
  if (offset === 0 || offset > to || to + size > output.length) {
    throw new CodecFault("a copy reaches beyond what there is");
  }
  if (offset >= size) output.copyWithin(to, to - offset, to - offset + size);
  else for (let at = 0; at < size; at++) output[to + at] = output[to + at - offset] as number;
  return to + size;
}
