import type { Range } from "./api.ts";

/** A span that ends now, or one between two moments (ms since the epoch). */
export type TimeChoice =
  | { readonly kind: "last"; readonly minutes: number }
  | { readonly kind: "between"; readonly from: number; readonly to: number };

export const lastChoices: readonly { readonly minutes: number; readonly label: string }[] = [
  { minutes: 15, label: "15 minutes" },
  { minutes: 60, label: "hour" },
  { minutes: 360, label: "6 hours" },
  { minutes: 1440, label: "24 hours" },
  { minutes: 10_080, label: "7 days" },
  { minutes: 43_200, label: "30 days" },
];

export function rangeOf(choice: TimeChoice, now: number): Range {
  const from = choice.kind === "last" ? now - choice.minutes * 60_000 : choice.from;
  const to = choice.kind === "last" ? now : choice.to;
  return { start: new Date(from).toISOString(), end: new Date(to).toISOString() };
}

const two = (value: number): string => String(value).padStart(2, "0");

/** A moment in local time as `<input type="datetime-local">` wants it. */
export function localText(ms: number): string {
  const date = new Date(ms);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A record's `_time` in local time, with milliseconds. */
export function shownTime(time: string): string {
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) return time;
  return `${localText(ms).replace("T", " ")}.${String(new Date(ms).getMilliseconds()).padStart(3, "0")}`;
}
