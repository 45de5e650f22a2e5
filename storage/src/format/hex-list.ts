import { checkStored } from "./damage.ts";
import { hexDigitsMax, hexDigitsMin } from "./limits.ts";
import type { ColumnSource } from "./streams.ts";
import type { ListOutput, Ranges } from "./value-list.ts";

/** Values alike but for lower-case hexadecimal digits at the same places: ids, UUIDs, addresses. */
export interface HexPattern {
  /** The first value, with 0 where the digits are: so many bytes. Valid until the next is looked for. */
  readonly pattern: Buffer;
  readonly length: number;
  readonly digits: number;
}

const patternBytes = Buffer.alloc(hexDigitsMax * 2);

const digitOf = new Int8Array(256).fill(-1);
for (const [i, char] of [..."0123456789abcdef"].entries()) digitOf[char.charCodeAt(0)] = i;
const charOf = Buffer.from("0123456789abcdef");

/** After so many values without a letter they are taken for decimal numbers. */
const plainMax = 64;

/** The pattern of the values, if they have one and are neither short nor plain numbers. */
export function hexOf({ bytes, starts, ends, count }: Ranges): HexPattern | undefined {
  const length = ends[0]! - starts[0]!;
  if (length < hexDigitsMin || length > hexDigitsMax * 2) return undefined;
  const pattern = patternBytes;
  const digits = maskDigits(bytes, starts[0]!, length, pattern);
  if (digits < hexDigitsMin || digits > hexDigitsMax) return undefined;
  let hasLetter = false;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    if (ends[i]! - start !== length) return undefined;
    const letters = lettersOf(bytes, start, pattern, length);
    if (letters < 0) return undefined;
    if (letters > 0) hasLetter = true;
    else if (i === plainMax && !hasLetter) return undefined;
  }
  return hasLetter ? { pattern, length, digits } : undefined;
}

/** Copies a value, runs of at least four hexadecimal digits as 0, and returns how many digits those are. */
function maskDigits(bytes: Buffer, start: number, length: number, pattern: Buffer): number {
  let digits = 0;
  let run = 0;
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + i]!;
    pattern[i] = byte;
    run = digitOf[byte]! >= 0 ? run + 1 : 0;
    if (run === 4) {
      pattern[i - 3] = pattern[i - 2] = pattern[i - 1] = pattern[i] = 0;
      digits += 4;
    } else if (run > 4) {
      pattern[i] = 0;
      digits++;
    }
  }
  return digits;
}

/** How many of the digits are letters; -1 when the value is not of the pattern. */
function lettersOf(bytes: Buffer, start: number, pattern: Buffer, length: number): number {
  let letters = 0;
  for (let i = 0; i < length; i++) {
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
  { pattern, length, digits }: HexPattern,
  { out, packed }: ListOutput,
): void {
  out.range(pattern, 0, length);
  const room = packed.reserve((count * digits + 1) >>> 1);
  let to = room.at;
  let half = -1;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    for (let k = 0; k < length; k++) {
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
