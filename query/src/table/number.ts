/** Digits of the longest number that `printNumber` prints, and then some. */
const numberTextMax = 340;

/**
 * The number that the text `bytes[from … to]` is: decimal digits with an optional sign, fraction
 * and exponent; NaN for any other text, the empty one too.
 */
export function parseNumber(bytes: Buffer, from: number, to: number): number {
  const length = to - from;
  if (length === 0 || length > numberTextMax) return Number.NaN;
  let at = from;
  if (bytes[at] === 0x2d) at++;
  // Up to 15 digits are exact as a sum of products; anything else goes the long way.
  if (to - at <= 15 && at < to) {
    let whole = 0;
    while (at < to) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      whole = whole * 10 + digit;
      at++;
    }
    if (at === to) return bytes[from] === 0x2d ? -whole : whole;
  }
  const first = bytes[from] as number;
  if (first > 0x39 || (first < 0x30 && first !== 0x2d && first !== 0x2b && first !== 0x2e)) {
    return Number.NaN;
  }
  return numberOfText(bytes.toString("latin1", from, to));
}

const numberText = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** As `parseNumber`, of a string. */
export function numberOfText(text: string): number {
  return numberText.test(text) ? Number(text) : Number.NaN;
}

/** Plain decimal notation at any size, so that every reader of digits can read it; `NaN`, `+Inf`, `-Inf`. */
export function printNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  const text = String(value === 0 ? 0 : value);
  const exponentAt = text.indexOf("e");
  return exponentAt < 0 ? text : plainDecimal(text, exponentAt);
}

function plainDecimal(text: string, exponentAt: number): string {
  const exponent = Number(text.slice(exponentAt + 1));
  const sign = text.startsWith("-") ? "-" : "";
  const [whole = "", fraction = ""] = text.slice(sign.length, exponentAt).split(".");
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, "0")}`;
}
