import type { Codes, Times, Values } from "../../../kit/src/block.ts";
import { ServiceError } from "../../../kit/src/errors.ts";
import type { CalendarUnit, Duration, GroupKey } from "../language/ast.ts";
import { parseIpv4, printIpv4 } from "../language/numeric.ts";
import { valuesOf } from "./column.ts";
import { printNumber } from "./number.ts";
import { TimePrinter, timeTextBytesMax } from "./time-text.ts";
import type { View } from "./view.ts";

/** The key of a block's rows: row r has value `codes[r]`, of `rows` its own, of `const` value 0. */
export interface KeyColumn {
  readonly layout: "const" | "dict" | "rows";
  readonly codes: Codes | undefined;
  readonly count: number;
  values(): Values;
}

const noValues = valuesOf([""]);

/** Every row has the empty value. */
const absentKey: KeyColumn = {
  layout: "const",
  codes: undefined,
  count: 1,
  values: () => noValues,
};

/**
 * The key column of a view for rows that are to be grouped. Throws `query.invalid` for a step of
 * time that is neither whole milliseconds nor divides one.
 */
export function keyColumnOf(view: View, key: GroupKey, rows: Uint32Array): KeyColumn {
  const { bucket, field } = key;
  if (bucket === undefined) return fieldKey(view, field);
  switch (bucket.kind) {
    case "number":
      return numberKey(view, field, bucket);
    case "ipv4":
      return networkKey(view, field, bucket.bits);
    case "calendar":
      return calendarKey(view, bucket.unit, rows);
    case "time":
      return timeKey(view, timeStepOf(bucket), rows);
  }
}

/** Throws `query.invalid` for what `keyColumnOf` cannot do. */
export function checkGroupKey({ bucket }: GroupKey): void {
  if (bucket?.kind === "time") timeStepOf(bucket);
}

/** Buckets start at `offsetMs` plus a multiple of the step; a step below a millisecond is `ns`, which divides one. */
interface TimeStep {
  readonly ms: number;
  readonly ns: number;
  readonly offsetMs: number;
}

function timeStepOf({ step, offset }: { step: Duration; offset: Duration }): TimeStep {
  const isWhole = step.ms > 0 && step.ns === 0;
  const isFine = step.ms === 0 && step.ns > 0 && 1_000_000 % step.ns === 0;
  if (!isWhole && !isFine) {
    throw new ServiceError("query.invalid", "a step of time is whole milliseconds or divides one", {
      stepMs: step.ms,
      stepNs: step.ns,
    });
  }
  if (offset.ns !== 0) {
    throw new ServiceError("query.invalid", "an offset of time is whole milliseconds");
  }
  return { ms: step.ms, ns: step.ns, offsetMs: offset.ms };
}

function fieldKey(view: View, field: string): KeyColumn {
  const column = view.column(field);
  if (column === undefined) {
    return absentKey;
  }
  return {
    layout: column.layout,
    codes: column.codes,
    count: column.valueCount,
    values: () => column.values(),
  };
}

/** Values that are no numbers stay as they are. */
function numberKey(
  view: View,
  field: string,
  { step, offset }: { readonly step: number; readonly offset: number },
): KeyColumn {
  const column = view.column(field);
  if (column === undefined) return fieldKey(view, field);
  const values = () => {
    const { bytes, offsets } = column.values();
    return valuesOf(
      Array.from(column.numbers(), (number, i) =>
        Number.isNaN(number)
          ? bytes.toString("utf8", offsets[i] as number, offsets[i + 1] as number)
          : printNumber(Math.floor((number - offset) / step) * step + offset),
      ),
    );
  };
  return { layout: column.layout, codes: column.codes, count: column.valueCount, values };
}

/** The first address of each value's network; values that are no addresses stay as they are. */
function networkKey(view: View, field: string, bits: number): KeyColumn {
  const column = view.column(field);
  if (column === undefined) return fieldKey(view, field);
  const size = 2 ** (32 - bits);
  const values = () => {
    const { bytes, offsets } = column.values();
    return valuesOf(
      Array.from({ length: column.valueCount }, (_, i) => {
        const text = bytes.toString("utf8", offsets[i] as number, offsets[i + 1] as number);
        const address = parseIpv4(text);
        return address === undefined ? text : printIpv4(Math.floor(address / size) * size);
      }),
    );
  };
  return { layout: column.layout, codes: column.codes, count: column.valueCount, values };
}

function timeKey(view: View, step: TimeStep, rows: Uint32Array): KeyColumn {
  const times = view.shownTimes();
  if (times === undefined) return absentKey;
  if (step.ms < 1) return fineTimeKey(times, step.ns);
  const { ms } = times;
  const { lowest, highest } = bucketBounds(view, ms, rows, step);
  const printer = new TimePrinter();
  const textOf = (bucket: number) => timeText(bucket * step.ms + step.offsetMs, 0, printer);
  const count = highest - lowest + 1;
  if (count === 1) {
    return { layout: "const", codes: undefined, count, values: () => valuesOf([textOf(lowest)]) };
  }
  // Rows far apart in time make more buckets than rows: then each distinct bucket gets a number.
  if (!(count <= 4 * rows.length + 1024)) {
    const startOf = (value: number) => Math.floor((value - step.offsetMs) / step.ms);
    return sparseTimeKey(ms, rows, startOf, textOf);
  }
  const codes = bucketCodes(ms, rows, step, lowest);
  const texts = () => valuesOf(Array.from({ length: count }, (_, i) => textOf(lowest + i)));
  return { layout: "dict", codes, count, values: texts };
}

/** The number of each row's bucket. Rows are mostly in order of time, so most lie in the bucket of the row before. */
function bucketCodes(
  ms: Float64Array,
  rows: Uint32Array,
  step: TimeStep,
  lowest: number,
): Uint32Array {
  const codes = new Uint32Array(ms.length);
  let code = 0;
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const value = ms[row] as number;
    if (!(value >= from && value < to)) {
      const bucket = Math.floor((value - step.offsetMs) / step.ms);
      code = bucket - lowest;
      from = bucket * step.ms + step.offsetMs;
      to = from + step.ms;
    }
    codes[row] = code;
  }
  return codes;
}

function bucketBounds(view: View, ms: Float64Array, rows: Uint32Array, step: TimeStep) {
  const bucketOf = (value: number) => Math.floor((value - step.offsetMs) / step.ms);
  if (rows.length === view.rowCount && rows.length > 0 && view.hasTimes()) {
    // All of a block's records: it says itself when they begin and end.
    return { lowest: bucketOf(view.timeMin.ms), highest: bucketOf(view.timeMax.ms) };
  }
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < rows.length; i++) {
    const value = ms[rows[i] as number] as number;
    if (Number.isNaN(value)) return { lowest: Number.NaN, highest: Number.NaN };
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (rows.length === 0) return { lowest: 0, highest: 0 };
  return { lowest: bucketOf(min), highest: bucketOf(max) };
}

function sparseTimeKey(
  ms: Float64Array,
  rows: Uint32Array,
  bucketOf: (ms: number) => number,
  textOf: (bucket: number) => string,
): KeyColumn {
  const codes = new Uint32Array(ms.length);
  const numbers = new Map<number, number>();
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const bucket = bucketOf(ms[row] as number);
    let code = numbers.get(bucket);
    if (code === undefined) {
      code = numbers.size;
      numbers.set(bucket, code);
    }
    codes[row] = code;
  }
  const values = () => valuesOf([...numbers.keys()].map(textOf));
  return { layout: "dict", codes, count: numbers.size, values };
}

const dayMs = 86_400_000;

function calendarKey(view: View, unit: CalendarUnit, rows: Uint32Array): KeyColumn {
  const starts = new Map<number, number>();
  const startOf = (ms: number) => {
    const day = Math.floor(ms / dayMs);
    let start = starts.get(day);
    if (start === undefined) {
      start = calendarStart(day, unit);
      starts.set(day, start);
    }
    return start;
  };
  const times = view.shownTimes();
  if (times === undefined) return absentKey;
  return sparseTimeKey(times.ms, rows, startOf, (start) => timeText(start, 0));
}

function calendarStart(day: number, unit: CalendarUnit): number {
  // The epoch's first day was a Thursday, three days after a Monday.
  if (unit === "week") return (day - ((((day + 3) % 7) + 7) % 7)) * dayMs;
  const date = new Date(day * dayMs);
  if (unit === "year") date.setUTCMonth(0);
  return date.setUTCDate(1);
}

/** Every row its own value: steps below a millisecond are asked for over moments, not days. */
function fineTimeKey({ ms, ns }: Times, stepNs: number): KeyColumn {
  const values = () =>
    valuesOf(
      Array.from(ms, (value, row) => {
        const within = ns?.[row] ?? 0;
        return timeText(value, within - (within % stepNs));
      }),
    );
  return { layout: "rows", codes: undefined, count: ms.length, values };
}

/** What is no time is the empty value. */
function timeText(ms: number, ns: number, printer = new TimePrinter()): string {
  if (Number.isNaN(ms)) return "";
  const text = Buffer.alloc(timeTextBytesMax);
  return text.toString("latin1", 0, printer.write(text, 0, ms, ns));
}

/** Which of the key's values a row has. */
export function keyCodeAt(key: KeyColumn, row: number): number {
  if (key.layout === "rows") return row;
  return key.codes === undefined ? 0 : (key.codes[row] as number);
}
