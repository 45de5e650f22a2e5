import { commonTime, slashedTime } from "../timestamp.ts";
import { type LineFormat, levelOf, type ParsedLine } from "./line-format.ts";

const quoted = '"((?:[^"\\\\]|\\\\.)*)"';
const access = new RegExp(
  `^(\\S+) (\\S+) (.+?) \\[([^\\]]+)\\] ${quoted} (\\d{3}) (\\d+|-)(?: ${quoted} ${quoted})?(?: (.*))?$`,
);
const failure = /^\[(\w+)\] (\d+)#(\d+): (?:\*(\d+) )?(.*)$/s;

/** Access logs of nginx and Apache (common and combined), and nginx's error log. */
export const nginxFormat: LineFormat = {
  name: "nginx",
  parse: (line) => accessLine(line) ?? errorLine(line),
};

function accessLine(line: string): ParsedLine | undefined {
  const found = access.exec(line);
  if (found === null) return undefined;
  const [, client = "", , user = "-", stamp = "", request = "", status = "", size = "-"] = found;
  const time = commonTime(stamp);
  if (time?.length !== stamp.length) return undefined;
  const [, , , , , , , , referer, agent, more] = found;
  const [method, path, protocol, ...rest] = request.split(" ");
  const isRequest = protocol !== undefined && rest.length === 0;
  const fields = {
    remote_addr: client,
    remote_user: user,
    ...(isRequest ? { method, path, protocol } : {}),
    status,
    bytes: size,
    referer,
    user_agent: agent,
    more,
  };
  return {
    time: time.time,
    level: status >= "500" ? "error" : status >= "400" ? "warn" : "info",
    msg: `${request} ${status}`,
    fields: present(fields),
  };
}

function errorLine(line: string): ParsedLine | undefined {
  const time = slashedTime(line);
  if (time === undefined) return undefined;
  const found = failure.exec(line.slice(time.length).trimStart());
  if (found === null) return undefined;
  const [, level = "", pid, thread, connection, msg = ""] = found;
  return {
    time: time.time,
    level: levelOf(level),
    msg,
    fields: present({ pid, thread, connection }),
  };
}

/** Without what is absent; web servers write that as a dash. */
function present(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== "-" && value !== "") out[name] = value;
  }
  return out;
}
