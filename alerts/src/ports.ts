import type { Closable } from "../../kit/src/lifecycle.ts";
import type { AlertEntry } from "./entry.ts";
import type { Notification } from "./notification.ts";
import type { Receiver, Rule } from "./rule.ts";

/**
 * What the alerts room asks of others. It stores nothing, queries nothing and sends nothing by itself:
 * `services` hands it these.
 */

/** A rule as it is kept. */
export interface StoredRule {
  readonly tenant: string;
  /** Drawn when a rule of this name was created: another one of the same name later has another id. */
  readonly id: string;
  /** Raised with each change, from 0. */
  readonly version: number;
  readonly rule: Rule;
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** The rules of all tenants, kept in the coordinator and followed by watch. */
export interface RuleStore extends Closable {
  list(): readonly StoredRule[];
  /** Calls after each change of the list, within a second of it; returns how to stop. */
  onChange(listener: () => void): () => void;
  /**
   * Creates a rule, or replaces the one of that name. With `version`, only when that is the one there is (-1: none).
   * `by` is the name of the key that asked, for the audit journal. Rejects with `alerts.version-mismatch`, and with `alerts.too-many`
   * beyond the tenant's limit.
   */
  put(tenant: string, rule: Rule, version?: number, by?: string): Promise<StoredRule>;
  /** Rejects with `request.not-found`, `alerts.version-mismatch`. */
  delete(tenant: string, name: string, version?: number, by?: string): Promise<void>;
}

/** Where the state of rules and the outbox lie: appended, never changed, on disk before it is acknowledged. */
export interface AlertJournal {
  /** Resolves when all of them are on disk; they are there together or not at all. */
  append(entries: readonly AlertEntry[]): Promise<void>;
  /** All entries that are kept, in the order of their appends. */
  read(): AsyncIterable<AlertEntry>;
}

/** A record as queries give it: texts by field, `_time` among them. */
export type AlertRecord = Readonly<Record<string, string>>;

/** Half open, in milliseconds since the epoch. */
export interface EvaluationRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Asks the index. Both reject with a `ServiceError`, and with its reason when the signal aborts. Times of a query that
 * count from now, as `_time:5m`, count from the range's `toMs`, so that a tick has one answer whenever it is asked:
 * `resolveTimes(parseQuery(query), range.toMs)`.
 */
export interface Evaluator {
  /** The rows of a whole query. A partial answer is rejected: a rule must not resolve for want of a shard. */
  rows(
    tenant: string,
    query: string,
    range: EvaluationRange,
    signal: AbortSignal,
  ): Promise<readonly AlertRecord[]>;
  /** The newest records that match the query, which is a filter without pipes, at most `limit`. */
  lines(
    tenant: string,
    query: string,
    range: EvaluationRange,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly AlertRecord[]>;
}

/** Records that matched, of one turn. */
export interface MatchBatch {
  readonly count: number;
  /** The newest of them, at most as many as notifications carry. */
  readonly lines: readonly AlertRecord[];
  /** Where to go on after this batch. */
  readonly progress: string;
}

/** Follows committed records. */
export interface MatchSource {
  /**
   * Calls with what matches the query from behind `after` on (undefined: from now), each record once, one call at a time,
   * within a second of its commit. Also called with a count of 0, now and then, when only the progress has moved.
   * The returned promise ends when the signal aborts, and rejects when it cannot go on (it is begun again then).
   */
  follow(
    options: {
      readonly tenant: string;
      readonly query: string;
      readonly after: string | undefined;
      readonly linesMax: number;
      readonly signal: AbortSignal;
    },
    onBatch: (batch: MatchBatch) => Promise<void>,
  ): Promise<void>;
}

/** Sends one notification to one receiver, once. */
export interface Sender {
  /**
   * Resolves when the receiver took it. Rejects with a `DeliveryError` that says whether another attempt
   * is worth it.
   */
  send(receiver: Receiver, notification: Notification, signal: AbortSignal): Promise<void>;
}
