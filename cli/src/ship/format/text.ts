import { leadingTime } from "../timestamp.ts";
import { type LineFormat, levelOf } from "./line-format.ts";

/** How far behind its time a line names its level. */
const levelWithin = 64;

const level =
  /\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|CRITICAL|FATAL)\b|\[(trace|debug|info|notice|warn|warning|error|crit|alert|emerg|fatal)\]/;

/** Any line: all of it is the message; the time it begins with and its level are noticed. */
export const textFormat: LineFormat = {
  name: "text",
  parse(line, context) {
    const found = leadingTime(line, context);
    const from = found?.length ?? 0;
    const word = level.exec(line.slice(from, from + levelWithin));
    const name = word?.[1] ?? word?.[2];
    return {
      time: found?.time,
      level: name === undefined ? undefined : levelOf(name),
      msg: line,
      fields: {},
    };
  },
};
