import type { ScatteredRows } from "./collect.ts";
import { LineBuffer, LineWriter, type NdjsonLines } from "./ndjson.ts";

/** Rows of many views with all that their lines need; nothing is read any more while they are written. */
export class ScatteredLines {
  readonly #viewOf: Uint32Array;
  /** Which of its view's rows each is. */
  readonly #placeOf: Uint32Array;
  readonly #writers: readonly (LineWriter | undefined)[];

  constructor({ views, viewOf, rows }: ScatteredRows) {
    const counts = new Uint32Array(views.length);
    const places = new Uint32Array(rows.length);
    for (let i = 0; i < rows.length; i++) {
      const view = viewOf[i] as number;
      places[i] = counts[view] as number;
      counts[view] = (counts[view] as number) + 1;
    }
    const own = Array.from(counts, (count) => new Uint32Array(count));
    for (let i = 0; i < rows.length; i++) {
      (own[viewOf[i] as number] as Uint32Array)[places[i] as number] = rows[i] as number;
    }
    this.#viewOf = viewOf;
    this.#placeOf = places;
    this.#writers = views.map((view, number) => {
      const wanted = own[number] as Uint32Array;
      return wanted.length === 0 ? undefined : new LineWriter(view, wanted);
    });
  }

  /** Bytes of the values held. */
  get byteSize(): number {
    return this.#writers.reduce((sum, writer) => sum + (writer?.byteSize ?? 0), 0);
  }

  /** As `encodeNdjson`, of the rows from `from` to before `end`. */
  encode(from: number, end: number, bytesMax: number): NdjsonLines {
    const out = new LineBuffer(end - from, bytesMax);
    for (let i = from; i < end && !out.isFull; i++) {
      out.add(this.#writers[this.#viewOf[i] as number] as LineWriter, this.#placeOf[i] as number);
    }
    return out.lines();
  }
}
