import type { Block, Column, StreamLabels, Streams, Times } from "../../../kit/src/block.ts";
import type { Moment } from "../../../kit/src/time.ts";
import { codeAt } from "./column.ts";
import { parseTime } from "./time-text.ts";

/** What a block built in memory holds; what is missing is made up when asked for. */
export interface TableParts {
  readonly rowCount: number;
  /** In the order in which they are shown; `_time` and `_stream` only when they are text. */
  readonly columns: ReadonlyMap<string, Column>;
  readonly times?: Times | undefined;
  readonly streams?: Streams | undefined;
  readonly positions?: Float64Array | undefined;
  /** Rows may be several of one record, in an order that is theirs. */
  readonly repeats?: boolean;
}

/** A block of columns in memory: rows that pipes gathered, or the rows of an aggregate. */
export class TableBlock implements Block {
  readonly rowCount: number;
  readonly fieldNames: readonly string[];
  readonly #parts: TableParts;
  #times: Times | undefined;
  #positions: Float64Array | undefined;

  constructor(parts: TableParts) {
    this.rowCount = parts.rowCount;
    this.fieldNames = [...parts.columns.keys()];
    this.#parts = parts;
    this.#times = parts.times;
  }

  get timeMin(): Moment {
    return this.#bound(-1);
  }

  get timeMax(): Moment {
    return this.#bound(1);
  }

  /** Whether rows may be several of one record, and so equal in time, stream and position. */
  get repeats(): boolean {
    return this.#parts.repeats === true;
  }

  times(): Times {
    this.#times ??= timesOfText(this.#parts.columns.get("_time"), this.rowCount, 0);
    return this.#times;
  }

  streams(): Streams {
    return this.#parts.streams ?? noStreams;
  }

  positions(): Float64Array {
    this.#positions ??= this.#parts.positions ?? new Float64Array(this.rowCount);
    return this.#positions;
  }

  column(field: string): Column | undefined {
    return this.#parts.columns.get(field);
  }

  mayContain(field: string): boolean {
    return this.#parts.columns.has(field);
  }

  bounds(): undefined {
    return undefined;
  }

  valueCounts(): undefined {
    return undefined;
  }

  #bound(sign: 1 | -1): Moment {
    const { ms, ns } = this.times();
    let best = 0;
    for (let row = 1; row < this.rowCount; row++) {
      const byMs = (ms[row] as number) - (ms[best] as number);
      const byNs = ns === undefined ? 0 : (ns[row] as number) - (ns[best] as number);
      if (sign * (byMs || byNs) > 0) best = row;
    }
    return { ms: ms[best] ?? 0, ns: ns?.[best] ?? 0 };
  }
}

const noStreams: Streams = { labels: [{ text: "{}", pairs: new Map() }], codes: undefined };

/** The times that a column of text says; what is no time is `otherwise`. */
export function timesOfText(
  column: Column | undefined,
  rowCount: number,
  otherwise: number,
): Times {
  const ms = new Float64Array(rowCount);
  const ns = new Uint32Array(rowCount);
  if (column === undefined) return { ms: ms.fill(otherwise), ns: undefined };
  const { bytes, offsets } = column.values();
  const moments: (Moment | undefined)[] = [];
  for (let i = 0; i < column.valueCount; i++) {
    moments.push(parseTime(bytes.toString("utf8", offsets[i] as number, offsets[i + 1] as number)));
  }
  for (let row = 0; row < rowCount; row++) {
    const moment = moments[codeAt(column, row)];
    ms[row] = moment?.ms ?? otherwise;
    ns[row] = moment?.ns ?? 0;
  }
  return { ms, ns };
}

/** Labels read back from their canonical text. */
export function streamLabelsOf(text: string): StreamLabels {
  const pairs = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/([^{},="\s]+)="((?:[^"\\]|\\.)*)"/g)) {
    pairs.set(name as string, JSON.parse(`"${value}"`) as string);
  }
  return { text, pairs };
}
