import { Prng } from "../../kit/src/prng.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** What can go wrong with the made-up fleet. */
export const troubles = ["payments", "database", "search", "mail"] as const;
export type Trouble = (typeof troubles)[number];

/** How much a moment of the day carries, about 1 on average: few at night, most in the evening. */
export function loadAt(ms: number): number {
  const hour = (ms % dayMs) / hourMs;
  const main = Math.sin(((hour - 10) / 24) * 2 * Math.PI);
  const lunch = Math.exp(-((hour - 12.5) ** 2) / 2);
  return 1 + 0.55 * main + 0.25 * lunch;
}

/** Lengths of the slots that have one incident each: long ones to be seen in a day, short ones to watch. */
const slots = [
  { lengthMs: 4 * hourMs, shortestMs: 6 * minuteMs, longestMs: 18 * minuteMs },
  { lengthMs: 10 * minuteMs, shortestMs: 20_000, longestMs: 50_000 },
];

/** What is wrong at a moment; the same for the same moment, so that backfill and live traffic fit together. */
export function troublesAt(ms: number): ReadonlySet<Trouble> {
  const found = new Set<Trouble>();
  for (const { lengthMs, shortestMs, longestMs } of slots) {
    const slot = Math.floor(ms / lengthMs);
    const random = new Prng(slot ^ lengthMs);
    const trouble = random.pick(troubles);
    const duration = shortestMs + random.below(longestMs - shortestMs);
    const start = slot * lengthMs + random.below(lengthMs - duration);
    if (ms >= start && ms < start + duration) found.add(trouble);
  }
  return found;
}

/**
 * So many moments between two times, ascending, denser where the day is busy and where something is
 * wrong, since whoever gets an error tries again.
 */
export function* moments(options: {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
  readonly random: Prng;
}): Generator<number> {
  const { fromMs, toMs, count, random } = options;
  const steps = Math.max(1, Math.ceil((toMs - fromMs) / minuteMs));
  const stepMs = (toMs - fromMs) / steps;
  const weights = Array.from({ length: steps }, (_, step) => {
    const middle = fromMs + (step + 0.5) * stepMs;
    return loadAt(middle) * (1 + 0.6 * troublesAt(middle).size);
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let due = 0;
  for (const [step, weight] of weights.entries()) {
    due += (weight / total) * count;
    const whole = Math.floor(due);
    due -= whole;
    const offsets = Array.from({ length: whole }, () => random.unit() * stepMs);
    offsets.sort((a, b) => a - b);
    for (const offset of offsets) yield Math.floor(fromMs + step * stepMs + offset);
  }
}
