import { harmless, paintLevel, type Style } from "./style.ts";

/** A row of an answer, or a tailed record. */
export type Row = Readonly<Record<string, unknown>>;

/** Fields that applications keep their level in, the usual first. */
const levelFields = ["level", "severity", "lvl", "log.level"];

/** A record as one line for people: time, stream, level, message; other rows as name=value pairs. */
export function recordText(row: Row, style: Style): string {
  const message = valueText(row["_msg"]);
  if (row["_time"] === undefined || message === "") return pairsText(row, style);
  const levelField = levelFields.find((name) => typeof row[name] === "string" && row[name] !== "");
  const level = levelField === undefined ? "" : valueText(row[levelField]);
  const stream = valueText(row["_stream"]);
  const parts = [
    style.dim(harmless(valueText(row["_time"]))),
    stream === "" || stream === "{}" ? "" : style.cyan(harmless(stream)),
    level === "" ? "" : paintLevel(harmless(level), style),
    harmless(message),
  ];
  return parts.filter((part) => part !== "").join(" ");
}

/** The value of a field as a text; an absent one is empty. */
export function valueText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function pairsText(row: Row, style: Style): string {
  return Object.entries(row)
    .map(([name, value]) => {
      const text = harmless(valueText(value));
      const quoted = text === "" || /[\s"=]/.test(text) ? JSON.stringify(text) : text;
      return `${style.blue(harmless(name))}=${quoted}`;
    })
    .join(" ");
}
