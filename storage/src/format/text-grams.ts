import { isWordByte } from "../../../kit/src/tokens.ts";
import { ByteReader } from "./byte-reader.ts";
import { payloadOf, type ReadFrame, readColumnRef } from "./frames.ts";
import { Grams } from "./grams.ts";
import { columnsMax } from "./limits.ts";
import { addListGrams } from "./list-pieces.ts";
import { variableKind } from "./template-encoder.ts";
import { betweenDigits, type DescribedVariables } from "./variable-index.ts";

/** What stands in the literals and in the variables of a block's texts, decimal digits of variables left out. */
export interface TextGrams {
  readonly literals: Grams;
  /** Undefined: it cannot be told. */
  readonly variables: Grams | undefined;
}

export interface DescribedTemplate extends DescribedVariables {
  /** Where its text lies in the directory. */
  readonly start: number;
  readonly end: number;
}

/** Reads all texts that variables have. `addField` adds those of another column, by its place; false: it cannot tell. */
export function gatherGrams(
  directory: Buffer,
  templates: readonly DescribedTemplate[],
  frame: ReadFrame,
  addField: (ordinal: number, grams: Grams) => boolean,
): TextGrams {
  const literals = new Grams();
  const variables = new Grams();
  const fields = new Set<number>();
  let hasTimes = false;
  for (const { start, end, stored, rowCount } of templates) {
    if (rowCount === 0) continue;
    literals.add(directory.subarray(start, end));
    const from = new ByteReader(stored);
    while (!from.isAtEnd) {
      const kind = from.count(2);
      if (kind === variableKind.list) {
        const { head, text } = readColumnRef(from);
        addListGrams(head, rowCount, () => payloadOf(text, frame), variables);
        continue;
      }
      const ordinal = from.count(columnsMax);
      if (kind === variableKind.field) fields.add(ordinal);
      else hasTimes = true;
    }
  }
  if (hasTimes) for (const text of betweenDigits) variables.add(Buffer.from(text));
  const areTold = [...fields].every((ordinal) => addField(ordinal, variables));
  literals.shrink();
  variables.shrink();
  return { literals, variables: areTold ? variables : undefined };
}

/**
 * False only when none of the texts has these bytes. Pieces of a text adjoin where no word is cut, so what is within one
 * word stands within one piece.
 */
export function textsMayHold({ literals, variables }: TextGrams, bytes: Buffer): boolean {
  if (variables === undefined) return true;
  let gram = 0;
  let letters = 0;
  for (const byte of bytes) {
    gram = (gram << 8) | byte;
    letters = isWordByte[byte] === 1 && !isDigit(byte) ? letters + 1 : 0;
    if (letters >= 3 && !literals.has(gram) && !variables.has(gram)) return false;
  }
  return true;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
