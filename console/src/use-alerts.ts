import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Alert, AlertEvent, RuleListed } from "../../api/src/alerts.ts";
import { alerts, history, rules } from "./alerts-api.ts";
import { type Problem, shownProblem } from "./api.ts";
import { type Polling, startPolling, tabPage } from "./poll.ts";

const everyMs = 5000;
/** After failures in a row: as rarely as this. */
const waitMsMax = 60_000;
/** A request that hangs must not end the asking. */
const requestMsMax = 15_000;
/** Notifications carry their lines, so they are asked for only when there may be others, or now and then. */
const historyMsMax = 30_000;

/** The last that was heard; a failure leaves it as it was. */
export interface AlertsState {
  readonly alerts: readonly Alert[] | undefined;
  /** Undefined until the alerts were looked at. */
  readonly rules: readonly RuleListed[] | undefined;
  readonly events: readonly AlertEvent[] | undefined;
  /** When the events were asked for, in milliseconds since the epoch. */
  readonly eventsMs: number;
  /** When all was last heard, in milliseconds since the epoch. */
  readonly heardMs: number | undefined;
  /** Why the latest attempt failed. */
  readonly problem: Problem | undefined;
  /** When it was last tried: what relative times are told against. */
  readonly nowMs: number;
}

const nothing: AlertsState = {
  alerts: undefined,
  rules: undefined,
  events: undefined,
  eventsMs: 0,
  heardMs: undefined,
  problem: undefined,
  nowMs: 0,
};

/**
 * Follows the alerts while the page is visible; rules and notifications too when the whole is wanted.
 * Gives how to ask at once.
 */
export function useAlerts(isWhole: boolean): [AlertsState, () => void] {
  const [state, setState] = useState(nothing);
  const latest = useRef(state);
  const polling = useRef<Polling | undefined>(undefined);
  useEffect(() => {
    // What was changed by hand, or not seen for a while, is asked for whatever its age.
    latest.current = { ...latest.current, eventsMs: 0 };
    const ask = async (stopped: AbortSignal): Promise<void> => {
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(requestMsMax)]);
      const { heard, failure } = await askOnce(latest.current, isWhole, signal);
      if (stopped.aborted) return;
      const nowMs = Date.now();
      const problem = failure === undefined ? undefined : shownProblem(failure.reason);
      const heardMs = failure === undefined ? nowMs : latest.current.heardMs;
      latest.current = { ...latest.current, ...heard, problem, heardMs, nowMs };
      setState(latest.current);
      if (failure !== undefined) throw failure.reason;
    };
    polling.current = startPolling({ ask, everyMs, waitMsMax, page: tabPage });
    return () => polling.current?.stop();
  }, [isWhole]);
  const refresh = useCallback(() => {
    latest.current = { ...latest.current, eventsMs: 0 };
    polling.current?.now();
  }, []);
  return [state, refresh];
}

/** What was answered, and the first failure among the answers: one that fails does not hide the others. */
async function askOnce(
  was: AlertsState,
  isWhole: boolean,
  signal: AbortSignal,
): Promise<{ readonly heard: Partial<AlertsState>; readonly failure: Failure | undefined }> {
  const now = Date.now();
  const [alertsNow, rulesNow] = await Promise.allSettled([
    alerts(signal),
    isWhole ? rules(signal) : undefined,
  ]);
  const mayDiffer =
    now - was.eventsMs > historyMsMax ||
    standing(answerOf(alertsNow)) !== standing(was.alerts) ||
    was.events?.some(({ deliveries }) => deliveries.some((each) => each.outcome === "waiting"));
  const [events] = await Promise.allSettled([
    isWhole && mayDiffer !== false ? history(signal) : undefined,
  ]);
  const eventsNow = answerOf(events);
  return {
    heard: {
      alerts: answerOf(alertsNow) ?? was.alerts,
      rules: answerOf(rulesNow) ?? was.rules,
      ...(eventsNow === undefined ? {} : { events: eventsNow, eventsMs: now }),
    },
    failure: [alertsNow, rulesNow, events].find((each) => each.status === "rejected"),
  };
}

/** Which alerts there are, and how they stand; not their counts and links, which change all the time. */
function standing(all: readonly Alert[] | undefined): string {
  return JSON.stringify(
    all?.map(({ rule, labels, status, startsAt }) => [rule, labels, status, startsAt]),
  );
}

type Failure = PromiseRejectedResult;

function answerOf<T>(settled: PromiseSettledResult<T>): T | undefined {
  return settled.status === "fulfilled" ? settled.value : undefined;
}
