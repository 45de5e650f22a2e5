import { type FoundTime, isoTime, type TimeContext, yearlessTime } from "../timestamp.ts";
import { type LineFormat, levelOfSeverity, type ParsedLine } from "./line-format.ts";

const facilities = [
  "kern",
  "user",
  "mail",
  "daemon",
  "auth",
  "syslog",
  "lpr",
  "news",
  "uucp",
  "cron",
  "authpriv",
  "ftp",
  "ntp",
  "audit",
  "alert",
  "clock",
  "local0",
  "local1",
  "local2",
  "local3",
  "local4",
  "local5",
  "local6",
  "local7",
];

const priority = /^<(\d{1,3})>/;
const version1 = /^1 (\S+) (\S+) (\S+) (\S+) (\S+) /;
const element = /\[([^\s="\]]+)((?: [^\s="\]]+="(?:[^"\\\]]|\\.)*")*)\]/y;
const param = / ([^\s="\]]+)="((?:[^"\\\]]|\\.)*)"/g;
const tagged = /^([^\s:[\]]+)(?:\[([^\]\s]*)\])?: ?/;

/** RFC 5424 and RFC 3164, with and without priority; in files mostly `Jan 31 10:00:00 host tag[1]: text`. */
export const syslogFormat: LineFormat = {
  name: "syslog",
  parse(line, context) {
    const found = priority.exec(line);
    const value = Number(found?.[1] ?? Number.NaN);
    if (found !== null && value > 191) return undefined;
    const rest = found === null ? line : line.slice(found[0].length);
    const parsed = (found === null ? undefined : modern(rest)) ?? classic(rest, context);
    if (parsed === undefined || found === null) return parsed;
    const facility = facilities[value >> 3] ?? String(value >> 3);
    return { ...parsed, level: levelOfSeverity(value & 7), fields: { facility, ...parsed.fields } };
  },
};

function modern(text: string): ParsedLine | undefined {
  const head = version1.exec(text);
  if (head === null) return undefined;
  const [all, stamp = "", hostname, app_name, proc_id, msg_id] = head;
  const time = isoTime(stamp);
  if (stamp !== "-" && time?.length !== stamp.length) return undefined;
  const data = structuredData(text.slice(all.length));
  if (data === undefined) return undefined;
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries({ hostname, app_name, proc_id, msg_id })) {
    if (value !== undefined && value !== "-") fields[name] = value;
  }
  return {
    time: time?.time,
    msg: data.rest.replace(/^\ufeff/, ""),
    fields: { ...fields, ...data.fields },
  };
}

function structuredData(
  text: string,
): { readonly fields: Record<string, string>; readonly rest: string } | undefined {
  const fields: Record<string, string> = {};
  let end = 0;
  if (text.startsWith("-")) {
    end = 1;
  } else {
    element.lastIndex = 0;
    for (let found = element.exec(text); found !== null; found = element.exec(text)) {
      end = element.lastIndex;
      for (const [, name, value = ""] of (found[2] ?? "").matchAll(param)) {
        fields[`${found[1]}.${name}`] = value.replaceAll(/\\(["\\\]])/g, "$1");
      }
    }
    if (end === 0) return undefined;
  }
  // Behind the data stands a space and the message, or nothing.
  if (end < text.length && text[end] !== " ") return undefined;
  return { fields, rest: text.slice(end + 1) };
}

function classic(text: string, context: TimeContext): ParsedLine | undefined {
  const short = yearlessTime(text, context);
  const found = short ?? preciseTime(text);
  if (found === undefined) return undefined;
  const head = /^ (\S*[^\s:]) (?=\S)/.exec(text.slice(found.length));
  if (head === null) return undefined;
  const hostname = head[1] ?? "";
  const rest = text.slice(found.length + head[0].length);
  const tag = tagged.exec(rest);
  if (tag === null) {
    // Some programs name no tag. Behind the longer time it is needed, for other logs begin like that.
    return short === undefined ? undefined : { time: found.time, msg: rest, fields: { hostname } };
  }
  const [all, app_name = "", proc_id] = tag;
  const fields = { hostname, app_name, ...(proc_id ? { proc_id } : {}) };
  return { time: found.time, msg: rest.slice(all.length), fields };
}

/** The time that rsyslog writes on wish: with `T` and a zone. */
function preciseTime(text: string): FoundTime | undefined {
  if (!/^\d{4}-\d\d-\d\dT\S+(Z|[+-]\d\d:\d\d) /.test(text)) return undefined;
  return isoTime(text);
}
