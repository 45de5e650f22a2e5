import { printCount, printDurationRough, printSize } from "../numbers.ts";
import { harmless } from "../style.ts";
import { reasonsShownMax } from "./limits.ts";

/** Different reasons that are told apart; an answer could bring a new one with every record. */
const reasonsMax = 1000;

/** What became of the records of a run. */
export class Report {
  readonly #startMs: number;
  readonly #reasons = new Map<string, { count: number; readonly first: string }>();
  accepted = 0;
  rejected = 0;
  repaired = 0;
  fallbacks = 0;
  /** Bytes of rows, before gzip. */
  bytes = 0;
  retries = 0;
  sources = 0;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  /** Notes a rejected record and where it stands. */
  reject(reason: string, place: string): void {
    const known = this.#reasons.get(reason);
    if (known !== undefined) known.count++;
    else if (this.#reasons.size < reasonsMax) this.#reasons.set(reason, { count: 1, first: place });
  }

  /** The line for stdout. */
  summary(nowMs: number): string {
    const ms = Math.max(1, nowMs - this.#startMs);
    const rate = printCount(Math.round((this.accepted * 1000) / ms));
    const files = this.sources === 1 ? "" : ` from ${printCount(this.sources)} sources`;
    return (
      `accepted ${printCount(this.accepted)}, rejected ${printCount(this.rejected)} records${files} ` +
      `(${printSize(this.bytes)} in ${printDurationRough(ms)}, ${rate}/s)\n`
    );
  }

  /** What a person should know besides, for stderr. */
  notes(): readonly string[] {
    const notes: string[] = [];
    if (this.repaired > 0) {
      notes.push(`${printCount(this.repaired)} lines held invalid UTF-8, which became U+FFFD`);
    }
    if (this.fallbacks > 0) {
      notes.push(
        `${printCount(this.fallbacks)} lines did not have the form of their file and went as text`,
      );
    }
    if (this.retries > 0) notes.push(`${printCount(this.retries)} requests were repeated`);
    const reasons = [...this.#reasons].sort(([, a], [, b]) => b.count - a.count);
    for (const [reason, { count, first }] of reasons.slice(0, reasonsShownMax)) {
      notes.push(
        `rejected ${printCount(count)}: ${harmless(reason)} (first at ${harmless(first)})`,
      );
    }
    const more = reasons.length - reasonsShownMax;
    if (more > 0) notes.push(`and ${printCount(more)} more reasons`);
    return notes;
  }
}
