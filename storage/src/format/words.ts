/*
 * Short stretches of bytes, four or eight at a time: the values of log records are some ten bytes long, for which a call
 * into the engine costs more than it does, and a loop over single bytes three times as much. The last ones are
 * taken whole and overlap the ones before, so that nothing is read beyond the stretch.
 */

/** Stretches from this length on are copied by the engine. */
const longBytes = 256;

/** A hash of `bytes[start … end)` whose low bits depend on all of them. */
export function hashOf(bytes: DataView, start: number, end: number): number {
  let hash = Math.imul(end - start, 0x9e3779b1);
  if (end - start < 4) {
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes.getUint8(at), 0x85ebca6b);
  } else {
    const last = end - 4;
    for (let at = start; at < last; at += 4) {
      hash = Math.imul(hash ^ bytes.getInt32(at, true), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ bytes.getInt32(last, true), 0x85ebca6b);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** True when `bytes[start … start + length)` is what `other` has at `at`. */
export function isSame(
  bytes: DataView,
  start: number,
  length: number,
  other: DataView,
  at: number,
): boolean {
  if (length < 4) {
    for (let i = 0; i < length; i++) {
      if (bytes.getUint8(start + i) !== other.getUint8(at + i)) return false;
    }
    return true;
  }
  const last = length - 4;
  for (let i = 0; i < last; i += 4) {
    if (bytes.getInt32(start + i, true) !== other.getInt32(at + i, true)) return false;
  }
  return bytes.getInt32(start + last, true) === other.getInt32(at + last, true);
}

/**
 * Copies `from[start … end)` to `to` at `at`; `fromBytes` and `toBytes` are the memory of the two. Only for UTF-8: eight
 * bytes go as a floating-point number, which an engine may change when it is none, and text never is such (its last
 * two bytes would be 0xf0 … 0xff and 0x7f or 0xff).
 */
export function copyBytes(
  from: DataView,
  fromBytes: Uint8Array,
  start: number,
  end: number,
  to: DataView,
  toBytes: Uint8Array,
  at: number,
): void {
  const length = end - start;
  if (length >= longBytes) {
    toBytes.set(fromBytes.subarray(start, end), at);
  } else if (length >= 8) {
    const last = length - 8;
    for (let i = 0; i < last; i += 8) {
      to.setFloat64(at + i, from.getFloat64(start + i, true), true);
    }
    to.setFloat64(at + last, from.getFloat64(start + last, true), true);
  } else if (length < 4) {
    for (let i = 0; i < length; i++) to.setUint8(at + i, from.getUint8(start + i));
  } else {
    const last = length - 4;
    to.setInt32(at, from.getInt32(start, true), true);
    to.setInt32(at + last, from.getInt32(start + last, true), true);
  }
}

/** The bytes as `hashOf` and the others read them. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
