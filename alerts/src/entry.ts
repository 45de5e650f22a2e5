import type { Notification } from "./notification.ts";
import type { Rule } from "./rule.ts";

/** The state of one alert instance: of a rule, or of one group of its threshold. Inactive ones are not kept. */
export interface InstanceState {
  /** The group's labels, names sorted, as JSON; `{}` for a rule without groups. */
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly phase: "pending" | "firing";
  /** When the condition first held (pending), in milliseconds since the epoch. */
  readonly activeMs: number;
  /** When it began to fire; undefined while pending. */
  readonly firingMs: number | undefined;
  /** When the condition was last seen to hold, as far as it was written. */
  readonly lastTrueMs: number;
  /** Match: records so far. Threshold: the last value. */
  readonly count: number;
}

/** The whole state of a rule: what an entry says replaces what earlier ones said. */
export interface RuleState {
  /** Of the rule's type, query and timing: with another one the instances begin anew. */
  readonly fingerprint: string;
  /** The rule as it was watched, without secrets: what it fired can be resolved when the rule is gone. */
  readonly definition: Rule;
  readonly instances: readonly InstanceState[];
  /** Threshold: the last tick that was evaluated. */
  readonly tickMs: number | undefined;
  /** Match: where to go on. */
  readonly progress: string | undefined;
}

/** A notification on its way to one receiver of its rule. */
export interface OutboxItem {
  /** `dedupeKey` and the receiver's number: unique. */
  readonly id: string;
  /** Which of the entry's notifications. */
  readonly dedupeKey: string;
  /** Index in the rule's `notify` when it was made, and its URL, which tell the receiver and survive edits. */
  readonly receiver: number;
  readonly url: string;
  readonly createdMs: number;
}

/**
 * A line of the journal. `state`: a rule's new state, the notifications that it brings and their way to the receivers,
 * in one entry, so that none is there without the others. `done`: a delivery ended. `gone`: a rule was deleted.
 * `epoch` is that of the evaluator role: an entry of an older one behind a newer one does not count.
 */
export type AlertEntry =
  | {
      readonly kind: "state";
      readonly epoch: number;
      readonly atMs: number;
      readonly tenant: string;
      readonly ruleId: string;
      readonly rule: string;
      readonly state: RuleState;
      /** Also those that have no receiver: they are history. */
      readonly notifications: readonly Notification[];
      readonly outbox: readonly OutboxItem[];
    }
  | {
      readonly kind: "done";
      readonly epoch: number;
      readonly atMs: number;
      readonly tenant: string;
      readonly outboxId: string;
      readonly outcome: "delivered" | "refused" | "expired";
      readonly attempts: number;
      /** Why it was not delivered. */
      readonly reason: string | undefined;
    }
  | {
      readonly kind: "gone";
      readonly epoch: number;
      readonly atMs: number;
      readonly tenant: string;
      readonly ruleId: string;
    };
