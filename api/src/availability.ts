import { z } from "zod";

const stateSchema = z.enum(["led", "electing", "recovering"]);
const amount = z.number().min(0);
const share = z.number().min(0).max(1);

function byState<Schema extends z.ZodType>(of: Schema) {
  return z.strictObject({ led: of, electing: of, recovering: of });
}

const propagationSchema = z.strictObject({
  durationMs: amount,
  txns: z.int().min(0).describe("ΔZ: txns that this member has applied as committed."),
  synchronised: z.int().min(0).describe("N: members that have them, as far as this one knows."),
  notifications: z.int().min(0).describe("M: watch notifications that this member has sent."),
  txnsPerMember: amount.describe("ΔZ/N."),
  txnsPerNotification: amount.optional().describe("ΔZ/M; absent when M is 0."),
});

export const availabilityAnswerSchema = z
  .strictObject({
    mode: z.string().describe("standalone, leader, follower, observer, read-only or looking."),
    state: stateSchema.describe("What this member sees of its ensemble now."),
    stateMs: amount.describe("For how long."),
    beganMs: amount.describe("Since when it keeps count, in milliseconds since 1970."),
    runs: z.int().min(1).describe("Starts of this member since then."),
    observedMs: byState(amount).describe("Time in each state, over all runs."),
    unobservedMs: amount.describe("Time in which this member did not run: it counts for no state."),
    rates: z
      .array(
        z.strictObject({
          from: stateSchema,
          to: stateSchema,
          count: z.int().min(0).describe("How often it was observed."),
          perHour: amount.optional().describe("Of time in `from`; absent when there was none."),
          perHourLow: amount.optional().describe("Of its 95 % confidence interval."),
          perHourHigh: amount.optional(),
        }),
      )
      .describe("Of the Markov chain."),
    steadyState: byState(share).optional().describe("Shares of time in the long run: πQ = 0."),
    availability: share.optional().describe("The share of led."),
    availabilityLow: share
      .optional()
      .describe("The same if led is left as often as the 95 % interval of that allows."),
    recoverMsMean: amount.optional().describe("From leaving led to being there again, on average."),
    propagation: z.strictObject({ window: propagationSchema, sinceStart: propagationSchema }),
  })
  .meta({ id: "AvailabilityAnswer" });

export type AvailabilityAnswer = z.output<typeof availabilityAnswerSchema>;
export type AvailabilityState = z.output<typeof stateSchema>;
