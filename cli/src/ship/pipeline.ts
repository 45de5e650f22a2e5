import { detectFormat, type FormatChoice, type FormatName, formatOf } from "./format/detect.ts";
import * as limits from "./limits.ts";
import { type Line, LineSplitter } from "./lines.ts";
import { RowMaker } from "./rows.ts";
import type { TimeContext } from "./timestamp.ts";

/** A place in a source, between two records. */
export interface Position {
  /** Bytes before it. */
  readonly offset: number;
  /** Lines before it. */
  readonly lines: number;
  /** The time that a line without one takes here. */
  readonly time?: string | undefined;
}

export const origin: Position = { offset: 0, lines: 0 };

/** The records of one request. */
export interface Batch {
  readonly start: Position;
  readonly end: Position;
  /** NDJSON; the last row has no line feed. */
  readonly body: string;
  readonly records: number;
  /** The line of the source on which each row begins, from 1. */
  readonly lineNumbers: readonly number[];
  /** Whether every record has its own time, so that the order of requests does not matter. */
  readonly isTimed: boolean;
  readonly repaired: number;
  readonly fallbacks: number;
}

export interface PipelineOptions {
  readonly format: FormatName | "auto";
  /** What an earlier run found; it is not detected anew then. */
  readonly choice?: FormatChoice | undefined;
  /** Whether a line goes on with the record of the lines before it. */
  readonly continues?: ((line: string) => boolean) | undefined;
  readonly start?: Position | undefined;
  /** Ends of batches that an earlier run has cut: they are cut there again, so that keys are the same. */
  readonly cuts?: readonly number[] | undefined;
  readonly context: TimeContext;
}

/**
 * From the bytes of a source to batches of rows. It is pure, and where batches end depends on the bytes
 * and on `flush` alone, never on the pieces in which the bytes come.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #splitter: LineSplitter;
  readonly #cuts: Set<number>;
  #choice: FormatChoice | undefined;
  #maker: RowMaker | undefined;
  /** Lines that wait for the format to be known. */
  #held: Line[] = [];
  #heldBytes = 0;
  /** Lines of the record that may still go on. */
  #open: Line[] = [];
  #openBytes = 0;
  #building: Building;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#splitter = new LineSplitter(options.start?.offset ?? 0);
    this.#cuts = new Set(options.cuts);
    this.#building = new Building(options.start ?? origin);
    if (options.choice !== undefined) this.#choose(options.choice);
  }

  /** Undefined until enough lines have been seen. */
  get choice(): FormatChoice | undefined {
    return this.#choice;
  }

  /** The batches that these bytes complete. */
  *push(bytes: Uint8Array): Generator<Batch> {
    for (const line of this.#splitter.push(bytes)) yield* this.#line(line);
  }

  /** Everything that is whole, for there is nothing new for now. */
  *flush(): Generator<Batch> {
    yield* this.#detect();
    yield* this.#close();
    yield* this.#cut();
  }

  /** Everything, with a last line that has no line feed. */
  *end(): Generator<Batch> {
    const last = this.#splitter.end();
    if (last !== undefined) yield* this.#line(last);
    yield* this.flush();
  }

  *#line(line: Line): Generator<Batch> {
    if (this.#maker !== undefined) {
      yield* this.#take(line);
      return;
    }
    this.#held.push(line);
    this.#heldBytes += line.end - line.start;
    const isEnough =
      this.#held.length >= limits.detectLinesMax || this.#heldBytes >= limits.detectMaxBytes;
    if (isEnough) yield* this.#detect();
  }

  *#detect(): Generator<Batch> {
    if (this.#held.length === 0) return;
    const lines = this.#held;
    this.#held = [];
    const { format, context } = this.#options;
    this.#choose(
      detectFormat(
        lines.map(({ text }) => text),
        format,
        context,
      ),
    );
    for (const line of lines) yield* this.#take(line);
  }

  #choose(choice: FormatChoice): void {
    this.#choice = choice;
    this.#maker = new RowMaker(choice, this.#options.context);
  }

  *#take(line: Line): Generator<Batch> {
    if (this.#open.length > 0 && !this.#goesOn(line)) yield* this.#close();
    if (line.text.trim() === "" && this.#open.length === 0) {
      this.#building.skip(line);
    } else {
      this.#open.push(line);
      this.#openBytes += line.end - line.start;
      if (!this.#mayGoOn()) yield* this.#close();
    }
    if (this.#cuts.has(line.end)) {
      yield* this.#close();
      yield* this.#cut();
    }
  }

  /** Whether a record can have more than one line at all; spares holding back when it cannot. */
  #mayGoOn(): boolean {
    if (this.#choice?.name === "ndjson") return false;
    return this.#options.continues !== undefined || this.#choice?.name === "cri";
  }

  #goesOn(line: Line): boolean {
    const bytes = this.#openBytes + line.end - line.start;
    if (this.#open.length >= limits.joinedLinesMax || bytes > limits.joinedMaxBytes) return false;
    const last = this.#open.at(-1)?.text ?? "";
    const format = this.#choice === undefined ? undefined : formatOf(this.#choice.name);
    if (format?.goesOn?.(last, line.text) === true) return true;
    return this.#options.continues?.(line.text) ?? false;
  }

  /** Ends the open record. */
  *#close(): Generator<Batch> {
    const lines = this.#open;
    const last = lines.at(-1);
    if (last === undefined || this.#maker === undefined) return;
    this.#open = [];
    this.#openBytes = 0;
    const texts = lines.map(({ text }) => text);
    while (texts.length > 1 && texts.at(-1)?.trim() === "") texts.pop();
    const row = this.#maker.row(texts, this.#building.end.time);
    const bytes = Buffer.byteLength(row.json) + 1;
    if (!this.#building.hasRoom(bytes)) yield* this.#cut();
    this.#building.add(row, bytes, lines);
  }

  *#cut(): Generator<Batch> {
    const batch = this.#building.batch();
    this.#building = new Building(this.#building.end);
    if (batch !== undefined) yield batch;
  }
}

/** A batch that grows. */
class Building {
  readonly #start: Position;
  readonly #rows: string[] = [];
  readonly #lineNumbers: number[] = [];
  #bytes = 0;
  #isTimed = true;
  #repaired = 0;
  #fallbacks = 0;
  end: Position;

  constructor(start: Position) {
    this.#start = start;
    this.end = start;
  }

  hasRoom(bytes: number): boolean {
    if (this.#rows.length === 0) return true;
    return (
      this.#rows.length < limits.batchMaxRecords && this.#bytes + bytes <= limits.batchMaxBytes
    );
  }

  add(row: ReturnType<RowMaker["row"]>, bytes: number, lines: readonly Line[]): void {
    this.#rows.push(row.json);
    this.#lineNumbers.push(this.end.lines + 1);
    this.#bytes += bytes;
    this.#isTimed &&= row.isTimed;
    if (row.isFallback) this.#fallbacks++;
    for (const line of lines) if (line.isRepaired) this.#repaired++;
    const offset = lines.at(-1)?.end ?? this.end.offset;
    this.end = { offset, lines: this.end.lines + lines.length, time: row.time };
  }

  /** A blank line is no record. */
  skip(line: Line): void {
    this.end = { ...this.end, offset: line.end, lines: this.end.lines + 1 };
  }

  batch(): Batch | undefined {
    if (this.#rows.length === 0) return undefined;
    return {
      start: this.#start,
      end: this.end,
      body: this.#rows.join("\n"),
      records: this.#rows.length,
      lineNumbers: this.#lineNumbers,
      isTimed: this.#isTimed,
      repaired: this.#repaired,
      fallbacks: this.#fallbacks,
    };
  }
}
