import type { Moment } from "../../kit/src/time.ts";

/** A half-open range of time: `from` is in it, `to` is not. */
export interface TimeRange {
  readonly from: Moment;
  readonly to: Moment;
}
