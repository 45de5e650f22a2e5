const modulus = 65_521;

/**
 * Bytes that are summed at once, as 22 words of four. Lanes of 16 bits hold two sums each: the sum of the sums of 22
 * bytes is 255 × 253 at most, which is just below 2^16.
 */
const blockBytes = 88;
const lanes = 0xff_00ff;

/**
 * Adler-32, which guards each txn and each snapshot. Unsigned. Pass the result of the bytes before as `seed`
 * to continue. By words where there are many bytes, each word a sum of four lanes: a third of the time.
 */
export function adler32(bytes: Uint8Array, start = 0, end = bytes.length, seed = 1): number {
  let a = seed & 0xffff;
  let b = seed >>> 16;
  let at = start;
  if (end - at >= blockBytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (; end - at >= blockBytes; at += blockBytes) {
      // Of the bytes at even and at odd places, and of these sums after each word.
      let evens = 0;
      let odds = 0;
      let evensSum = 0;
      let oddsSum = 0;
      for (let word = at; word < at + blockBytes; word += 8) {
        const one = view.getInt32(word, true);
        evens += one & lanes;
        odds += (one >>> 8) & lanes;
        evensSum = (evensSum + evens) | 0;
        oddsSum = (oddsSum + odds) | 0;
        const two = view.getInt32(word + 4, true);
        evens += two & lanes;
        odds += (two >>> 8) & lanes;
        evensSum = (evensSum + evens) | 0;
        oddsSum = (oddsSum + odds) | 0;
      }
      const byWord = lanesSum(evensSum) + lanesSum(oddsSum);
      // A byte counts once for each that follows it: within its word up to three times less than the word's first.
      const within = (odds & 0xffff) + 2 * (evens >>> 16) + 3 * (odds >>> 16);
      b = (b + blockBytes * a + 4 * byWord - within) % modulus;
      a = (a + lanesSum(evens) + lanesSum(odds)) % modulus;
    }
  }
  for (; at < end; at++) {
    a += bytes[at] as number;
    b += a;
  }
  return (b % modulus) * 0x10000 + (a % modulus);
}

function lanesSum(word: number): number {
  return (word & 0xffff) + (word >>> 16);
}
