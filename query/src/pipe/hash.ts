const prime1 = 0x9e3779b185ebca87n;
const prime2 = 0xc2b2ae3d27d4eb4fn;
const prime3 = 0x165667b19e3779f9n;
const prime4 = 0x85ebca77c2b2ae63n;
const prime5 = 0x27d4eb2f165667c5n;

function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function rotated(value: bigint, bits: bigint): bigint {
  return u64(value << bits) | (value >> (64n - bits));
}

function round(lane: bigint, input: bigint): bigint {
  return u64(rotated(u64(lane + input * prime2), 31n) * prime1);
}

/** XXH64 with seed 0, as the xxHash specification has it; `pipe hash` shows the same number as other LogsQL engines. */
export function xxHash64(bytes: Buffer): bigint {
  let at = 0;
  let hash = prime5;
  if (bytes.length >= 32) {
    let lanes = [u64(prime1 + prime2), prime2, 0n, u64(-prime1)];
    for (; at + 32 <= bytes.length; at += 32) {
      lanes = lanes.map((lane, i) => round(lane, bytes.readBigUInt64LE(at + 8 * i)));
    }
    hash = [1n, 7n, 12n, 18n].reduce((sum, bits, i) => sum + rotated(lanes[i] as bigint, bits), 0n);
    hash = lanes.reduce((sum, lane) => u64((u64(sum) ^ round(0n, lane)) * prime1 + prime4), hash);
  }
  hash = u64(hash + BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8) {
    hash ^= round(0n, bytes.readBigUInt64LE(at));
    hash = u64(rotated(hash, 27n) * prime1 + prime4);
  }
  if (at + 4 <= bytes.length) {
    hash ^= u64(BigInt(bytes.readUInt32LE(at)) * prime1);
    hash = u64(rotated(hash, 23n) * prime2 + prime3);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash ^= u64(BigInt(bytes[at] as number) * prime5);
    hash = u64(rotated(hash, 11n) * prime1);
  }
  hash = u64((hash ^ (hash >> 33n)) * prime2);
  hash = u64((hash ^ (hash >> 29n)) * prime3);
  return hash ^ (hash >> 32n);
}
