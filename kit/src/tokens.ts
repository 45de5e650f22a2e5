/**
 * What a word is, for token filters and for word search alike: a run of letters, digits and
 * underscores. Bytes of 0x80 and above count as letters, so that a word of any script stays whole.
 */
export const isWordByte: Uint8Array = wordBytes();

function wordBytes(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const digit = byte >= 0x30 && byte <= 0x39;
    const upper = byte >= 0x41 && byte <= 0x5a;
    const lower = byte >= 0x61 && byte <= 0x7a;
    if (digit || upper || lower || byte === 0x5f || byte >= 0x80) table[byte] = 1;
  }
  return table;
}

/** The distinct words of a text, in order of first appearance. */
export function wordsOf(text: string): string[] {
  return [...new Set(wordListOf(text))];
}

/** All words of a text, in their order. */
export function wordListOf(text: string): readonly string[] {
  return text.match(/[\w\u0080-\u{10ffff}]+/gu) ?? [];
}
