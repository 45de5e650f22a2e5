import { costs } from "./filter.ts";
import type { ValueTest } from "./value-test.ts";

/** `:ipv4_range(10.0.0.0/8)`: the value is an address from `min` to `max`, both as 32-bit numbers and in it. */
export class Ipv4RangeTest implements ValueTest {
  readonly cost = costs.value;
  readonly needle = undefined;
  readonly others = [];
  readonly tokens = [];
  readonly matchesEmpty = false;
  readonly decidesAtFirst = true;
  readonly piecesDecide = false;
  readonly isInWord = false;
  readonly #min: number;
  readonly #max: number;

  constructor(min: number, max: number) {
    this.#min = min;
    this.#max = max;
  }

  matches(bytes: Buffer, from: number, to: number): boolean {
    const address = addressOf(bytes, from, to);
    return address >= this.#min && address <= this.#max;
  }
}

/** The address that the bytes spell, −1 when they spell none. */
function addressOf(bytes: Buffer, from: number, to: number): number {
  if (to - from < 7 || to - from > 15) return -1;
  let address = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x2e) {
      if (digits === 0 || ++dots > 3) return -1;
      address = address * 256 + octet;
      octet = 0;
      digits = 0;
      continue;
    }
    if (byte < 0x30 || byte > 0x39 || ++digits > 3) return -1;
    octet = octet * 10 + byte - 0x30;
    if (octet > 255) return -1;
  }
  return dots === 3 && digits > 0 ? address * 256 + octet : -1;
}
