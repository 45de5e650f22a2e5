/** Bytes that the grammars of the decoders name. */
export const byte = {
  tab: 0x09,
  lineFeed: 0x0a,
  carriageReturn: 0x0d,
  space: 0x20,
  quote: 0x22,
  plus: 0x2b,
  comma: 0x2c,
  minus: 0x2d,
  dot: 0x2e,
  slash: 0x2f,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/** 1 for what may stand in a string as it is; 0 for a quote, a backslash and control characters. */
const isPlain = new Uint8Array(256).fill(1, 0x20);
isPlain[byte.quote] = 0;
isPlain[byte.backslash] = 0;

/** The value of a hexadecimal digit; 255 for what is none. */
const hexValue = new Uint8Array(256).fill(255);
for (const [value, digit] of Buffer.from("0123456789abcdef").entries()) hexValue[digit] = value;
for (const [value, digit] of Buffer.from("ABCDEF").entries()) hexValue[digit] = value + 10;

/** What `\x` stands for; 0 for what is no short escape. */
const escapeValue = new Uint8Array(256);
for (const [name, value] of Object.entries({
  '"': 34,
  "\\": 92,
  "/": 47,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
})) {
  escapeValue[name.charCodeAt(0)] = value;
}

/*
 * All scans below rely on a zero byte after the text: it is neither white space nor plain nor a digit,
 * so that none of them runs past the end or has to compare with it.
 */

/** 1 for the white space of JSON; and for that within a line, where a line feed ends what is read. */
export const documentSpaces = new Uint8Array(256);
export const lineSpaces = new Uint8Array(256);
for (const space of [byte.space, byte.tab, byte.carriageReturn]) {
  documentSpaces[space] = 1;
  lineSpaces[space] = 1;
}
documentSpaces[byte.lineFeed] = 1;

/** The first position from `at` that is not white space. */
export function skipSpace(bytes: Uint8Array, at: number, spaces: Uint8Array): number {
  while (spaces[bytes[at] as number] === 1) at++;
  return at;
}

/** The first position from `at` (inside a string) that is a quote, a backslash or a control character. */
export function plainEnd(bytes: Uint8Array, at: number): number {
  while (isPlain[bytes[at] as number] === 1) at++;
  return at;
}

/** As `plainEnd`, four bytes at a time. `view` is over the same memory, which goes on for three bytes past the text. */
export function plainEndByWords(view: DataView, at: number): number {
  for (;;) {
    const plain = plainCount(view.getInt32(at, true));
    at += plain;
    if (plain < 4) return at;
  }
}

/**
 * How many of the four bytes of a little-endian word stand before the first that is not plain. A byte is zero, or less
 * than 0x21, where taking 1 or 0x21 from it borrows (Mycroft); the lowest such byte is exact. With the bit of 2 turned
 * over, a quote and the control characters are what is less than 0x21.
 */
export function plainCount(word: number): number {
  const low = word ^ 0x02020202;
  const backslashes = word ^ 0x5c5c5c5c;
  const found =
    (((low - 0x21212121) & ~low) | ((backslashes - 0x01010101) & ~backslashes)) & 0x80808080;
  return found === 0 ? 4 : (31 - Math.clz32(found & -found)) >> 3;
}

/** The end of the JSON number at `at`, or -1 when there is none. */
export function numberEnd(bytes: Uint8Array, at: number): number {
  if (bytes[at] === byte.minus) at++;
  const first = bytes[at] as number;
  if (!isDigit(first)) return -1;
  at++;
  if (first !== byte.zero) while (isDigit(bytes[at] as number)) at++;
  if (bytes[at] === byte.dot) {
    at++;
    if (!isDigit(bytes[at] as number)) return -1;
    while (isDigit(bytes[at] as number)) at++;
  }
  if (((bytes[at] as number) | 0x20) !== 0x65) return at;
  at++;
  if (bytes[at] === byte.plus || bytes[at] === byte.minus) at++;
  if (!isDigit(bytes[at] as number)) return -1;
  while (isDigit(bytes[at] as number)) at++;
  return at;
}

export function isDigit(c: number): boolean {
  return c >= byte.zero && c <= byte.nine;
}

/** True where `word` (ASCII) stands at `at`. */
export function hasWord(bytes: Uint8Array, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  return true;
}

/** Why a string cannot be read, by the negative number that `stringEnd` returned. */
export const stringFaults: Readonly<Record<number, string>> = {
  [-1]: "a string does not end",
  [-2]: "a control character in a string is not escaped",
  [-3]: "an escape in a string is not known",
  [-4]: "a string holds half of a surrogate pair",
};

/**
 * The position of the quote that ends the string whose content starts at `at`, all of its escapes checked;
 * negative for a fault, see `stringFaults`. `textEnd` tells a zero byte in the text from the one after it.
 */
export function stringEnd(bytes: Uint8Array, at: number, textEnd: number): number {
  for (;;) {
    at = plainEnd(bytes, at);
    const c = bytes[at] as number;
    if (c === byte.quote) return at;
    const code = escapeAt(bytes, at, textEnd);
    if (code < 0) return code;
    at += bytes[at + 1] !== 0x75 ? 2 : code > 0xffff ? 12 : 6;
  }
}

/**
 * The code point that the escape at `at` stands for: two bytes long, or six with a `u`, or twelve for a code point
 * past 0xffff. Negative for a fault, as `stringEnd`, which is also what anything but an escape is.
 */
export function escapeAt(bytes: Uint8Array, at: number, textEnd: number): number {
  const c = bytes[at] as number;
  if (c !== byte.backslash) return at >= textEnd || c === byte.lineFeed ? -1 : -2;
  const kind = bytes[at + 1] as number;
  if (kind !== 0x75) return escapeValue[kind] === 0 ? -3 : (escapeValue[kind] as number);
  const unit = hex4(bytes, at + 2);
  if (unit < 0) return -3;
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  if (unit > 0xdbff || bytes[at + 6] !== byte.backslash || bytes[at + 7] !== 0x75) return -4;
  const low = hex4(bytes, at + 8);
  if (low < 0xdc00 || low > 0xdfff) return -4;
  return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/** Appends a code point as UTF-8 and returns where it ends. */
export function putCodePoint(bytes: Uint8Array, to: number, code: number): number {
  if (code < 0x80) {
    bytes[to++] = code;
    return to;
  }
  if (code < 0x800) {
    bytes[to++] = 0xc0 | (code >> 6);
  } else {
    if (code < 0x10000) {
      bytes[to++] = 0xe0 | (code >> 12);
    } else {
      bytes[to++] = 0xf0 | (code >> 18);
      bytes[to++] = 0x80 | ((code >> 12) & 63);
    }
    bytes[to++] = 0x80 | ((code >> 6) & 63);
  }
  bytes[to++] = 0x80 | (code & 63);
  return to;
}

function hex4(bytes: Uint8Array, at: number): number {
  const a = hexValue[bytes[at] as number] as number;
  const b = hexValue[bytes[at + 1] as number] as number;
  const c = hexValue[bytes[at + 2] as number] as number;
  const d = hexValue[bytes[at + 3] as number] as number;
  // A digit that is none is 255: its high bits show in the union of all four.
  return (a | b | c | d) > 15 ? -1 : (a << 12) | (b << 8) | (c << 4) | d;
}
