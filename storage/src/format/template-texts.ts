import type { Codes, Column, Values } from "../../../kit/src/block.ts";
import { checkStored } from "./damage.ts";
import { chunkBytesMax } from "./limits.ts";

/** Rows of one template: row i has its variables' value `ranks[i]` (i without), and becomes text `places[i]`. */
export interface TextGroup {
  readonly literals: readonly Buffer[];
  readonly variables: readonly Column[];
  readonly places: Uint32Array;
  readonly ranks: Uint32Array | undefined;
}

interface Part {
  readonly literal: Buffer;
  readonly isConst: boolean;
  readonly codes: Codes | undefined;
  readonly bytes: Buffer;
  readonly offsets: Uint32Array;
}

/** Puts variables into their templates: so many texts. */
export function renderTexts(groups: readonly TextGroup[], count: number): Values {
  const offsets = new Uint32Array(count + 1);
  const parts = groups.map(({ literals, variables }) =>
    variables.map((variable, i) => partOf(literals[i]!, variable)),
  );
  for (let g = 0; g < groups.length; g++) measure(groups[g]!, parts[g]!, offsets);
  let length = 0;
  for (let i = 1; i <= count; i++) {
    length += offsets[i]!;
    offsets[i] = length;
  }
  checkStored(length <= chunkBytesMax, "a column is too large", { length });
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let g = 0; g < groups.length; g++) render(groups[g]!, parts[g]!, bytes, offsets);
  return { bytes, offsets };
}

function partOf(literal: Buffer, variable: Column): Part {
  const { bytes, offsets } = variable.values();
  return { literal, isConst: variable.layout === "const", codes: variable.codes, bytes, offsets };
}

/** Adds the lengths of the group's texts to `offsets`, each at its place and one on. */
function measure(
  { literals, places, ranks }: TextGroup,
  parts: readonly Part[],
  offsets: Uint32Array,
): void {
  let fixed = 0;
  for (const literal of literals) fixed += literal.length;
  for (let i = 0; i < places.length; i++) offsets[places[i]! + 1] = fixed;
  for (const part of parts) measurePart(part, places, ranks, offsets);
}

function measurePart(
  { isConst, codes, offsets: ends }: Part,
  places: Uint32Array,
  ranks: Uint32Array | undefined,
  offsets: Uint32Array,
): void {
  for (let i = 0; i < places.length; i++) {
    const rank = ranks === undefined ? i : ranks[i]!;
    const value = isConst ? 0 : codes === undefined ? rank : codes[rank]!;
    offsets[places[i]! + 1]! += ends[value + 1]! - ends[value]!;
  }
}

function render(
  { literals, places, ranks }: TextGroup,
  parts: readonly Part[],
  bytes: Buffer,
  offsets: Uint32Array,
): void {
  const last = literals[parts.length]!;
  for (let i = 0; i < places.length; i++) {
    const rank = ranks === undefined ? i : ranks[i]!;
    let at = offsets[places[i]!]!;
    for (let k = 0; k < parts.length; k++) at = renderPart(parts[k]!, rank, bytes, at);
    copyBytes(last, 0, last.length, bytes, at);
  }
}

function renderPart(part: Part, rank: number, bytes: Buffer, at: number): number {
  at = copyBytes(part.literal, 0, part.literal.length, bytes, at);
  const value = part.isConst ? 0 : part.codes === undefined ? rank : part.codes[rank]!;
  return copyBytes(part.bytes, part.offsets[value]!, part.offsets[value + 1]!, bytes, at);
}

function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start;
  // A call costs more than a loop over a short value.
  if (length > 48) from.copy(to, at, start, end);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
  return at + length;
}
