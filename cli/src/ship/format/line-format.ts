import type { Moment } from "../../../../kit/src/time.ts";
import type { TimeContext } from "../timestamp.ts";

/** What a line says. Absent: it does not say. */
export interface ParsedLine {
  readonly time?: Moment | undefined;
  readonly level?: string | undefined;
  readonly msg: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** One form of lines. */
export interface LineFormat {
  readonly name: string;
  /** Undefined when the line is not of this form. */
  parse(line: string, context: TimeContext): ParsedLine | undefined;
  /** Whether the record goes on in `next`, as the form itself says. */
  goesOn?(line: string, next: string): boolean;
}

/** Levels by one name each, so that a search for `level:error` finds all of them. */
export function levelOf(word: string): string {
  const lower = word.toLowerCase();
  switch (lower) {
    case "warning":
      return "warn";
    case "err":
    case "severe":
      return "error";
    case "crit":
      return "critical";
    case "emergency":
      return "emerg";
    case "information":
      return "info";
    default:
      return lower;
  }
}

const severities = ["emerg", "alert", "critical", "error", "warn", "notice", "info", "debug"];

/** The level of a syslog severity, 0 to 7. */
export function levelOfSeverity(severity: number): string {
  return severities[severity] ?? "info";
}
