/*
 * The CRC-32 of two stretches of bytes one behind the other, from those of each: zlib's crc32_combine. A CRC is a
 * remainder of polynomials over GF(2), so that what follows multiplies it by a power of x.
 */

/** The polynomial of CRC-32, its lowest power in the highest bit, as all polynomials here. */
const polynomial = 0xedb88320;

/** x to the power of 2 to the power of n. */
const powers = new Uint32Array(32);
powers[0] = 1 << 30;
for (let n = 1; n < 32; n++) {
  powers[n] = product(powers[n - 1] as number, powers[n - 1] as number);
}

/** The CRC-32 of what `first` is the CRC-32 of, followed by `secondLength` bytes that have the CRC-32 `second`. */
export function crcJoined(first: number, second: number, secondLength: number): number {
  let shift = 1 << 31;
  // A byte is eight powers of x, and eight the third power of two.
  for (let n = 3, left = secondLength; left > 0; n++, left = Math.floor(left / 2)) {
    if (left % 2 === 1) shift = product(powers[n & 31] as number, shift);
  }
  return (product(shift, first) ^ second) >>> 0;
}

/** The product of two polynomials modulo that of CRC-32. */
function product(a: number, b: number): number {
  let sum = 0;
  for (let bit = 31; bit >= 0; bit--) {
    if (((a >>> bit) & 1) === 1) sum ^= b;
    b = (b & 1) === 1 ? (b >>> 1) ^ polynomial : b >>> 1;
  }
  return sum >>> 0;
}
