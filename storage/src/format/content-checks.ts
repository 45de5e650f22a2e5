import type { Bounds, Codes } from "../../../kit/src/block.ts";
import { checkStored } from "./damage.ts";

/** Stream codes from numbers that must be some. */
export function streamCodesOf(numbers: Float64Array, count: number): Codes {
  const isRight = numbers.every((code) => code >= 0 && code < count && Number.isInteger(code));
  checkStored(isRight, "the stream codes of a block are wrong");
  if (count <= 256) return Uint8Array.from(numbers);
  return count <= 65_536 ? Uint16Array.from(numbers) : Uint32Array.from(numbers);
}

/** Whether a whole number within the bounds can print as this word, a minus sign being none of it. */
export function mayBePrinted(token: string, bounds: Bounds | undefined): boolean {
  if (!/^\d{1,15}$/.test(token)) return false;
  if (bounds === undefined) return true;
  const number = Number(token);
  const isWithin = number >= bounds.min && number <= bounds.max;
  return isWithin || (-number >= bounds.min && -number <= bounds.max);
}
