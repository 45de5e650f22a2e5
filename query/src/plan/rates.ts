import type { PipeNode, StatsFunction, StatsPipe } from "../language/ast.ts";
import type { TimeRange } from "../time-range.ts";

/**
 * The pipes with what `rate` and `rate_sum` divide by: the step where rows are grouped by steps of time, else the length of the range; nothing
 * where that has no beginning.
 */
export function withRates(pipes: readonly PipeNode[], range: TimeRange): readonly PipeNode[] {
  return pipes.map((pipe) => (pipe.kind === "stats" ? rated(pipe, range) : pipe));
}

function rated(pipe: StatsPipe, range: TimeRange): StatsPipe {
  if (!pipe.functions.some(isRate)) return pipe;
  const seconds = stepSeconds(pipe) ?? lengthSeconds(range);
  if (seconds === undefined) return pipe;
  const functions = pipe.functions.map((each) => (isRate(each) ? { ...each, seconds } : each));
  return { ...pipe, functions };
}

function isRate({ name }: StatsFunction): boolean {
  return name === "rate" || name === "rate_sum";
}

function stepSeconds({ by }: StatsPipe): number | undefined {
  const bucket = by.find(({ field }) => field === "_time")?.bucket;
  return bucket?.kind === "time" ? bucket.step.ms / 1e3 + bucket.step.ns / 1e9 : undefined;
}

/** A range that begins with 1970 or before is one that was left open. */
function lengthSeconds({ from, to }: TimeRange): number | undefined {
  const seconds = (to.ms - from.ms) / 1e3 + (to.ns - from.ns) / 1e9;
  return from.ms > 0 && seconds > 0 && Number.isFinite(seconds) ? seconds : undefined;
}
