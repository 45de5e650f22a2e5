import type { Clock } from "../../kit/src/clock.ts";
import { crashPoint } from "../../kit/src/crash-point.ts";
import { ServiceError } from "../../kit/src/errors.ts";
import type { AlertEntry, OutboxItem, RuleState } from "./entry.ts";
import type { WaitingItem } from "./fold.ts";
import type { History } from "./history.ts";
import { entryLinesBytesMax, notificationLinesBytesMax } from "./limits.ts";
import {
  fittingLines,
  linesBytes,
  makeNotification,
  recordsFinder,
  type Told,
} from "./make-notification.ts";
import type { Notification } from "./notification.ts";
import type { Outbox } from "./outbox.ts";
import type { AlertJournal } from "./ports.ts";
import type { Rule } from "./rule.ts";

export interface BookDeps {
  readonly journal: AlertJournal;
  readonly outbox: Outbox;
  readonly history: History;
  readonly clock: Clock;
  readonly epoch: number;
  readonly linesMax: number;
  readonly linkOf: (tenant: string, query: string, fromMs: number, toMs: number) => string;
  /** Tells the scheduler of new deliveries. */
  readonly handOver: (ids: readonly string[]) => void;
}

export interface BookOptions {
  readonly tenant: string;
  readonly ruleId: string;
  readonly state: RuleState;
  /** When the journal got this state; undefined: it has none. */
  readonly writtenMs: number | undefined;
}

type StateEntry = Extract<AlertEntry, { readonly kind: "state" }>;

/** An append whose outcome is not known to be good: it is made again before anything else. */
interface Unsettled {
  readonly entries: readonly AlertEntry[];
  readonly then: () => void;
}

/**
 * The state of one rule, in memory and in the journal. Work on it is done one after the other (`inTurn`). A change is one
 * entry with its notifications; when the append fails the very same entry is tried again first, since the journal may
 * have it nevertheless.
 */
export class RuleBook {
  readonly tenant: string;
  readonly ruleId: string;
  readonly #deps: BookDeps;
  #state: RuleState;
  #written: RuleState | undefined;
  #writtenMs: number | undefined;
  #unsettled: Unsettled | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ tenant, ruleId, state, writtenMs }: BookOptions, deps: BookDeps) {
    this.tenant = tenant;
    this.ruleId = ruleId;
    this.#deps = deps;
    this.#state = state;
    this.#written = writtenMs === undefined ? undefined : state;
    this.#writtenMs = writtenMs;
  }

  get state(): RuleState {
    return this.#state;
  }

  /** What the journal has; undefined when it has nothing. */
  get written(): RuleState | undefined {
    return this.#written;
  }

  /** By the clock; undefined with `written`. */
  get writtenMs(): number | undefined {
    return this.#writtenMs;
  }

  /** Runs when all work handed in before has ended, and what failed to be written before is. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = async (): Promise<T> => {
      await this.#settle();
      return work();
    };
    const result = this.#turn.then(run, run);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Resolves when no work is left. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  /** The new state of a tick or batch that changed nothing worth an entry. */
  remember(state: RuleState): void {
    this.#state = state;
  }

  /** The new state with what receivers of the rule are told. Only in turn. */
  async write(
    state: RuleState,
    told: readonly Told[] = [],
    { definition = state.definition }: { readonly definition?: Rule } = {},
  ): Promise<void> {
    const entry = this.#entryOf(state, told, definition);
    await this.#append([entry], () => this.#apply(entry, definition));
    crashPoint("alerts.journalled");
  }

  /** The rule's end. Only in turn; there is no state afterwards. */
  async writeGone(told: readonly Told[]): Promise<void> {
    if (this.#written === undefined) return;
    const { definition } = this.#state;
    const entry = this.#entryOf({ ...this.#state, instances: [] }, told, definition);
    const { tenant, ruleId } = this;
    const { epoch } = this.#deps;
    const gone: AlertEntry = { kind: "gone", epoch, atMs: entry.atMs, tenant, ruleId };
    await this.#append([...(told.length > 0 ? [entry] : []), gone], () => {
      if (told.length > 0) this.#apply(entry, definition);
      this.#written = undefined;
      this.#writtenMs = undefined;
    });
    crashPoint("alerts.removed");
  }

  /** The state as it is, and what waits to be delivered, again: an entry that is young. Only in turn. */
  async rewrite(): Promise<void> {
    const items = this.#deps.outbox.items(this.ruleId);
    const entry = rewritten(this.#state, items, {
      ...this.#facts(),
      rule: this.#state.definition.name,
    });
    await this.#append([entry], () => {
      this.#written = entry.state;
      this.#writtenMs = entry.atMs;
      this.#deps.outbox.rewritten(items, entry.atMs);
    });
  }

  async #settle(): Promise<void> {
    if (this.#unsettled === undefined) return;
    const { entries, then } = this.#unsettled;
    await this.#append(entries, then);
  }

  async #append(entries: readonly AlertEntry[], then: () => void): Promise<void> {
    this.#unsettled = { entries, then };
    try {
      await this.#deps.journal.append(entries);
    } catch (thrown) {
      // What is refused as such was not written and never will be.
      if (thrown instanceof ServiceError && thrown.status < 429) this.#unsettled = undefined;
      throw thrown;
    }
    this.#unsettled = undefined;
    then();
  }

  #entryOf(state: RuleState, told: readonly Told[], definition: Rule): StateEntry {
    const { outbox, linkOf } = this.#deps;
    const { tenant, ruleId } = this;
    const facts = this.#facts();
    const records = recordsFinder(definition);
    let left = Math.min(entryLinesBytesMax, outbox.linesBytesLeft);
    const notifications = told.map((each): Notification => {
      const lines = this.#fitting(each, left);
      left -= linesBytes(lines);
      const { query, fromMs, toMs } = records(each.instance, each.atMs);
      const link = linkOf(tenant, query, fromMs, toMs);
      return makeNotification({ ...each, lines }, { tenant, ruleId, definition, link });
    });
    const items = notifications.flatMap(({ dedupeKey }) =>
      definition.notify.map(
        ({ webhook }, receiver): OutboxItem => ({
          id: `${dedupeKey}-${receiver}`,
          dedupeKey,
          receiver,
          url: webhook.url,
          createdMs: facts.atMs,
        }),
      ),
    );
    return { kind: "state", ...facts, rule: definition.name, state, notifications, outbox: items };
  }

  #fitting({ lines }: Told, left: number): Notification["lines"] {
    const bytesMax = Math.min(notificationLinesBytesMax, left);
    return fittingLines(lines, { linesMax: this.#deps.linesMax, bytesMax });
  }

  #facts() {
    const { epoch, clock } = this.#deps;
    return { epoch, atMs: clock.now(), tenant: this.tenant, ruleId: this.ruleId };
  }

  #apply(entry: StateEntry, definition: Rule): void {
    const { outbox, history, handOver } = this.#deps;
    const { tenant, ruleId, state, atMs, notifications } = entry;
    this.#state = state;
    this.#written = state;
    this.#writtenMs = atMs;
    history.add(tenant, atMs, notifications, entry.outbox);
    const byKey = new Map(notifications.map((each) => [each.dedupeKey, each]));
    const items = entry.outbox.flatMap((item): WaitingItem[] => {
      const notification = byKey.get(item.dedupeKey);
      if (notification === undefined) return [];
      return [{ tenant, ruleId, definition, item, notification, atMs }];
    });
    outbox.add(items);
    handOver(items.map(({ item }) => item.id));
  }
}

/** An entry that says of a rule what is known already. */
export function rewritten(
  state: RuleState,
  items: readonly WaitingItem[],
  facts: Pick<StateEntry, "epoch" | "atMs" | "tenant" | "ruleId" | "rule">,
): StateEntry {
  const notifications = new Map(
    items.map(({ notification }) => [notification.dedupeKey, notification]),
  );
  return {
    kind: "state",
    ...facts,
    state,
    notifications: [...notifications.values()],
    outbox: items.map(({ item }) => item),
  };
}
