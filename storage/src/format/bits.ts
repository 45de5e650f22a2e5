/**
 * Whole numbers in as many bits each as the largest needs, lowest bits first. More than 24 bits are cut: the low
 * 24 of all numbers first, then the next of all; each part begins at a byte, so that a step is one 32-bit operation.
 */
const partBits = 24;
const partScale = 2 ** partBits;

/** Bits that a number needs, 0 for 0; up to 53. */
export function bitsOf(largest: number): number {
  if (largest < 4294967296) return 32 - Math.clz32(largest);
  return 64 - Math.clz32(Math.floor(largest / 4294967296));
}

/** Bytes that so many numbers of a width take. */
export function packedLength(count: number, width: number): number {
  let length = 0;
  for (let rest = width; rest > 0; rest -= partBits) {
    length += Math.ceil((count * Math.min(rest, partBits)) / 8);
  }
  return length;
}

/** Packs `values[i] - base`, each below 2^width. */
export function packBits(
  values: Float64Array,
  count: number,
  base: number,
  width: number,
  out: Uint8Array,
  at: number,
): number {
  let scale = 1;
  for (let rest = width; rest > 0; rest -= partBits) {
    const bits = Math.min(rest, partBits);
    at =
      width <= 31
        ? packSmall(values, count, base, rest < width ? partBits : 0, bits, out, at)
        : packPart(values, count, base, scale, bits, out, at);
    scale *= partScale;
  }
  return at;
}

function packSmall(
  values: Float64Array,
  count: number,
  base: number,
  shift: number,
  bits: number,
  out: Uint8Array,
  at: number,
): number {
  const mask = 2 ** bits - 1;
  let waiting = 0;
  let held = 0;
  for (let i = 0; i < count; i++) {
    waiting |= ((((values[i] as number) - base) >>> shift) & mask) << held;
    held += bits;
    while (held >= 8) {
      out[at++] = waiting;
      waiting >>>= 8;
      held -= 8;
    }
  }
  if (held > 0) out[at++] = waiting;
  return at;
}

function packPart(
  values: Float64Array,
  count: number,
  base: number,
  scale: number,
  bits: number,
  out: Uint8Array,
  at: number,
): number {
  let waiting = 0;
  let held = 0;
  for (let i = 0; i < count; i++) {
    const high = Math.floor(((values[i] as number) - base) / scale);
    // What `%` gives, which is a call for doubles.
    const part = high - Math.floor(high / partScale) * partScale;
    waiting |= part << held;
    held += bits;
    while (held >= 8) {
      out[at++] = waiting;
      waiting >>>= 8;
      held -= 8;
    }
  }
  if (held > 0) out[at++] = waiting;
  return at;
}

/** Adds `base` to what was packed; `bytes` must be `packedLength` long. */
export function unpackBits(
  bytes: Uint8Array,
  out: Float64Array,
  base: number,
  width: number,
): void {
  out.fill(base);
  let scale = 1;
  let at = 0;
  for (let rest = width; rest > 0; rest -= partBits) {
    const bits = Math.min(rest, partBits);
    unpackPart(bytes, at, out, scale, bits);
    at += Math.ceil((out.length * bits) / 8);
    scale *= partScale;
  }
}

function unpackPart(
  bytes: Uint8Array,
  at: number,
  out: Float64Array,
  scale: number,
  bits: number,
): void {
  const mask = 2 ** bits - 1;
  let waiting = 0;
  let held = 0;
  for (let i = 0; i < out.length; i++) {
    while (held < bits) {
      waiting |= (bytes[at++] as number) << held;
      held += 8;
    }
    out[i]! += (waiting & mask) * scale;
    waiting >>>= bits;
    held -= bits;
  }
}
