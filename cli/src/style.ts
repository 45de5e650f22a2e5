import { stripVTControlCharacters } from "node:util";
import type { CliIo } from "./io.ts";

type Paint = (text: string) => string;

/** Colours by what they mean; all of them the identity where colour is not wanted. */
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
  readonly magenta: Paint;
  readonly cyan: Paint;
}

/** Colour on a terminal only; NO_COLOR and a dumb terminal switch it off (no-color.org). */
export function styleOf(io: CliIo, isTerminal: boolean): Style {
  const isPlain = !isTerminal || Boolean(io.env["NO_COLOR"]) || io.env["TERM"] === "dumb";
  const paint =
    (open: number, close: number): Paint =>
    (text) =>
      isPlain || text === "" ? text : `\u001b[${open}m${text}\u001b[${close}m`;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    blue: paint(34, 39),
    magenta: paint(35, 39),
    cyan: paint(36, 39),
  };
}

/** A record's level in the colour of its weight. */
export function paintLevel(level: string, style: Style): string {
  const lower = level.toLowerCase();
  if (/^(fatal|crit|alert|emerg|panic)/.test(lower)) return style.bold(style.red(level));
  if (/^(err|severe)/.test(lower)) return style.red(level);
  if (lower.startsWith("warn")) return style.yellow(level);
  if (/^(info|notice)/.test(lower)) return style.green(level);
  return style.dim(level);
}

/** Rows under a head, in columns as wide as their widest cell; the last one is not padded. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) =>
    rows.reduce((width, row) => Math.max(width, widthOf(row[i] ?? "")), widthOf(name)),
  );
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === head.length - 1 ? cell : padded(cell, widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return `${[head, ...rows].map(lineOf).join("\n")}\n`;
}

/**
 * Text from a record made safe for a terminal: control characters that could move the cursor, hide
 * text or answer in the person's name are shown and not sent.
 */
export function harmless(text: string): string {
  return text.replaceAll(unsafe, (char) =>
    char < "\u0020" ? String.fromCharCode(char.charCodeAt(0) + 0x2400) : "\ufffd",
  );
}

// Tab and newline are left; C0, DEL, C1 and the marks that turn the direction of text are not.
const unsafe = /(?![\t\n])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu;

function padded(cell: string, width: number): string {
  return cell + " ".repeat(Math.max(0, width - widthOf(cell)));
}

function widthOf(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}
