import { assert } from "../../../../kit/src/assert.ts";
import { type Moment, momentCompare, momentPrint } from "../../../../kit/src/time.ts";
import type { TimeBound, TimeNode } from "../../../../query/src/language/ast.ts";
import type { TimeRange } from "../../../../query/src/time-range.ts";
import { documentFields } from "../field-name.ts";
import { type Clause, everything, exactly, type Narrowed } from "./clause.ts";

/** What 64-bit nanoseconds end with; a later moment is indexed as this one. */
const last: Moment = { ms: 9_223_372_036_854, ns: 775_807 };

const first: Moment = { ms: 0, ns: 0 };

/** `_time:[a, b)`. */
export function inTimes({ from, to }: TimeNode): Narrowed {
  const clause = betweenTimes({ from: momentOf(from), to: momentOf(to) });
  if (clause === "all") return everything;
  // Where the axis ends, several moments are indexed as one.
  const isWhole = [from, to].every(
    (bound) => bound === undefined || momentCompare(momentOf(bound) ?? first, last) < 0,
  );
  return isWhole ? exactly(clause) : { may: clause, must: "none" };
}

/** Records from a range of time, and none before or behind it but where the axis ends. */
export function betweenTimes(range: {
  readonly from: Moment | undefined;
  readonly to: Moment | undefined;
}): Clause {
  const { from, to } = range;
  if (to !== undefined && momentCompare(to, first) <= 0) return "none";
  const gte = from === undefined || momentCompare(from, first) <= 0 ? undefined : from;
  const lt = to === undefined || momentCompare(to, last) >= 0 ? undefined : to;
  if (gte === undefined && lt === undefined) return "all";
  return {
    range: {
      [documentFields.timestamp]: {
        ...(gte === undefined ? {} : { gte: printed(gte) }),
        ...(lt === undefined ? {} : { lt: momentPrint(lt) }),
        format: "strict_date_optional_time_nanos",
      },
    },
  };
}

/** Whether the index tells moments of the range apart as finely as records do. */
export function isTellable({ to }: TimeRange): boolean {
  return momentCompare(to, last) < 0;
}

function printed(moment: Moment): string {
  return momentPrint(momentCompare(moment, last) > 0 ? last : moment);
}

function momentOf(bound: TimeBound | undefined): Moment | undefined {
  assert(bound?.kind !== "ago", "times are resolved before a filter is translated");
  return bound;
}
