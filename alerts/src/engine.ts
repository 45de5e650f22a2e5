import type { Alert, AlertEvent, AlertTest, RuleListed } from "../../api/src/alerts.ts";
import type { Clock } from "../../kit/src/clock.ts";
import type { Closable } from "../../kit/src/lifecycle.ts";
import type { Logger } from "../../kit/src/logger.ts";
import type { AlertJournal, Evaluator, MatchSource, RuleStore, Sender } from "./ports.ts";
import type { Rule } from "./rule.ts";
import type { Scheduler, SchedulerHandlers } from "./scheduler.ts";

/** What the alerts room stands on. It closes the scheduler that it opened, and none of the others. */
export interface AlertsOptions {
  /** Loaded before it is handed over: a rule that it does not list counts as deleted. */
  readonly rules: RuleStore;
  readonly journal: AlertJournal;
  readonly evaluator: Evaluator;
  readonly matches: MatchSource;
  readonly sender: Sender;
  /** Called once, at open: an `InProcessScheduler`, or one on Redis. */
  readonly openScheduler: (handlers: SchedulerHandlers) => Promise<Scheduler>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The URL of the console's search for a query between two moments, in milliseconds since the epoch. */
  readonly linkOf: (tenant: string, query: string, fromMs: number, toMs: number) => string;
  /** Setting `alerts.linesMax`. */
  readonly linesMax: number;
  /** Setting `alerts.deliveryRetryMs`. */
  readonly deliveryRetryMs: number;
  /** Of the evaluator role: raised each time the role is taken, so that entries of an earlier holder do not count. */
  readonly epoch: number;
}

/** Counters since the start, and what there is now; for `/metrics`. */
export interface AlertFigures {
  /** Evaluations of thresholds, failed ones among them. */
  readonly evaluations: number;
  readonly evaluationFailures: number;
  /** Time that they took together, in seconds. */
  readonly evaluationSeconds: number;
  /** Records that matched, of match rules. */
  readonly matched: number;
  /** Deliveries that ended, by how; `failed` are attempts that are made again. */
  readonly delivered: number;
  readonly refused: number;
  readonly expired: number;
  readonly failed: number;
  readonly rules: number;
  readonly pending: number;
  readonly firing: number;
  /** Deliveries that have not ended. */
  readonly outboxWaiting: number;
}

/**
 * The alerts of all tenants: evaluates rules when the scheduler says so, follows records for match rules, keeps every
 * alert's state in the journal and delivers notifications at least once. Opened by whoever holds the evaluator role.
 */
export class Alerts implements Closable {
  private constructor() {}

  /** Reads the journal and takes up the work where it stood. Rejects when the journal or the scheduler cannot be opened. */
  static open(_options: AlertsOptions): Promise<Alerts> {
    return Promise.reject(new Error("not built yet"));
  }

  /** The tenant's rules by name, with secrets in them: mask them before they leave the service. */
  rules(_tenant: string): readonly RuleListed[] {
    return [];
  }

  /** The tenant's alerts that are pending or fire, those that fire first. */
  alerts(_tenant: string): readonly Alert[] {
    return [];
  }

  /** Notifications of the tenant, newest first; as many as memory keeps, at most `limit`, of one rule by its name. */
  history(
    _tenant: string,
    _options: { readonly limit: number; readonly rule?: string | undefined },
  ): readonly AlertEvent[] {
    return [];
  }

  /**
   * Sends a notification that says it is a test to every receiver of a rule, by its name or as it is written, and
   * tells what each said. Nothing of it is kept or repeated. Rejects with `request.not-found`.
   */
  testNotification(_tenant: string, _rule: string | Rule): Promise<AlertTest> {
    return Promise.reject(new Error("not built yet"));
  }

  figures(): AlertFigures {
    throw new Error("not built yet");
  }

  /** Ends evaluations and attempts under way; what is not finished is taken up at the next open. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
