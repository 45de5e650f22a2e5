import { poissonInterval } from "./poisson.ts";

/** What a member sees of its ensemble. */
export type EnsembleState =
  /** A leader serves, and this member with it. */
  | "led"
  /** This member looks for a leader. */
  | "electing"
  /** One is elected: discovery and synchronisation, until it serves and this member with it. */
  | "recovering";

export const ensembleStates: readonly EnsembleState[] = ["led", "electing", "recovering"];

export type ByState = Readonly<Record<EnsembleState, number>>;

/** What was observed: the time in each state, and how often one followed the other. */
export interface StateHistory {
  readonly inMs: ByState;
  /** By the state that was left, then by the one that followed it. */
  readonly counts: Readonly<Record<EnsembleState, ByState>>;
}

/** How often one state follows another, in each hour of the first. */
export interface TransitionRate {
  readonly from: EnsembleState;
  readonly to: EnsembleState;
  /** How often it was observed. */
  readonly count: number;
  /** Undefined where the state was never observed. */
  readonly perHour: number | undefined;
  /** The 95 % confidence interval of `perHour`. */
  readonly perHourLow: number | undefined;
  readonly perHourHigh: number | undefined;
}

/** A continuous-time Markov chain with the rates that a history shows. Undefined is what the history does not tell. */
export interface AvailabilityModel {
  readonly rates: readonly TransitionRate[];
  /** The share of time in each state in the long run. */
  readonly steadyState: ByState | undefined;
  /** The steady state's share of `led`. */
  readonly availability: number | undefined;
  /** The same with `led` left as often as the 95 % interval of that allows. */
  readonly availabilityLow: number | undefined;
  /** From leaving `led` to being there again, on average. */
  readonly recoverMsMean: number | undefined;
}

type Rates = Readonly<Record<EnsembleState, ByState>>;

/** `state` is the one that the member is in now: the long run starts there. */
export function availabilityModel(history: StateHistory, state: EnsembleState): AvailabilityModel {
  const rates = ensembleStates.flatMap((from) =>
    ensembleStates.filter((to) => to !== from).map((to) => rateOf(history, from, to)),
  );
  const perHour = perHourOf(history);
  const steadyState = steadyStateOf(perHour, state);
  const recoverHours = recoverHoursOf(history, perHour);
  return {
    rates,
    steadyState,
    availability: steadyState?.led,
    availabilityLow: availabilityLow(history, recoverHours),
    recoverMsMean: recoverHours === undefined ? undefined : recoverHours * hourMs,
  };
}

const hourMs = 3_600_000;

function rateOf(history: StateHistory, from: EnsembleState, to: EnsembleState): TransitionRate {
  const count = history.counts[from][to];
  const hours = history.inMs[from] / hourMs;
  const { low, high } = poissonInterval(count);
  const over = (value: number): number | undefined => (hours > 0 ? value / hours : undefined);
  return { from, to, count, perHour: over(count), perHourLow: over(low), perHourHigh: over(high) };
}

function perHourOf({ counts, inMs }: StateHistory): Rates {
  const from = (state: EnsembleState): ByState => {
    const hours = inMs[state] / hourMs;
    const to = (next: EnsembleState): number => (hours > 0 ? counts[state][next] / hours : 0);
    return { led: to("led"), electing: to("electing"), recovering: to("recovering") };
  };
  return { led: from("led"), electing: from("electing"), recovering: from("recovering") };
}

/**
 * The solution of πQ = 0 over the states that can be reached. By the Markov chain tree theorem a state's share is
 * proportional to the sum over all spanning trees that point to it of the product of their rates: nothing is subtracted, so
 * nothing cancels, however far apart the rates lie.
 */
function steadyStateOf(rates: Rates, state: EnsembleState): ByState | undefined {
  const reachable = reachableFrom(rates, state);
  const weightOf = (root: EnsembleState): number => {
    if (!reachable.includes(root)) return 0;
    return treesTo(
      root,
      reachable.filter((other) => other !== root),
      rates,
    );
  };
  const led = weightOf("led");
  const electing = weightOf("electing");
  const recovering = weightOf("recovering");
  const sum = led + electing + recovering;
  // Two states that are never left: where it ends is chance.
  if (sum === 0) return undefined;
  return { led: led / sum, electing: electing / sum, recovering: recovering / sum };
}

function reachableFrom(rates: Rates, state: EnsembleState): readonly EnsembleState[] {
  const reached = [state];
  // The list grows while it is walked.
  for (const from of reached) {
    for (const to of ensembleStates) {
      if (rates[from][to] > 0 && !reached.includes(to)) reached.push(to);
    }
  }
  return reached;
}

function treesTo(root: EnsembleState, others: readonly EnsembleState[], rates: Rates): number {
  const [a, b] = others;
  if (a === undefined) return 1;
  if (b === undefined) return rates[a][root];
  const toRoot = rates[a][root] * rates[b][root];
  return toRoot + rates[a][b] * rates[b][root] + rates[b][a] * rates[a][root];
}

/** From the states that follow `led`, as often as they do; from an election as long as it was never left. */
function recoverHoursOf({ counts }: StateHistory, rates: Rates): number | undefined {
  const { electing, recovering } = counts.led;
  const left = electing + recovering;
  if (left === 0) return hoursToLed("electing", rates);
  let hours = 0;
  for (const [next, count] of [
    ["electing", electing],
    ["recovering", recovering],
  ] as const) {
    if (count === 0) continue;
    const each = hoursToLed(next, rates);
    if (each === undefined) return undefined;
    hours += (count / left) * each;
  }
  return hours;
}

/** The mean first passage time; undefined when it may never come, as far as was seen. */
function hoursToLed(from: "electing" | "recovering", rates: Rates): number | undefined {
  const other = from === "electing" ? "recovering" : "electing";
  const across = rates[from][other];
  const home = rates[from].led;
  if (across === 0) return home > 0 ? 1 / home : undefined;
  const back = rates[other][from];
  const otherHome = rates[other].led;
  const determinant = home * otherHome + home * back + across * otherHome;
  return determinant > 0 && back + otherHome > 0
    ? (otherHome + back + across) / determinant
    : undefined;
}

/** `led` lasts 1/λ on average, and what follows the mean time to recover: so the share is 1/(1 + λ·MTTR). */
function availabilityLow(
  { counts, inMs }: StateHistory,
  recoverHours: number | undefined,
): number | undefined {
  const hours = inMs.led / hourMs;
  if (recoverHours === undefined || hours === 0) return undefined;
  const { high } = poissonInterval(counts.led.electing + counts.led.recovering);
  return 1 / (1 + (high / hours) * recoverHours);
}
