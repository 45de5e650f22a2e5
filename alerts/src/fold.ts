import type { AlertEntry, OutboxItem, RuleState } from "./entry.ts";
import { History } from "./history.ts";
import { doneKeptMax } from "./limits.ts";
import type { Notification } from "./notification.ts";
import type { Rule } from "./rule.ts";

/** A rule's state as the journal has it. */
export interface FoldedRule {
  readonly tenant: string;
  readonly ruleId: string;
  readonly state: RuleState;
  /** When it was written. */
  readonly atMs: number;
}

/** A delivery that has not ended. */
export interface WaitingItem {
  readonly tenant: string;
  readonly ruleId: string;
  readonly definition: Rule;
  readonly item: OutboxItem;
  readonly notification: Notification;
  /** When it was last written. */
  readonly atMs: number;
}

/** What a journal comes to. */
export interface Folded {
  /** By the rule's id. */
  readonly rules: ReadonlyMap<string, FoldedRule>;
  /** In the order in which they were made. */
  readonly waiting: readonly WaitingItem[];
  readonly history: History;
  /** The newest epoch of the evaluator role that wrote; -1 for an empty journal. */
  readonly epoch: number;
}

/**
 * Reads a journal from its beginning: the last state of a rule counts, a delivery waits until it is done, and what an
 * evaluator wrote after a later one had begun to write does not count, since it had lost the role by then.
 */
export async function foldJournal(entries: AsyncIterable<AlertEntry>): Promise<Folded> {
  const fold = new Fold();
  for await (const entry of entries) fold.add(entry);
  return fold.folded();
}

class Fold {
  readonly #rules = new Map<string, FoldedRule>();
  readonly #waiting = new Map<string, WaitingItem>();
  #done = new Set<string>();
  #doneBefore: ReadonlySet<string> = new Set();
  readonly #history = new History();
  #epoch = -1;

  add(entry: AlertEntry): void {
    if (entry.epoch < this.#epoch) return;
    this.#epoch = entry.epoch;
    switch (entry.kind) {
      case "state":
        this.#addState(entry);
        break;
      case "done": {
        const { tenant, outboxId, outcome, attempts, reason } = entry;
        const waiting = this.#waiting.get(outboxId);
        this.#noteDone(outboxId);
        if (waiting === undefined) return;
        this.#waiting.delete(outboxId);
        this.#history.note(tenant, waiting.item, { outcome, attempts, reason });
        break;
      }
      case "gone":
        this.#rules.delete(entry.ruleId);
        break;
    }
  }

  folded(): Folded {
    return {
      rules: this.#rules,
      waiting: [...this.#waiting.values()],
      history: this.#history,
      epoch: this.#epoch,
    };
  }

  /** Weeks of deliveries would not fit memory: the older half is let go at once. */
  #noteDone(outboxId: string): void {
    if (this.#done.size >= doneKeptMax / 2) {
      this.#doneBefore = this.#done;
      this.#done = new Set();
    }
    this.#done.add(outboxId);
  }

  #isDone(outboxId: string): boolean {
    return this.#done.has(outboxId) || this.#doneBefore.has(outboxId);
  }

  #addState(entry: Extract<AlertEntry, { readonly kind: "state" }>): void {
    const { tenant, ruleId, state, atMs, notifications, outbox } = entry;
    this.#rules.set(ruleId, { tenant, ruleId, state, atMs });
    this.#history.add(tenant, atMs, notifications, outbox);
    const byKey = new Map(notifications.map((each) => [each.dedupeKey, each]));
    for (const item of outbox) {
      const notification = byKey.get(item.dedupeKey);
      // Items are written again for the journal's retention: what was done meanwhile stays so.
      if (notification === undefined || this.#isDone(item.id)) continue;
      const { definition } = state;
      this.#waiting.set(item.id, { tenant, ruleId, definition, item, notification, atMs });
    }
  }
}
