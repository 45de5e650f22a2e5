import { momentPrint } from "../../../kit/src/time.ts";
import { parseTime } from "../table/time-text.ts";

type Named = readonly [string, string];

const levels = ["emerg", "alert", "critical", "error", "warning", "notice", "info", "debug"];

/** The facilities of RFC 5424, section 6.2.1, by the names that loggers print. */
const facilities = [
  ..."kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp security".split(" "),
  ..."console solaris-cron local0 local1 local2 local3 local4 local5 local6 local7".split(" "),
];

const header5424 = /^1 (\S+) (\S+) (\S+) (\S+) (\S+) /;
const parameter = / ([^ =\]"]+)="((?:[^"\\\]]|\\.)*)"/y;
const header3164 = /^([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\S+) /;
const tag = /^([^\s:[\]]+)(?:\[([^\]]*)\])?: ?/;

/**
 * The fields of a syslog message of RFC 5424 or RFC 3164, with or without `<PRI>`. A time without a year is taken to lie
 * in the year before `recordMs`, one without a zone to be `offsetMs` east of UTC.
 */
export function fieldsOfSyslog(text: string, recordMs: number, offsetMs: number): readonly Named[] {
  const found: Named[] = [];
  const pri = /^<(\d{1,3})>/.exec(text);
  const rest = pri === null ? text : text.slice(pri[0].length);
  if (pri !== null) addPriority(found, Number(pri[1]));
  if (header5424.test(rest)) add5424(found, rest);
  else add3164(found, rest, recordMs, offsetMs);
  return found;
}

function addPriority(found: Named[], priority: number): void {
  const [facility, severity] = [priority >> 3, priority & 7];
  found.push(
    ["level", levels[severity] as string],
    ["priority", String(priority)],
    ["facility", String(facility)],
    ["facility_keyword", facilities[facility] ?? "unknown"],
    ["severity", String(severity)],
  );
}

function add5424(found: Named[], text: string): void {
  const [whole = "", ...parts] = header5424.exec(text) ?? [];
  const names = ["timestamp", "hostname", "app_name", "proc_id", "msg_id"];
  found.push(["format", "rfc5424"]);
  for (const [i, name] of names.entries()) {
    const part = parts[i] ?? "-";
    if (part !== "-") found.push([name, part]);
  }
  let at = whole.length;
  if (text[at] === "-") at++;
  while (text[at] === "[") {
    const end = addElement(found, text, at);
    if (end === undefined) break;
    at = end;
  }
  const message = text
    .slice(at)
    .replace(/^ /, "")
    .replace(/^\ufeff/, "");
  found.push(["message", message]);
}

/** `[id name="value" …]` at `at`; gives where it ends, undefined when it is not whole. */
function addElement(found: Named[], text: string, at: number): number | undefined {
  const id = /^\[([^ =\]"]+)/.exec(text.slice(at));
  if (id === null) return undefined;
  const parameters: Named[] = [];
  parameter.lastIndex = at + id[0].length;
  let end = parameter.lastIndex;
  for (let match = parameter.exec(text); match !== null; match = parameter.exec(text)) {
    const value = (match[2] as string).replaceAll(/\\(["\\\]])/g, "$1");
    parameters.push([`${id[1]}.${match[1]}`, value]);
    end = parameter.lastIndex;
  }
  if (text[end] !== "]") return undefined;
  if (parameters.length === 0) parameters.push([id[1] as string, ""]);
  found.push(...parameters);
  return end + 1;
}

function add3164(found: Named[], text: string, recordMs: number, offsetMs: number): void {
  found.push(["format", "rfc3164"]);
  const old = header3164.exec(text);
  const modern = /^(\S+) (\S+) /.exec(text);
  const moment = old === null ? parseTime(modern?.[1] ?? "") : oldTime(old, recordMs, offsetMs);
  const header = old ?? modern;
  if (moment === undefined || header === null) {
    found.push(["message", text]);
    return;
  }
  found.push(["timestamp", momentPrint(moment)], ["hostname", (old?.[6] ?? modern?.[2]) as string]);
  const body = text.slice(header[0].length);
  const program = tag.exec(body);
  if (program?.[1] !== undefined) found.push(["app_name", program[1]]);
  if (program?.[2] !== undefined) found.push(["proc_id", program[2]]);
  found.push(["message", body.slice(program?.[0].length ?? 0)]);
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const dayMs = 86_400_000;

function oldTime(match: RegExpExecArray, recordMs: number, offsetMs: number) {
  const [, month = "", day, hour, minute, second] = match;
  const index = months.indexOf(month);
  if (index < 0) return undefined;
  const inYear = (year: number) =>
    Date.UTC(year, index, Number(day), Number(hour), Number(minute), Number(second)) - offsetMs;
  const year = new Date(recordMs).getUTCFullYear();
  const same = inYear(year);
  // A day of grace: clocks of senders may be ahead.
  return { ms: same > recordMs + dayMs ? inYear(year - 1) : same, ns: 0 };
}
