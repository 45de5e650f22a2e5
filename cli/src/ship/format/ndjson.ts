import { isoTime } from "../timestamp.ts";

/** Fields that hold the time and the message of a JSON record, the likeliest first. */
const timeNames = ["_time", "@timestamp", "timestamp", "time", "ts"];
const messageNames = ["_msg", "message", "msg", "log", "event"];

/** The line's object when it is one; such lines are sent as they are. */
export function jsonObjectOf(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!/^\s*\{/.test(line)) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Which fields of these records hold the time and the message: a name that most of them have. */
export function jsonFieldsOf(records: readonly Readonly<Record<string, unknown>>[]): {
  readonly time: string;
  readonly msg: string;
} {
  const most = (
    names: readonly string[],
    isGood: (value: unknown) => boolean,
  ): string | undefined =>
    names.find(
      (name) => records.filter((record) => isGood(record[name])).length * 2 > records.length,
    );
  return {
    time: most(timeNames, isTime) ?? "_time",
    msg: most(messageNames, (value) => typeof value === "string") ?? "_msg",
  };
}

function isTime(value: unknown): boolean {
  if (typeof value === "number") return value > 0;
  if (typeof value !== "string") return false;
  // The service reads RFC 3339 and epoch numbers, not times without a zone.
  const found = isoTime(value);
  return (
    (found?.length === value.length && /(Z|[+-]\d\d:\d\d)$/.test(value)) ||
    /^\d{9,19}(\.\d+)?$/.test(value)
  );
}
