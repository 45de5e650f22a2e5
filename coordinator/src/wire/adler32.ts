const modulus = 65_521;

/** Bytes that can be summed before the second sum leaves 32 bits (zlib's NMAX). */
const stretch = 5_552;

/**
 * Adler-32, which guards each txn and each snapshot. Unsigned. Pass the result of the bytes before as `seed`
 * to continue.
 */
export function adler32(bytes: Uint8Array, start = 0, end = bytes.length, seed = 1): number {
  let a = seed & 0xffff;
  let b = seed >>> 16;
  let at = start;
  while (at < end) {
    const stop = Math.min(end, at + stretch);
    for (; at < stop; at++) {
      a += bytes[at] as number;
      b += a;
    }
    a %= modulus;
    b %= modulus;
  }
  return b * 0x10000 + a;
}
