import { crc32 } from "node:zlib";
import { align, headerDecode, magicBytes } from "./entry.ts";
import { entryAlign, headerBytesMax, headLooksMax, logFileHeadBytes } from "./limits.ts";
import { fileIdBytes, fileIdOffset } from "./log-file.ts";

/**
 * The id of a file whose head is damaged, where that is the id as it stands or differs from it in one bit: there an entry's checksum, which is
 * over the id too, says which. Undefined where no entry is of such an id; then the file may have none at all.
 */
export function fileIdNear(bytes: Buffer): Uint8Array | undefined {
  const stated = new Uint8Array(bytes.subarray(fileIdOffset, fileIdOffset + fileIdBytes));
  const offsets = headerOffsets(bytes);
  const isIt = (id: Uint8Array): boolean =>
    offsets.some((offset) => headerDecode(bytes, offset, id) !== undefined);
  if (isIt(stated)) return stated;
  for (let bit = 0; bit < fileIdBytes * 8; bit++) {
    const near = Uint8Array.from(stated);
    near[bit >> 3]! ^= 1 << (bit & 7);
    if (isIt(near)) return near;
  }
  return undefined;
}

/**
 * An id that says of each entry what the lost one does, of a file of which nothing in the head is left: all that counts of it is its CRC-32,
 * which follows from the first entry and has to be that of the second too. One that was made ready
 * anew and never used has entries of its life before: whether these are its own is for the caller to tell. Undefined where the first is damaged.
 */
export function fileIdLike(bytes: Buffer): Uint8Array | undefined {
  const first = logFileHeadBytes;
  if (bytes.length < first + headerBytesMax) return undefined;
  if (bytes.indexOf(magicBytes, first) !== first) return undefined;
  const headerLength = bytes.readUInt16LE(first + 8);
  const rest = bytes.subarray(first + 8, first + headerLength);
  const idCrc = inputOf((crc) => crc32(rest, crc), bytes.readUInt32LE(first + 4));
  if (idCrc === undefined) return undefined;
  const idEnding = (word: number): Uint8Array => {
    const id = Buffer.alloc(fileIdBytes);
    id.writeUInt32LE(word, fileIdBytes - 4);
    return new Uint8Array(id);
  };
  const word = inputOf((ending) => crc32(idEnding(ending)), idCrc);
  if (word === undefined) return undefined;
  const id = idEnding(word);
  const decoded = headerDecode(bytes, first, id);
  if (decoded === undefined) return undefined;
  const second = first + headerLength + align(decoded.header.bodyLength);
  return headerDecode(bytes, second, id) === undefined ? undefined : id;
}

/** Where headers may begin: the first of them are enough, since bodies seldom look like one. */
function headerOffsets(bytes: Buffer): number[] {
  const offsets: number[] = [];
  let at = bytes.indexOf(magicBytes, logFileHeadBytes);
  for (; at !== -1 && offsets.length < headLooksMax; at = bytes.indexOf(magicBytes, at + 1)) {
    if (at % entryAlign === 0) offsets.push(at);
  }
  return offsets;
}

/** Which 32 bits a function maps to `output` that is linear but for a constant, as a CRC is: by elimination over its 32 columns. */
function inputOf(map: (input: number) => number, output: number): number | undefined {
  const constant = map(0);
  /** By the highest bit of the output. */
  const basis = new Map<number, { readonly input: number; readonly output: number }>();
  const reduced = (from: { input: number; output: number }) => {
    let { input, output: left } = from;
    while (left !== 0) {
      const known = basis.get(Math.clz32(left));
      if (known === undefined) break;
      left = (left ^ known.output) >>> 0;
      input = (input ^ known.input) >>> 0;
    }
    return { input, output: left };
  };
  for (let bit = 0; bit < 32; bit++) {
    const input = (1 << bit) >>> 0;
    const column = reduced({ input, output: (map(input) ^ constant) >>> 0 });
    if (column.output !== 0) basis.set(Math.clz32(column.output), column);
  }
  const found = reduced({ input: 0, output: (output ^ constant) >>> 0 });
  return found.output === 0 ? found.input : undefined;
}
