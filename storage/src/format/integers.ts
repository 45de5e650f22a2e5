import { checkStored } from "./damage.ts";

/**
 * Packs whole numbers: each as its distance from the smallest, or as the zigzag of its step from the
 * one before, whichever is smaller; in as few bytes as the largest needs, all first bytes first, then
 * all second bytes …, which compresses far better. What is no safe integer is packed as doubles.
 *
 *   u8 mode · u8 width · 6 bytes 0 · f64 base · planes
 */
const mode = { offset: 0, step: 1, double: 2 } as const;
const headerBytes = 16;
const exactMax = 2 ** 51;

export function packIntegers(values: Float64Array): Buffer {
  const { min, max, stepMax, isExact } = measure(values);
  if (!isExact) return packDoubles(values);
  const offsetWidth = widthOf(max - min);
  const stepWidth = stepMax > exactMax ? 8 : widthOf(stepMax);
  const first = values[0] ?? 0;
  // Steps of the same width still compress better when they are small against the range.
  const useSteps =
    stepWidth < offsetWidth || (stepWidth === offsetWidth && stepMax < (max - min) / 8);
  const width = useSteps ? stepWidth : offsetWidth;
  const out = Buffer.allocUnsafeSlow(headerBytes + values.length * width).fill(0, 0, headerBytes);
  out[0] = useSteps ? mode.step : mode.offset;
  out[1] = width;
  out.writeDoubleLE(useSteps ? first : min, 8);
  const planes = out.subarray(headerBytes);
  if (useSteps) packSteps(values, planes, width);
  else packOffsets(values, min, planes, width);
  return out;
}

export function unpackIntegers(bytes: Buffer, count: number): Float64Array {
  checkStored(bytes.length >= headerBytes, "packed numbers are cut short");
  const how = bytes[0] as number;
  const width = bytes[1] as number;
  checkStored(
    width <= 8 && bytes.length === headerBytes + count * width,
    "packed numbers are cut short",
  );
  const base = bytes.readDoubleLE(8);
  const planes = bytes.subarray(headerBytes);
  const values = new Float64Array(count);
  if (how === mode.double) {
    checkStored(width === 8, "packed doubles have eight bytes");
    unpackDoubles(planes, values);
    return values;
  }
  checkStored(how === mode.offset || how === mode.step, "numbers are packed in an unknown way");
  readPlanes(planes, values, width);
  if (how === mode.offset) for (let i = 0; i < count; i++) values[i] = base + (values[i] as number);
  else addSteps(values, base, width <= 4);
  return values;
}

function measure(values: Float64Array) {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let stepMax = 0;
  let isExact = true;
  let before = values[0] ?? 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value < min) min = value;
    if (value > max) max = value;
    const step = value >= before ? (value - before) * 2 : (before - value) * 2 - 1;
    if (step > stepMax) stepMax = step;
    if (value !== Math.trunc(value) || (value === 0 && 1 / value < 0)) isExact = false;
    before = value;
  }
  if (values.length === 0) return { min: 0, max: 0, stepMax: 0, isExact: true };
  // Negated so that NaN counts as not exact.
  if (!(min >= -exactMax && max <= exactMax)) isExact = false;
  return { min, max, stepMax, isExact };
}

function widthOf(largest: number): number {
  let width = 0;
  while (largest >= 1) {
    largest /= 256;
    width++;
  }
  return width;
}

function packOffsets(values: Float64Array, min: number, planes: Buffer, width: number): void {
  const count = values.length;
  if (width <= 4) {
    for (let i = 0; i < count; i++) writeLow(planes, i, count, width, (values[i] as number) - min);
  } else {
    for (let i = 0; i < count; i++) writeWide(planes, i, count, width, (values[i] as number) - min);
  }
}

function packSteps(values: Float64Array, planes: Buffer, width: number): void {
  const count = values.length;
  let before = values[0] ?? 0;
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    const step = value >= before ? (value - before) * 2 : (before - value) * 2 - 1;
    if (width <= 4) writeLow(planes, i, count, width, step);
    else writeWide(planes, i, count, width, step);
    before = value;
  }
}

function writeLow(planes: Buffer, i: number, count: number, width: number, value: number): void {
  const low = value >>> 0;
  for (let plane = 0; plane < width; plane++) planes[plane * count + i] = low >>> (plane * 8);
}

function writeWide(planes: Buffer, i: number, count: number, width: number, value: number): void {
  const high = Math.floor(value / 4294967296);
  writeLow(planes, i, count, 4, value % 4294967296);
  for (let plane = 4; plane < width; plane++) {
    planes[plane * count + i] = high >>> ((plane - 4) * 8);
  }
}

function readPlanes(planes: Buffer, values: Float64Array, width: number): void {
  const count = values.length;
  if (width === 1) readPlane(planes, values);
  else if (width === 2) readPlanes2(planes, values);
  else if (width === 3) readPlanes3(planes, values);
  else {
    let scale = 1;
    for (let plane = 0; plane < width; plane++) {
      addPlane(planes, plane * count, values, scale);
      scale *= 256;
    }
  }
}

function readPlane(planes: Buffer, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i] = planes[i]!;
}

function readPlanes2(planes: Buffer, values: Float64Array): void {
  const count = values.length;
  for (let i = 0; i < count; i++) values[i] = planes[i]! | (planes[count + i]! << 8);
}

function readPlanes3(planes: Buffer, values: Float64Array): void {
  const count = values.length;
  for (let i = 0; i < count; i++) {
    values[i] = planes[i]! | (planes[count + i]! << 8) | (planes[2 * count + i]! << 16);
  }
}

function addPlane(planes: Buffer, from: number, values: Float64Array, scale: number): void {
  for (let i = 0; i < values.length; i++) values[i]! += planes[from + i]! * scale;
}

/** From zigzag steps to the numbers that they lead to; `isSmall`: none has more than 32 bits. */
export function addSteps(values: Float64Array, base: number, isSmall: boolean): void {
  if (isSmall) addSmallSteps(values, base);
  else addAnySteps(values, base);
}

/** Remainders of doubles cost ten times as much as bits. */
function addSmallSteps(values: Float64Array, base: number): void {
  let value = base;
  for (let i = 0; i < values.length; i++) {
    const step = values[i]! >>> 0;
    value += (step & 1) === 0 ? step >>> 1 : -(step >>> 1) - 1;
    values[i] = value;
  }
}

function addAnySteps(values: Float64Array, base: number): void {
  let value = base;
  for (let i = 0; i < values.length; i++) {
    const step = values[i]!;
    value += step % 2 === 0 ? step / 2 : -(step + 1) / 2;
    values[i] = value;
  }
}

function packDoubles(values: Float64Array): Buffer {
  const count = values.length;
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const out = Buffer.allocUnsafeSlow(headerBytes + count * 8).fill(0, 0, headerBytes);
  out[0] = mode.double;
  out[1] = 8;
  for (let i = 0; i < count * 8; i++) {
    out[headerBytes + (i & 7) * count + (i >> 3)] = bytes[i] as number;
  }
  return out;
}

function unpackDoubles(planes: Buffer, values: Float64Array): void {
  const count = values.length;
  const bytes = Buffer.from(values.buffer);
  for (let i = 0; i < count * 8; i++) bytes[i] = planes[(i & 7) * count + (i >> 3)] as number;
}
