import { isWordByte, wordsOf } from "../../../kit/src/tokens.ts";

/** Which ends of a text may go on within a value: there a first or last word need not be whole. */
export interface OpenEnds {
  readonly start: boolean;
  readonly end: boolean;
}

/** The words that a value has for certain when it contains the text. */
export function certainWords(text: string, open: OpenEnds): readonly string[] {
  const bytes = Buffer.from(text);
  let from = 0;
  let to = bytes.length;
  if (open.start) while (from < to && isWordByte[bytes[from] as number] === 1) from++;
  if (open.end) while (to > from && isWordByte[bytes[to - 1] as number] === 1) to--;
  return wordsOf(bytes.toString("utf8", from, to));
}

/** Whether a word may begin at `at`: what stands before it in the value is no part of a word. */
export function beginsWord(bytes: Buffer, from: number, at: number): boolean {
  return at === from || isWordByte[bytes[at - 1] as number] === 0;
}

/** Whether a word may end before `at`. */
export function endsWord(bytes: Buffer, at: number, to: number): boolean {
  return at === to || isWordByte[bytes[at] as number] === 0;
}

export function isWordStart(needle: Buffer): boolean {
  return isWordByte[needle[0] as number] === 1;
}

export function isWordEnd(needle: Buffer): boolean {
  return isWordByte[needle[needle.length - 1] as number] === 1;
}

/** Whether all of it is of one word. */
export function isWord(needle: Buffer): boolean {
  return needle.every((byte) => isWordByte[byte] === 1);
}
