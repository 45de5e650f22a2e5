import { parseDurationNanos } from "./duration.ts";

// Underscores stand between digits: `42_` is a word.
const plain = /^[+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const based = /^([+-]?)0(?:x[\da-f]+(?:_[\da-f]+)*|b[01]+(?:_[01]+)*|o[0-7]+(?:_[0-7]+)*)$/i;
const sized = /^([+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+))([KMGT]i?B?|B)$/;
const infinite = /^([+-]?)inf(?:inity)?$/i;

const sizes: Readonly<Record<string, number>> = {
  B: 1,
  K: 1e3,
  Ki: 2 ** 10,
  M: 1e6,
  Mi: 2 ** 20,
  G: 1e9,
  Gi: 2 ** 30,
  T: 1e12,
  Ti: 2 ** 40,
};

/**
 * The number that a text stands for: `10`, `-1.5e3`, `1_000`, `0x1f`, sizes as `10KB` (thousands) and
 * `10KiB` (1,024), durations as `1.5s` in nanoseconds, `Inf`. Undefined for any other text.
 */
export function parseNumeric(text: string): number | undefined {
  if (text.length > 64) return undefined;
  if (plain.test(text)) return Number(text.replaceAll("_", ""));
  const size = sized.exec(text);
  if (size !== null) {
    const [, digits = "", unit = ""] = size;
    const factor = sizes[unit === "B" ? unit : unit.replace("B", "")];
    return Number(digits.replaceAll("_", "")) * (factor as number);
  }
  const infinity = infinite.exec(text);
  if (infinity !== null) return infinity[1] === "-" ? -Infinity : Infinity;
  const base = based.exec(text);
  if (base !== null) {
    const magnitude = Number(text.slice((base[1] as string).length).replaceAll("_", ""));
    if (Number.isNaN(magnitude)) return undefined;
    return base[1] === "-" ? -magnitude : magnitude;
  }
  const nanos = parseDurationNanos(text);
  return nanos === undefined ? undefined : Number(nanos);
}

const ipv4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** An IPv4 address as an unsigned 32-bit number; undefined for any other text. */
export function parseIpv4(text: string): number | undefined {
  const match = ipv4.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255) return undefined;
    address = address * 256 + Number(octet);
  }
  return address;
}

export function printIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}
