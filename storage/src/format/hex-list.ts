import { checkStored } from "./damage.ts";
import { hexDigitsMax, hexDigitsMin } from "./limits.ts";
import type { ColumnSource } from "./streams.ts";
import type { ListOutput, Ranges } from "./value-list.ts";

/** Values alike but for lower-case hexadecimal digits at the same places: ids, UUIDs, addresses. */
export interface HexPattern {
  /** The first value, with 0 where the digits are. */
  readonly pattern: Buffer;
  readonly digits: number;
}

const digitOf = new Int8Array(256).fill(-1);
for (const [i, char] of [..."0123456789abcdef"].entries()) digitOf[char.charCodeAt(0)] = i;
const charOf = Buffer.from("0123456789abcdef");

/** After so many values without a letter they are taken for decimal numbers. */
const plainMax = 64;

/** The pattern of the values, if they have one and are neither short nor plain numbers. */
export function hexOf({ bytes, starts, ends, count }: Ranges): HexPattern | undefined {
  const length = ends[0]! - starts[0]!;
  if (length < hexDigitsMin || length > hexDigitsMax * 2) return undefined;
  const pattern = Buffer.from(bytes.subarray(starts[0], ends[0]));
  const digits = maskDigits(pattern);
  if (digits < hexDigitsMin || digits > hexDigitsMax) return undefined;
  let hasLetter = false;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    if (ends[i]! - start !== length) return undefined;
    const letters = lettersOf(bytes, start, pattern);
    if (letters < 0) return undefined;
    if (letters > 0) hasLetter = true;
    else if (i === plainMax && !hasLetter) return undefined;
  }
  return hasLetter ? { pattern, digits } : undefined;
}

/** Makes runs of at least four hexadecimal digits 0, and returns how many digits that were. */
function maskDigits(pattern: Buffer): number {
  let digits = 0;
  let at = 0;
  while (at < pattern.length) {
    let end = at;
    while (end < pattern.length && digitOf[pattern[end]!]! >= 0) end++;
    if (end - at >= 4) {
      pattern.fill(0, at, end);
      digits += end - at;
    }
    at = end + 1;
  }
  return digits;
}

/** How many of the digits are letters; -1 when the value is not of the pattern. */
function lettersOf(bytes: Buffer, start: number, pattern: Buffer): number {
  let letters = 0;
  for (let i = 0; i < pattern.length; i++) {
    const byte = bytes[start + i]!;
    const fixed = pattern[i]!;
    if (fixed !== 0) {
      if (fixed !== byte) return -1;
    } else {
      const digit = digitOf[byte]!;
      if (digit < 0) return -1;
      if (digit > 9) letters++;
    }
  }
  return letters;
}

/** Two digits a byte, value after value, the digits of odd ones running on. */
export function writeHex(
  { bytes, starts, count }: Ranges,
  { pattern, digits }: HexPattern,
  { out, packed }: ListOutput,
): void {
  out.blob(pattern);
  const room = packed.reserve((count * digits + 1) >>> 1);
  let to = room.at;
  let half = -1;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    for (let k = 0; k < pattern.length; k++) {
      if (pattern[k] !== 0) continue;
      const digit = digitOf[bytes[start + k]!]!;
      if (half < 0) half = digit;
      else {
        room.bytes[to++] = half * 16 + digit;
        half = -1;
      }
    }
  }
  if (half >= 0) room.bytes[to] = half * 16;
}

export function readHex(
  { head, packed }: ColumnSource,
  count: number,
): { bytes: Buffer; width: number } {
  const pattern = head.blob();
  const width = pattern.length;
  checkStored(width <= hexDigitsMax * 2, "a pattern of hexadecimal digits is too long");
  let digits = 0;
  for (const byte of pattern) if (byte === 0) digits++;
  const nibbles = packed.take((count * digits + 1) >>> 1);
  const bytes = Buffer.allocUnsafeSlow(count * width);
  let nibble = 0;
  let to = 0;
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < width; k++) {
      const fixed = pattern[k]!;
      if (fixed !== 0) bytes[to++] = fixed;
      else {
        const pair = nibbles[nibble >>> 1]!;
        bytes[to++] = charOf[(nibble++ & 1) === 0 ? pair >>> 4 : pair & 15]!;
      }
    }
  }
  return { bytes, width };
}
