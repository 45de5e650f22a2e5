import { ByteReader } from "./byte-reader.ts";
import { type ReadFrame, readColumnRef } from "./frames.ts";
import { columnsMax } from "./limits.ts";
import { listTexts, patternMayHold } from "./list-pieces.ts";
import { variableKind } from "./template-encoder.ts";

/** Where the variables of one template are described. */
export interface DescribedVariables {
  readonly rowCount: number;
  readonly stored: Buffer;
  /** Where that lies in the directory. */
  readonly storedAt: number;
  readonly storedEnd: number;
}

/** Variables by template. */
export type VariableSet = ReadonlyMap<number, readonly number[]>;

/**
 * Which variables may hold some bytes, told by a search of what they are stored as: texts, the values of dictionaries
 * and what stands between numbers lie there as they are, digits may not.
 */
export class VariableIndex {
  readonly #directory: Buffer;
  readonly #templates: readonly DescribedVariables[];
  readonly #frame: ReadFrame;
  /** Text payloads in the order in which they lie, of each frame. */
  readonly #payloads = new Map<number, Payload[]>();
  /** Variables that are told by something else: another field, the record's time. */
  readonly #fields = new Map<number, Place[]>();
  readonly #times: Place[] = [];
  /** Variables that are ids: their letters lie as half bytes. */
  readonly #ids: IdPlace[] = [];
  #count = 0;

  constructor(directory: Buffer, templates: readonly DescribedVariables[], frame: ReadFrame) {
    this.#directory = directory;
    this.#templates = templates;
    this.#frame = frame;
    for (const [template, described] of templates.entries()) {
      if (described.rowCount > 0) this.#describe(template, described.stored);
    }
    for (const payloads of this.#payloads.values()) payloads.sort((a, b) => a.at - b.at);
  }

  /** Bytes in memory, about. */
  get byteSize(): number {
    return 1_000 + this.#count * 100;
  }

  /** Of what `storedPiece` gave. `fieldMayHold` tells it of another column, by its place. */
  holding(piece: Buffer, fieldMayHold: (ordinal: number, piece: Buffer) => boolean): VariableSet {
    const found = new Map<number, Set<number>>();
    const add = ({ template, index }: Place): void => {
      const known = found.get(template);
      if (known === undefined) found.set(template, new Set([index]));
      else known.add(index);
    };
    for (const [ordinal, places] of this.#fields) {
      if (fieldMayHold(ordinal, piece)) places.forEach(add);
    }
    const text = piece.toString("latin1");
    if (betweenDigits.some((each) => each.includes(text))) this.#times.forEach(add);
    for (const id of this.#ids) if (patternMayHold(id.pattern, piece)) add(id);
    this.#inDirectory(piece, add);
    for (const [ordinal, payloads] of this.#payloads) {
      inPayloads(this.#frame(ordinal), payloads, piece, add);
    }
    return new Map([...found].map(([template, indices]) => [template, [...indices]]));
  }

  #describe(template: number, stored: Buffer): void {
    const from = new ByteReader(stored);
    for (let index = 0; !from.isAtEnd; index++) {
      this.#count++;
      const kind = from.count(2);
      if (kind !== variableKind.list) {
        const ordinal = from.count(columnsMax);
        const places = kind === variableKind.field ? this.#fields.get(ordinal) : this.#times;
        if (places === undefined) this.#fields.set(ordinal, [{ template, index }]);
        else places.push({ template, index });
        continue;
      }
      const { text, head } = readColumnRef(from);
      const { isText, pattern } = listTexts(head);
      if (pattern !== undefined) this.#ids.push({ template, index, pattern });
      // Codes and numbers may lie there, too: nothing that is looked for.
      if (!isText || text.length === 0) continue;
      const payload = { template, index, at: text.at, end: text.at + text.length };
      const known = this.#payloads.get(text.frame);
      if (known === undefined) this.#payloads.set(text.frame, [payload]);
      else known.push(payload);
    }
  }

  /** What stands in a description tells of all variables of its template. */
  #inDirectory(piece: Buffer, add: (place: Place) => void): void {
    const directory = this.#directory;
    let template = 0;
    for (let at = directory.indexOf(piece); at >= 0; ) {
      while ((this.#templates[template]?.storedEnd ?? Infinity) <= at) template++;
      const described = this.#templates[template];
      if (described === undefined) return;
      const { storedAt, storedEnd } = described;
      const isText = at < storedAt;
      if (!isText && described.rowCount > 0) {
        const count = variableCount(described.stored);
        for (let index = 0; index < count; index++) add({ template, index });
      }
      // The texts of the template before its variables are no part of them.
      at = directory.indexOf(piece, Math.max(at + 1, isText ? storedAt : storedEnd));
    }
  }
}

/** What texts of times have between their digits. */
export const betweenDigits: readonly string[] = [
  ..."Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ").map((month) => `/${month}/`),
  ...[":", "-", "T", ".", "Z"],
];

interface Place {
  readonly template: number;
  readonly index: number;
}

interface IdPlace extends Place {
  readonly pattern: Buffer;
}

interface Payload extends Place {
  readonly at: number;
  readonly end: number;
}

function variableCount(stored: Buffer): number {
  const from = new ByteReader(stored);
  let count = 0;
  for (; !from.isAtEnd; count++) {
    if (from.count(2) === variableKind.list) readColumnRef(from);
    else from.varint();
  }
  return count;
}

function inPayloads(
  frame: Buffer,
  payloads: readonly Payload[],
  piece: Buffer,
  add: (place: Place) => void,
): void {
  let next = 0;
  for (let at = frame.indexOf(piece); at >= 0; ) {
    while (next < payloads.length && (payloads[next] as Payload).end <= at) next++;
    const payload = payloads[next];
    if (payload === undefined) return;
    if (payload.at <= at) add(payload);
    at = frame.indexOf(piece, payload.at <= at ? payload.end : at + 1);
  }
}

/** Shorter pieces are nearly everywhere: to look for them costs more than it spares. */
const pieceBytesMin = 3;

/** The longest part without digits, if it is no part of a hexadecimal number: such a part is stored as it is. */
export function storedPiece(bytes: Buffer): Buffer | undefined {
  const runs = bytes.toString("latin1").match(/[^0-9]+/g) ?? [];
  const longest = runs
    .filter((run) => run.length >= pieceBytesMin && /[^A-Fa-f]/.test(run))
    .sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : Buffer.from(longest, "latin1");
}
