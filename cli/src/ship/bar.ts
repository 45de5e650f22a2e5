import type { CliIo } from "../io.ts";
import { printCount, printDurationRough, printSize } from "../numbers.ts";
import type { Meter } from "./source.ts";

/** How often the line is drawn, in milliseconds. */
const drawMs = 100;

const barWidth = 24;

/** What the bar shows. */
export interface BarFacts extends Meter {
  readonly records: number;
  readonly elapsedMs: number;
}

/** One line on stderr, drawn over and over while a run goes on; nothing where stderr is no terminal. */
export class ProgressBar {
  readonly #io: CliIo;
  readonly #facts: () => BarFacts;
  #timer: NodeJS.Timeout | undefined;

  constructor(io: CliIo, facts: () => BarFacts) {
    this.#io = io;
    this.#facts = facts;
    if (io.isErrTTY ?? io.isTTY) {
      this.#timer = setInterval(() => this.#draw(), drawMs);
      this.#timer.unref();
    }
  }

  /** Writes a line above the bar. */
  say(text: string): void {
    this.#clear();
    this.#io.stderr.write(`${text}\n`);
  }

  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#clear();
    this.#timer = undefined;
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#io.stderr.write("\r\u001b[K");
  }

  #draw(): void {
    this.#io.stderr.write(`\r${barText(this.#facts(), this.#io.columns ?? 80)}\u001b[K`);
  }
}

/** `[####----] 50 %  12.0 MiB of 24.0 MiB  61,000 records  120,000/s  1s left`, cut to the columns. */
export function barText(
  { totalBytes, readBytes, records, elapsedMs }: BarFacts,
  columns: number,
): string {
  const seconds = Math.max(elapsedMs, 1) / 1000;
  const rate = `${printCount(records)} records  ${printCount(Math.round(records / seconds))}/s`;
  if (totalBytes === undefined) {
    return `${printSize(readBytes)}  ${rate}`.slice(0, Math.max(0, columns - 1));
  }
  const share = totalBytes === 0 ? 1 : Math.min(1, readBytes / totalBytes);
  const full = Math.round(share * barWidth);
  const leftMs = share > 0 && share < 1 ? (elapsedMs / share) * (1 - share) : 0;
  const left = leftMs < 1000 ? "" : `  ${printDurationRough(leftMs)} left`;
  const bar = `[${"#".repeat(full)}${"-".repeat(barWidth - full)}]`;
  const size = `${printSize(readBytes)} of ${printSize(totalBytes)}`;
  const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
  return `${bar} ${percent}  ${size}  ${rate}${left}`.slice(0, Math.max(0, columns - 1));
}
