import { type Moment, momentPrint } from "../../../kit/src/time.ts";
import { type FormatChoice, formatOf } from "./format/detect.ts";
import type { LineFormat, ParsedLine } from "./format/line-format.ts";
import { jsonObjectOf } from "./format/ndjson.ts";
import { textFormat } from "./format/text.ts";
import { parsedMaxLength } from "./limits.ts";
import type { TimeContext } from "./timestamp.ts";

/** A row of a request's body. */
export interface Row {
  readonly json: string;
  /** Whether it names its own time; otherwise the service gives it the time of receipt. */
  readonly isTimed: boolean;
  /** Whether its lines did not have the form of their source. */
  readonly isFallback: boolean;
  /** The time that lines behind it without one of their own take. */
  readonly time: string | undefined;
}

/** Turns the lines of records into rows. */
export class RowMaker {
  readonly #choice: FormatChoice;
  readonly #format: LineFormat | undefined;
  readonly #context: TimeContext;

  constructor(choice: FormatChoice, context: TimeContext) {
    this.#choice = choice;
    this.#format = formatOf(choice.name);
    this.#context = context;
  }

  /** The row of one record. `timeBefore` is that of the row before it in its source. */
  row(lines: readonly string[], timeBefore: string | undefined): Row {
    const [first = ""] = lines;
    if (this.#format === undefined) {
      const object = lines.length === 1 ? jsonObjectOf(first) : undefined;
      if (object !== undefined) {
        const isTimed = object[this.#choice.timeField] !== undefined;
        return { json: oneLine(first), isTimed, isFallback: false, time: timeBefore };
      }
    }
    const parsed = this.#parse(this.#format ?? textFormat, lines);
    if (parsed !== undefined) return this.#print(parsed, timeBefore, this.#format === undefined);
    const text = textOf(lines, this.#context);
    return this.#print(text, timeBefore, true);
  }

  #parse(format: LineFormat, lines: readonly string[]): ParsedLine | undefined {
    const [first = "", ...others] = lines;
    if (format.name === "text" || first.length > parsedMaxLength)
      return textOf(lines, this.#context);
    const parsed = format.parse(first, this.#context);
    if (parsed === undefined || others.length === 0) return parsed;
    if (format.goesOn === undefined) return { ...parsed, msg: [parsed.msg, ...others].join("\n") };
    const parts = others.map((line) => format.parse(line, this.#context)?.msg ?? line);
    return { ...parsed, msg: [parsed.msg, ...parts].join("") };
  }

  #print(parsed: ParsedLine, timeBefore: string | undefined, isFallback: boolean): Row {
    const { timeField, msgField } = this.#choice;
    const time = printed(parsed.time) ?? timeBefore;
    const json = JSON.stringify({
      ...parsed.fields,
      ...(parsed.level === undefined ? {} : { level: parsed.level }),
      ...(time === undefined ? {} : { [timeField]: time }),
      [msgField]: parsed.msg,
    });
    return { json, isTimed: time !== undefined, isFallback, time };
  }
}

function textOf(lines: readonly string[], context: TimeContext): ParsedLine {
  const parsed = textFormat.parse(lines[0] ?? "", context);
  return { ...parsed, msg: lines.join("\n"), fields: {} };
}

function printed(time: Moment | undefined): string | undefined {
  return time === undefined ? undefined : momentPrint(time);
}

/** A lone carriage return would end a line for some readers; between JSON's tokens it is only space. */
function oneLine(json: string): string {
  return json.includes("\r") ? json.replaceAll("\r", " ") : json;
}
