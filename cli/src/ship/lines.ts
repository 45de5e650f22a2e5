import { isUtf8 } from "node:buffer";
import { lineMaxBytes } from "./limits.ts";

/** A line and where it stands: `end` lies behind its line feed. Offsets are bytes of the source. */
export interface Line {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Whether it held bytes that are no UTF-8, now U+FFFD. */
  readonly isRepaired: boolean;
}

const lineFeed = 10;
const carriageReturn = 13;

/** Cuts bytes, given in pieces of any size, into lines. A line end is LF or CR LF. */
export class LineSplitter {
  #offset: number;
  #rest: Buffer = Buffer.alloc(0);
  readonly #lineMaxBytes: number;

  /** `offset`: of the first byte that will be pushed. */
  constructor(offset: number, maxBytes: number = lineMaxBytes) {
    this.#offset = offset;
    this.#lineMaxBytes = maxBytes;
  }

  /** The lines that these bytes complete. */
  *push(bytes: Uint8Array): Generator<Line> {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // The search starts where the old bytes end: they are known to hold no line feed.
    let searched = this.#rest.length;
    let all = searched === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const feed = all.indexOf(lineFeed, searched);
      const length = feed < 0 ? all.length : feed;
      if (length > this.#lineMaxBytes) {
        const cut = characterStart(all, this.#lineMaxBytes);
        yield this.#take(all, cut, cut);
        all = all.subarray(cut);
        searched = Math.max(0, searched - cut);
      } else if (feed < 0) {
        break;
      } else {
        const isCrLf = feed > 0 && all[feed - 1] === carriageReturn;
        yield this.#take(all, isCrLf ? feed - 1 : feed, feed + 1);
        all = all.subarray(feed + 1);
        searched = 0;
      }
    }
    // A copy: the reader may use the memory of its chunk again.
    this.#rest = Buffer.from(all);
  }

  /** The last line, when it has no line feed. */
  end(): Line | undefined {
    if (this.#rest.length === 0) return undefined;
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    const isCr = rest[rest.length - 1] === carriageReturn;
    return this.#take(rest, isCr ? rest.length - 1 : rest.length, rest.length);
  }

  #take(all: Buffer, textEnd: number, end: number): Line {
    const start = this.#offset;
    this.#offset += end;
    // A byte order mark is the file's and not the first record's.
    const hasMark = start === 0 && all[0] === 0xef && all[1] === 0xbb && all[2] === 0xbf;
    const bytes = all.subarray(hasMark ? Math.min(3, textEnd) : 0, textEnd);
    return {
      text: bytes.toString("utf8"),
      start,
      end: this.#offset,
      isRepaired: !isUtf8(bytes),
    };
  }
}

/** The last place at or before `at` where a character of UTF-8 begins. */
function characterStart(bytes: Buffer, at: number): number {
  for (let back = 0; back < 4 && at - back > 1; back++) {
    if (((bytes[at - back] ?? 0) & 0xc0) !== 0x80) return at - back;
  }
  return at;
}
