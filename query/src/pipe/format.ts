import { momentPrint } from "../../../kit/src/time.ts";
import { durationOf, parseDurationNanos, printDuration } from "../language/duration.ts";
import { printIpv4 } from "../language/numeric.ts";
import type { FormatPipe as FormatNode, FormatOption } from "../language/pipe-node.ts";
import { parseTimePoint } from "../language/time-point.ts";
import { checkColumnBytes, textAt } from "../table/column.ts";
import { numberOfText, printNumber } from "../table/number.ts";
import type { RowPipe, Rows } from "./pipe.ts";
import { columnOfRows } from "./values.ts";
import { rowsToUpdate, writeField } from "./write-field.ts";

/** `format "<ip>:<port>" as address`. */
export class FormatPipe implements RowPipe {
  readonly #node: FormatNode;
  readonly #condition: RowPipe | undefined;

  /** `condition` narrows to the rows of `if (…)`. */
  constructor(node: FormatNode, condition: RowPipe | undefined) {
    this.#node = node;
    this.#condition = condition;
  }

  apply({ view, rows }: Rows): Rows {
    const { pattern, as } = this.#node;
    const updated = rowsToUpdate({ view, rows }, this.#condition);
    const steps = pattern.steps.map(({ literal, field, option }) => ({
      literal,
      column: view.column(field),
      formatted: option === undefined ? undefined : formats[option],
    }));
    const textOf = (row: number) => {
      let text = "";
      for (const { literal, column, formatted } of steps) {
        const value = textAt(column, row);
        const shown = formatted === undefined ? value : (formatted(value) ?? value);
        checkColumnBytes(text.length + literal.length + shown.length);
        text += literal + shown;
      }
      return text + pattern.tail;
    };
    const result = columnOfRows(view.rowCount, updated, textOf);
    return { view: writeField(view, as, result, { rows, updated, rules: this.#node }), rows };
  }
}

/** A value as an option shows it; undefined: the option cannot read it. */
const formats: Readonly<Record<FormatOption, (text: string) => string | undefined>> = {
  base64decode: (text) =>
    /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)
      ? Buffer.from(text, "base64").toString()
      : undefined,
  base64encode: (text) => Buffer.from(text).toString("base64"),
  duration: (text) =>
    /^-?\d{1,18}$/.test(text) ? printDuration(durationOf(BigInt(text))) : undefined,
  duration_seconds: durationSeconds,
  hexdecode: (text) =>
    /^(?:[\da-f]{2})*$/i.test(text) ? Buffer.from(text, "hex").toString() : undefined,
  hexencode: (text) => Buffer.from(text).toString("hex").toUpperCase(),
  hexnumdecode: (text) =>
    /^[\da-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`).toString() : undefined,
  hexnumencode: (text) => {
    const number = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
    const isNumber = number >= 0n && number < 1n << 64n;
    return isNumber ? number.toString(16).toUpperCase().padStart(16, "0") : undefined;
  },
  ipv4: (text) =>
    /^\d{1,10}$/.test(text) && Number(text) <= 0xffffffff ? printIpv4(Number(text)) : undefined,
  lc: (text) => text.toLowerCase(),
  q: (text) => JSON.stringify(text),
  time: timeOf,
  uc: (text) => text.toUpperCase(),
  urldecode,
  urlencode: (text) =>
    encodeURIComponent(text.toWellFormed())
      .replaceAll("%20", "+")
      .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
};

function durationSeconds(text: string): string | undefined {
  const nanos = parseDurationNanos(text);
  return nanos === undefined ? undefined : printNumber(Number(nanos) / 1e9);
}

/** A number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by its size. */
function timeOf(text: string): string | undefined {
  const number = numberOfText(text);
  if (Number.isNaN(number)) return undefined;
  // What is told by digits starts at five of them; smaller numbers are seconds.
  const padded = /^-?\d{5,}(?:\.\d{1,9})?$/.test(text) ? text : undefined;
  const start = padded === undefined ? undefined : parseTimePoint(padded)?.start;
  if (start !== undefined) return momentPrint(start);
  const seconds = Math.abs(number) < 1e11;
  return seconds ? momentPrint(durationOf(BigInt(Math.round(number * 1e9)))) : undefined;
}

function urldecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
