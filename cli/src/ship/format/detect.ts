import type { TimeContext } from "../timestamp.ts";
import { criFormat } from "./cri.ts";
import type { LineFormat } from "./line-format.ts";
import { logfmtFormat } from "./logfmt.ts";
import { jsonFieldsOf, jsonObjectOf } from "./ndjson.ts";
import { nginxFormat } from "./nginx.ts";
import { syslogFormat } from "./syslog.ts";
import { textFormat } from "./text.ts";

export const formatNames = ["ndjson", "text", "logfmt", "syslog", "cri", "nginx"] as const;

export type FormatName = (typeof formatNames)[number];

/** How the lines of a source are read. Kept with its state, so that a later run reads them alike. */
export interface FormatChoice {
  readonly name: FormatName;
  /** The fields that hold the time and the message of records that are sent as they are. */
  readonly timeField: string;
  readonly msgField: string;
}

/** Share of the first lines that a form must fit. */
const shareMin = 0.8;

/** The strictest first: a line of CRI would pass as text, and one of syslog as logfmt. */
const guessed: readonly LineFormat[] = [criFormat, nginxFormat, syslogFormat, logfmtFormat];

const byName: Readonly<Record<Exclude<FormatName, "ndjson">, LineFormat>> = {
  text: textFormat,
  logfmt: logfmtFormat,
  syslog: syslogFormat,
  cri: criFormat,
  nginx: nginxFormat,
};

/** The form of a name; `ndjson` has none, for its lines are not parsed but sent. */
export function formatOf(name: FormatName): LineFormat | undefined {
  return name === "ndjson" ? undefined : byName[name];
}

/** The form that most of these lines have; `wanted` unless that is `auto`. */
export function detectFormat(
  lines: readonly string[],
  wanted: FormatName | "auto",
  context: TimeContext,
): FormatChoice {
  const plain = { timeField: "_time", msgField: "_msg" };
  if (wanted !== "auto" && wanted !== "ndjson") return { name: wanted, ...plain };
  const full = lines.filter((line) => line.trim() !== "");
  const enough = Math.max(1, Math.ceil(full.length * shareMin));
  const objects = full.map(jsonObjectOf).filter((object) => object !== undefined);
  if (wanted === "ndjson" || objects.length >= enough) {
    const { time, msg } = jsonFieldsOf(objects);
    return { name: "ndjson", timeField: time, msgField: msg };
  }
  for (const format of guessed) {
    const fitting = full.filter((line) => format.parse(line, context) !== undefined).length;
    if (fitting >= enough) return { name: format.name as FormatName, ...plain };
  }
  return { name: "text", ...plain };
}
