import { ByteReader } from "./byte-reader.ts";
import type { Grams } from "./grams.ts";
import { chunkBytesMax, listDictValuesMax } from "./limits.ts";
import { PayloadReader } from "./streams.ts";
import { listKind } from "./value-list.ts";

/** What is told of a list's values without reading them. */
export interface ListTexts {
  /** They lie in the text payload. Else all of them but digits stands in the description. */
  readonly isText: boolean;
  /** Of ids: what they have in common, with 0 where a lower-case hexadecimal digit stands. */
  readonly pattern: Buffer | undefined;
}

const asText: ListTexts = { isText: true, pattern: undefined };
const described: ListTexts = { isText: false, pattern: undefined };

/** Looks at the description of a list. */
export function listTexts(head: Buffer): ListTexts {
  const at = kindAt(head);
  const kind = head[at];
  if (kind === listKind.const || kind === listKind.shapes) return described;
  if (kind !== listKind.hex) return asText;
  return { isText: false, pattern: new ByteReader(head.subarray(at + 1)).blob() };
}

/** Where the kind of a list stands, or of the list of a dictionary's values, which follows their number. */
function kindAt(head: Buffer): number {
  let at = 0;
  while (head[at] === listKind.dict) {
    at++;
    while ((head[at] ?? 0) >= 0x80) at++;
    at++;
  }
  return at;
}

/**
 * Whether a value of a list may have these bytes, none of which is a decimal digit; `text` is asked for its text payload
 * only where values lie there.
 */
export function listMayHold(head: Buffer, piece: Buffer, text: () => Buffer): boolean {
  if (head.includes(piece)) return true;
  const { isText, pattern } = listTexts(head);
  if (pattern !== undefined) return patternMayHold(pattern, piece);
  return isText && text().includes(piece);
}

/** Adds what the values of a list of so many have, decimal digits left out where they are not stored as text. */
export function addListGrams(head: Buffer, count: number, text: () => Buffer, grams: Grams): void {
  const { isText, pattern } = listTexts(head);
  if (pattern !== undefined) grams.addPattern(pattern);
  if (!isText) {
    grams.add(head);
    return;
  }
  const at = kindAt(head);
  const from = new ByteReader(head.subarray(at + 1));
  const length = from.count(chunkBytesMax);
  const values = at === 0 ? count : new ByteReader(head.subarray(1)).count(listDictValuesMax);
  const payload = new PayloadReader(text());
  for (let i = 0; i < values; i++) payload.varint();
  grams.add(payload.take(length));
}

/** Whether a value of the pattern may have these bytes. */
export function patternMayHold(pattern: Buffer, piece: Buffer): boolean {
  for (let at = 0; at + piece.length <= pattern.length; at++) {
    let i = 0;
    while (i < piece.length && fits(pattern[at + i]!, piece[i]!)) i++;
    if (i === piece.length) return true;
  }
  return false;
}

function fits(inPattern: number, byte: number): boolean {
  return inPattern === 0 ? byte >= letterA && byte <= letterF : inPattern === byte;
}

const letterA = 0x61;
const letterF = 0x66;
