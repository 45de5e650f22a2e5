import { crc32 } from "node:zlib";

import { crcNativeBytes } from "./limits.ts";

/*
 * CRC-32 as zlib and Java count it, held as its register: before the last inversion, as an int. A register can go on
 * with more bytes, and by itself it is linear: what two messages of one length give differs by what their XOR gives.
 */

/** The register before the first byte. */
export const crcStart = -1;

/** One table a byte of a step of eight ("slicing by eight"). */
const tables = slicesOf(8);

/** The register after the UTF-8 bytes of this text. */
export function crcText(register: number, text: string): number {
  const { length } = text;
  let crc = register;
  let at = 0;
  for (const whole = length - 3; at < whole; at += 4) {
    const one = text.charCodeAt(at);
    const two = text.charCodeAt(at + 1);
    const three = text.charCodeAt(at + 2);
    const four = text.charCodeAt(at + 3);
    if ((one | two | three | four) > 0x7f) return crcBytes(crc, Buffer.from(text.slice(at)));
    crc = crcWord(crc ^ (one | (two << 8) | (three << 16) | (four << 24)));
  }
  for (; at < length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return crcBytes(crc, Buffer.from(text.slice(at)));
    crc = tables[(crc ^ unit) & 0xff]! ^ (crc >>> 8);
  }
  return crc;
}

/** The register after these bytes, or those of them from `from` to `end`. */
export function crcBytes(
  register: number,
  bytes: Uint8Array,
  from = 0,
  end = bytes.length,
): number {
  if (end - from >= crcNativeBytes) return ~crc32(bytes.subarray(from, end), ~register >>> 0);
  let crc = register;
  let at = from;
  for (const whole = end - 7; at < whole; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      tables[1792 + (crc & 0xff)]! ^
      tables[1536 + ((crc >>> 8) & 0xff)]! ^
      tables[1280 + ((crc >>> 16) & 0xff)]! ^
      tables[1024 + (crc >>> 24)]! ^
      tables[768 + bytes[at + 4]!]! ^
      tables[512 + bytes[at + 5]!]! ^
      tables[256 + bytes[at + 6]!]! ^
      tables[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = tables[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

/** The register after four bytes that are in it already, XORed. */
function crcWord(crc: number): number {
  return (
    tables[768 + (crc & 0xff)]! ^
    tables[512 + ((crc >>> 8) & 0xff)]! ^
    tables[256 + ((crc >>> 16) & 0xff)]! ^
    tables[crc >>> 24]!
  );
}

/**
 * For each number of zero bytes from 0 to `count - 1`, in turn: 256 registers, what a byte that these follow leaves
 * when the register was 0 before it.
 */
export function slicesOf(count: number): Int32Array {
  const slices = new Int32Array(count * 256);
  for (let value = 0; value < 256; value++) {
    let crc = value;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    slices[value] = crc;
  }
  for (let at = 256; at < slices.length; at++) {
    const before = slices[at - 256]!;
    slices[at] = slices[before & 0xff]! ^ (before >>> 8);
  }
  return slices;
}
