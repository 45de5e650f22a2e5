import type { FieldNames } from "../../../storage/src/format/field-names.ts";
import { isSame, viewOf } from "../../../storage/src/format/words.ts";
import { shapeChildrenMax, shapeFieldsMax, shapeMissesMax, shapeNodesMax } from "../limits.ts";
import { DecodeFault } from "./fault.ts";
import type { JsonReader } from "./json-reader.ts";
import { byte, hasWord, isDigit, numberEnd, plainEndByWords } from "./json-scan.ts";
import type { LineTrace } from "./line-trace.ts";
import type { RecordFields } from "./record.ts";

/** Lines whose values stand between the same bytes: same names, same nesting, same white space. */
export interface LineShape {
  /** Unique until the shapes are forgotten. */
  readonly id: number;
  /** The name of each value, all different. */
  readonly nameIds: Int32Array;
}

/**
 * Knows lines by what stands between their values. Writers write their lines alike, so nearly every line is a
 * shape that was met before: then only its values are looked at, and its names are compared four bytes at a time
 * with the ones expected. Sound because what a JSON parser expects next depends on the bytes between the values
 * and never on the values; each such run of bytes was read in full by `JsonRecords` when the shape was learned.
 * Bounded: full of shapes that do not come again, it starts anew.
 */
export class LineShapes {
  readonly #reader: JsonReader;
  readonly #record: RecordFields;
  readonly #names: FieldNames;
  #root = new ShapeNode();
  #nodeCount = 0;
  #shapeCount = 0;
  #misses = 0;
  #generation = -1;
  /** How often everything was forgotten: shapes of different numbers never meet. */
  forgotten = 0;
  /** Where the line that was read last ends: at its line feed. */
  end = 0;
  /** Bytes of its values. */
  valueBytes = 0;

  constructor(reader: JsonReader, record: RecordFields, names: FieldNames) {
    this.#reader = reader;
    this.#record = record;
    this.#names = names;
  }

  /** To be called before the lines of a body: ids of names may have changed since the last. */
  begin(): void {
    const isOutdated = this.#generation !== this.#names.generation;
    if (isOutdated || this.#misses > shapeMissesMax) this.#forget();
    this.#generation = this.#names.generation;
  }

  /**
   * Reads the line that begins at `at` if it is of a known shape: its values then lie in the record, and the names
   * in the shape. Undefined: it is not, and is to be read in full.
   */
  read(at: number): LineShape | undefined {
    const { bytes, view } = this.#reader.source;
    const { starts, ends } = this.#record;
    let valueBytes = 0;
    let node: ShapeNode | undefined = this.#root;
    for (let slot = 0; ; slot++) {
      node = nextNode(node, view, at);
      if (node === undefined) return undefined;
      at += node.length;
      if (node.shape !== undefined) {
        this.end = at - 1;
        this.valueBytes = valueBytes;
        return node.shape;
      }
      let end: number;
      if (node.isText) {
        end = plainEndByWords(view, at);
        if (bytes[end] !== byte.quote) {
          end = this.#escaped(at, end, slot);
          if (end < 0) return undefined;
        } else {
          starts[slot] = at;
          ends[slot] = end;
        }
      } else {
        end = this.#other(at, slot);
        if (end < 0) return undefined;
      }
      valueBytes += (ends[slot] as number) - (starts[slot] as number);
      at = end;
    }
  }

  /** Reads a string with escapes, whose content begins at `at`; returns where its last quote stands, or -1. */
  #escaped(at: number, plainThrough: number, slot: number): number {
    const reader = this.#reader;
    if (reader.source.bytes[plainThrough] !== byte.backslash) return -1;
    try {
      const after = reader.unescape(at, plainThrough);
      this.#record.starts[slot] = reader.start;
      this.#record.ends[slot] = reader.end;
      return after - 1;
    } catch (thrown) {
      return unread(thrown);
    }
  }

  /** Reads a number, a word or an array; returns where it ends, or -1. */
  #other(at: number, slot: number): number {
    const { bytes } = this.#reader.source;
    const { starts, ends } = this.#record;
    const c = bytes[at] as number;
    let end: number;
    if (isDigit(c) || c === byte.minus) {
      end = numberEnd(bytes, at);
    } else if (hasWord(bytes, at, "null")) {
      starts[slot] = 0;
      ends[slot] = 0;
      return at + 4;
    } else {
      end = c === byte.openBrace ? -1 : this.#skip(at);
    }
    starts[slot] = at;
    ends[slot] = end;
    return end;
  }

  #skip(at: number): number {
    try {
      return this.#reader.skipValue(at);
    } catch (thrown) {
      return unread(thrown);
    }
  }

  /** Learns the shape of the line `start … end`, which was read in full and ends with a line feed. */
  learn(trace: LineTrace, start: number, end: number): void {
    this.#misses++;
    const { bytes } = this.#reader.source;
    if (!trace.isWhole || trace.count > shapeFieldsMax || bytes[end] !== byte.lineFeed) return;
    const nameIds = trace.nameIds.slice(0, trace.count);
    if (new Set(nameIds).size < nameIds.length) return;
    let node: ShapeNode | undefined = this.#root;
    let at = start;
    for (let i = 0; i < trace.count && node !== undefined; i++) {
      const before = bytes.subarray(at, trace.starts[i]);
      node = this.#child(node, before, trace.isText[i] === 1);
      at = trace.ends[i] as number;
    }
    const last = node && this.#child(node, bytes.subarray(at, end + 1), false);
    if (last !== undefined) last.shape ??= { id: this.#shapeCount++, nameIds };
  }

  #child(node: ShapeNode, bytes: Uint8Array, isText: boolean): ShapeNode | undefined {
    const known = node.children.find((each) => each.isOf(bytes, isText));
    if (known !== undefined) return known;
    const isFull = this.#nodeCount >= shapeNodesMax || node.children.length >= shapeChildrenMax;
    if (isFull) return undefined;
    this.#nodeCount++;
    const child = new ShapeNode(bytes, isText);
    node.children.push(child);
    node.likely = child;
    return child;
  }

  #forget(): void {
    this.#root = new ShapeNode();
    this.#nodeCount = 0;
    this.#shapeCount = 0;
    this.#misses = 0;
    this.forgotten++;
  }
}

/** The bytes before a value, or those after the last one, where `shape` is what came to its end. */
class ShapeNode {
  readonly length: number;
  readonly isText: boolean;
  readonly children: ShapeNode[] = [];
  /** The child that came last. */
  likely: ShapeNode | undefined = undefined;
  shape: LineShape | undefined = undefined;
  /** The first four bytes, fewer under a mask; the next four, those after them, and the last four. */
  readonly first: number;
  readonly firstMask: number;
  readonly second: number;
  readonly third: number;
  readonly last: number;
  /** All of them: there are rarely more than sixteen. */
  readonly bytes: DataView;

  constructor(bytes: Uint8Array = new Uint8Array(0), isText = false) {
    const padded = new Uint8Array(Math.max(12, bytes.length));
    padded.set(bytes);
    this.length = bytes.length;
    this.isText = isText;
    this.bytes = viewOf(padded);
    this.first = this.bytes.getInt32(0, true);
    this.firstMask = bytes.length < 4 ? (1 << (8 * bytes.length)) - 1 : -1;
    this.second = this.bytes.getInt32(4, true);
    this.third = this.bytes.getInt32(8, true);
    this.last = this.bytes.getInt32(Math.max(0, bytes.length - 4), true);
  }

  isOf(bytes: Uint8Array, isText: boolean): boolean {
    if (this.isText !== isText || this.length !== bytes.length) return false;
    return isSame(viewOf(bytes), 0, bytes.length, this.bytes, 0);
  }
}

/** -1 for what cannot be read: the line is read once more in full, which tells what is wrong with it. */
function unread(thrown: unknown): number {
  if (!(thrown instanceof DecodeFault)) throw thrown;
  return -1;
}

/** The node whose bytes stand at `at`, of those that have come after this one. */
function nextNode(node: ShapeNode, view: DataView, at: number): ShapeNode | undefined {
  const { likely } = node;
  if (likely !== undefined && standsAt(likely, view, at)) return likely;
  return otherNode(node, view, at);
}

function otherNode(node: ShapeNode, view: DataView, at: number): ShapeNode | undefined {
  const { children } = node;
  for (let i = 0; i < children.length; i++) {
    const child = children[i] as ShapeNode;
    if (!standsAt(child, view, at)) continue;
    node.likely = child;
    return child;
  }
  return undefined;
}

function standsAt(node: ShapeNode, view: DataView, at: number): boolean {
  if ((view.getInt32(at, true) & node.firstMask) !== node.first) return false;
  const { length } = node;
  const end = at + length;
  if (length > 4) {
    if (length > 8 && view.getInt32(at + 4, true) !== node.second) return false;
    if (length > 12 && view.getInt32(at + 8, true) !== node.third) return false;
    if (view.getInt32(end - 4, true) !== node.last) return false;
    if (length > 16 && !isSame(view, at + 12, length - 16, node.bytes, 12)) return false;
  }
  // A string after what has come before other values only: there may be a node that has its quote too.
  return node.isText || view.getUint8(end) !== byte.quote;
}
