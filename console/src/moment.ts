import { localText } from "./range.ts";

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
] as const;

/** How long ago a moment (RFC 3339) was, as `3 min ago`; `just now` within a second, and when it lies ahead. */
export function ago(time: string, now: number): string {
  const ms = now - Date.parse(time);
  if (Number.isNaN(ms)) return time;
  return ms < 1000 ? "just now" : `${lasting(ms)} ago`;
}

/** How long something lasts, as `3 min`; what is below a second is none. */
export function lasting(ms: number): string {
  const [unit, size] = units.find(([, each]) => ms >= each) ?? (["s", 1000] as const);
  return `${Math.floor(ms / size)} ${unit}`;
}

/** A moment in local time, to the second, and its zone. */
export function absolute(time: string): string {
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) return time;
  const date = new Date(ms);
  const minutes = -date.getTimezoneOffset();
  const two = (value: number): string => String(value).padStart(2, "0");
  const away = Math.abs(minutes);
  const zone = `${minutes < 0 ? "−" : "+"}${two(Math.floor(away / 60))}:${two(away % 60)}`;
  return `${localText(ms).replace("T", " ")} UTC${minutes === 0 ? "" : zone}`;
}
